#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A Redis and three nodes on this machine, to look at: configuration that is set on one and is on all,
# one rate that all share while one of them is killed, a leader that is replaced, a Redis that forgets
# and is told again.
#
#   scripts/cluster.sh [--build DIR] [--keep]
#
# --keep leaves it running until Enter is pressed. Everything ends with the script, and nothing is left.
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
# Without a word while it does not hold: until WORDS...
until_it_holds() {
  for _ in {1..200}; do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.05
  done
  echo "cluster.sh: not within 10 s: $*" >&2
  tail -n 5 "$directory"/*.log >&2
  exit 1
}

say "A Redis and three nodes"
start_redis
for node in n1 n2 n3; do start_node "$node"; done
for node in n1 n2 n3; do until_it_holds on "$node" cluster leader; done
until_it_holds on n1 bucket set shop/checkout --capacity 100 --rate 50
on n1 cluster status

say "A bucket that is set on n1 is on n3"
on n1 bucket set shop/search --capacity 20 --rate 10
until_it_holds on n3 bucket show shop/search
on n3 bucket list

# Asks NODE for as much as one client can, until it is ended.
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
# What leaves on NODES... during SECONDS, each by its own readings.
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
  printf 'a second leave: %s; together %d.%d\n' "${words#, }" $((total / 10)) $((total % 10))
}

say "One rate for all nodes: 12 a second, and more is asked for on each"
on n1 bucket set shared --rate 12/s --capacity 10 --scope cluster --sharing split --on-failure last-share
for node in n1 n2 n3; do
  ask_for_all "$node" &
  processes[ask-$node]=$!
done
has_a_share() { ! on "$1" bucket show shared | grep -q '^share *0/s'; }
for node in n1 n2 n3; do until_it_holds has_a_share "$node"; done
sleep 3  # The queues fill.
on n2 cluster shares
leaves 5 n1 n2 n3

say "n3 is killed: the others have its share when its lease, 2 s, has run out"
end_by_force ask-n3
end_by_force n3
leaves 2 n1 n2
sleep 1
on n2 cluster shares
leaves 5 n1 n2
for node in n1 n2; do end_by_force "ask-$node"; done
start_node n3
until_it_holds on n3 cluster leader

say "The leader is killed, and another one leads"
leader=$("$build/src/cli/dripctl" --server "unix:$directory/n1.sock" cluster leader | cut -d ' ' -f 1)
other=n1
[[ $leader != n1 ]] || other=n2
end_by_force "$leader"
begin=$(date +%s%N)
leads_now() { ! on "$other" cluster leader | grep -q "^$leader " && on "$other" cluster leader; }
until_it_holds leads_now
echo "$leader was killed; after $((($(date +%s%N) - begin) / 1000000)) ms:"
on "$other" cluster status

say "It comes back and has everything"
start_node "$leader"
until_it_holds on "$leader" bucket show shop/search
on "$leader" bucket list

say "Redis is killed: the queues go on, and the nodes say what they do not know"
end_by_force redis
cut_off() { on "$other" cluster status | grep -q 'CUT OFF'; }
until_it_holds cut_off
on "$other" cluster status
on "$other" request allow shop/checkout || true

say "Redis is back without its data, and is told what the nodes know"
start_redis
told() { redis-cli -s "$directory/redis.sock" hkeys 'drip:{drip}:buckets' | grep -q search; }
until_it_holds told
on "$other" cluster status
if [[ -n $(redis-cli -s "$directory/redis.sock" hkeys 'drip:{drip}:buckets') ]]; then
  redis-cli -s "$directory/redis.sock" hkeys 'drip:{drip}:buckets' | sed 's/^/in Redis again: /'
fi

if $keep; then
  say "Nodes: unix:$directory/n1.sock, n2.sock, n3.sock. Enter ends them."
  read -r
fi
