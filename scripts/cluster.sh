#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Demonstrates a cluster: a Redis server and three nodes on this machine. Shows configuration that
# is set on one node and replicated to all, one rate that the nodes share while one of them is
# killed, a change of leader, and a Redis server that lost its data and gets it back from the nodes.
#
#   scripts/cluster.sh [--build DIR] [--keep]
#
# --keep leaves the cluster running until Enter is pressed. The script stops all that it started.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=build
keep=false
while [[ $# -gt 0 ]]; do
  case $1 in
    --build)
      build=${2:?--build needs a directory}
      shift 2
      ;;
    --keep)
      keep=true
      shift
      ;;
    -h | --help)
      sed -n '3,9s/^# \{0,1\}//p' scripts/cluster.sh
      exit 0
      ;;
    *)
      echo "cluster.sh: '$1' is not known (see --help)" >&2
      exit 2
      ;;
  esac
done
scripts/install_packages.sh build run
[[ -f $build/build.ninja ]] || meson setup "$build"
ninja -C "$build" src/daemon/dripd src/cli/dripctl | tail -n 1

directory=$(mktemp -d)
declare -A processes=()
clean_up() {
  [[ ${#processes[@]} -eq 0 ]] || kill -9 "${processes[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$directory"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
start_redis() {
  redis-server --port 0 --unixsocket "$directory/redis.sock" --dir "$directory" \
    --save '' --appendonly no >"$directory/redis.log" &
  processes[redis]=$!
  for _ in {1..100}; do
    if [[ $(redis-cli -s "$directory/redis.sock" ping 2>/dev/null) == PONG ]]; then return; fi
    sleep 0.05
  done
  echo "redis-server does not answer; its log:" >&2
  cat "$directory/redis.log" >&2
  exit 1
}
start_node() {
  "$build/src/daemon/dripd" --cluster "unix://$directory/redis.sock" --node-id "$1" \
    --listen "unix:$directory/$1.sock" --drain 0s >"$directory/$1.log" 2>&1 &
  processes[$1]=$!
}
end_by_force() {
  kill -9 "${processes[$1]}"
  wait "${processes[$1]}" 2>/dev/null || true
  unset "processes[$1]"
}
on() {
  local node=$1
  shift
  printf '%s $ dripctl %s\n' "$node" "$*"
  "$build/src/cli/dripctl" --server "unix:$directory/$node.sock" "$@"
}
# Repeats a command without output until it succeeds, at most 10 s: until_it_holds COMMAND...
until_it_holds() {
  for _ in {1..200}; do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.05
  done
  echo "cluster.sh: did not succeed within 10 s: $*" >&2
  tail -n 5 "$directory"/*.log >&2
  exit 1
}

say "A Redis and three nodes"
start_redis
for node in n1 n2 n3; do start_node "$node"; done
for node in n1 n2 n3; do until_it_holds on "$node" cluster leader; done
until_it_holds on n1 bucket set shop/checkout --capacity 100 --rate 50
on n1 cluster status

say "A bucket that is set on n1 is also on n3"
on n1 bucket set shop/search --capacity 20 --rate 10
until_it_holds on n3 bucket show shop/search
on n3 bucket list

# Sends requests to NODE, one after the other, until it is killed: ask_for_all NODE
ask_for_all() {
  exec >/dev/null 2>&1
  while true; do
    "$build/src/cli/dripctl" --server "unix:$directory/$1.sock" request allow shared || sleep 0.02
  done
}
processed_by() {
  "$build/src/cli/dripctl" --server "unix:$directory/$1.sock" --json bucket show shared |
    sed -n 's/.*"processed_requests": *"\{0,1\}\([0-9]*\).*/\1/p'
}
# Prints the rate of departures on each node, by its own counts: leaves SECONDS NODE...
leaves() {
  local seconds=$1 node rate total=0 words=''
  local -A before=() since=()
  shift
  for node in "$@"; do
    before[$node]=$(processed_by "$node")
    since[$node]=$(date +%s%N)
  done
  sleep "$seconds"
  for node in "$@"; do
    rate=$((($(processed_by "$node") - before[$node]) * 10 ** 10 / ($(date +%s%N) - since[$node])))
    total=$((total + rate))
    words+=$(printf ', %s %d.%d' "$node" $((rate / 10)) $((rate % 10)))
  done
  printf 'departures a second: %s; together %d.%d\n' "${words#, }" $((total / 10)) $((total % 10))
}

say "One rate for all nodes: 12 a second, with a higher load on each"
on n1 bucket set shared --rate 12/s --capacity 10 --scope cluster --sharing split --on-failure last-share
for node in n1 n2 n3; do
  ask_for_all "$node" &
  processes[ask-$node]=$!
done
has_a_share() { ! on "$1" bucket show shared | grep -q '^share *0/s'; }
for node in n1 n2 n3; do until_it_holds has_a_share "$node"; done
sleep 3  # Until the queues are full.
on n2 cluster shares
leaves 5 n1 n2 n3

say "n3 is killed: the others get its share when its lease of 2 s has expired"
end_by_force ask-n3
end_by_force n3
leaves 2 n1 n2
sleep 1
on n2 cluster shares
leaves 5 n1 n2
for node in n1 n2; do end_by_force "ask-$node"; done
start_node n3
until_it_holds on n3 cluster leader

say "The leader is killed, and another node becomes leader"
leader=$("$build/src/cli/dripctl" --server "unix:$directory/n1.sock" cluster leader | cut -d ' ' -f 1)
other=n1
[[ $leader != n1 ]] || other=n2
end_by_force "$leader"
begin=$(date +%s%N)
leads_now() { ! on "$other" cluster leader | grep -q "^$leader " && on "$other" cluster leader; }
until_it_holds leads_now
echo "$leader was killed; after $((($(date +%s%N) - begin) / 1000000)) ms:"
on "$other" cluster status

say "It is started again and has the configuration"
start_node "$leader"
until_it_holds on "$leader" bucket show shop/search
on "$leader" bucket list

say "Redis is killed: the nodes continue to shape and report that it is unreachable"
end_by_force redis
cut_off() { on "$other" cluster status | grep -q 'CUT OFF'; }
until_it_holds cut_off
on "$other" cluster status
on "$other" request allow shop/checkout || true

say "Redis is started again without data, and the nodes write the configuration back"
start_redis
told() { redis-cli -s "$directory/redis.sock" hkeys 'drip:{drip}:buckets' | grep -q search; }
until_it_holds told
on "$other" cluster status
redis-cli -s "$directory/redis.sock" hkeys 'drip:{drip}:buckets' | sed 's/^/in Redis again: /'

if $keep; then
  say "Nodes: unix:$directory/n1.sock, n2.sock, n3.sock. Enter ends them."
  read -r
fi
