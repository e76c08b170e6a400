#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Measures everything and writes docs/benchmarks.md with its plots.
set -euo pipefail

usage() {
  cat <<'TXT'
usage: scripts/bench/all.sh [--quick] [--out DIR] [--build DIR] [--page FILE] [PART]...

PART: throttled, fair (queues), million (buckets), zipf, imix, full (frames), loops, tree_loops:
drip-bench throttled; cost, trees, spread, queues, precision, scale, moves, memory: drip-bench's case
of that name; centres (drip-bench cost under perf), control (drip-bench against a real dripd), kernel
(tc's HTB and TBF), testpmd (over vhost-user). All of them by default, some 50 minutes; each says how
long it took. A part replaces what an earlier run of it left in --out, and the page is made of all
that is there: each section says when, by which command and at which commit it was measured. `page`
alone measures nothing. Needs root for kernel, testpmd and for hugepages, which it gives back; what
cannot be run is said on the page. Nothing else should run.

  --quick      a tenth of the time: to see that it works
  --out DIR    where figures (JSON) go (default: out/bench)
  --build DIR  the build directory (default: build)
  --page FILE  the page; its plots go into a folder of its name (default: docs/benchmarks.md)
TXT
}

cd "$(dirname "$0")/../.."
out=out/bench
build=build
page=docs/benchmarks.md
quick=
parts=()
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --quick) quick=--quick ;;
    --out) out=${2:?--out needs a directory}; shift ;;
    --build) build=${2:?--build needs a directory}; shift ;;
    --page) page=${2:?--page needs a file}; shift ;;
    throttled | fair | million | zipf | imix | full | loops | tree_loops | cost | trees | spread | queues | precision | scale | moves | memory | centres | control | kernel | testpmd | page)
      parts+=("$1") ;;
    *) echo "all.sh: unknown option or part $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
if [ ${#parts[@]} -eq 0 ]; then
  parts=(throttled fair million zipf imix full loops tree_loops cost trees spread queues precision scale
    moves memory centres control kernel testpmd)
fi

if [ ! -f "$build/build.ninja" ]; then meson setup "$build"; fi
if [ "${parts[*]}" != page ]; then
  ninja -C "$build" src/bench/drip-bench src/daemon/dripd src/cli/dripctl
fi
mkdir -p "$out"

pages=/proc/sys/vm/nr_hugepages
before=$(cat "$pages")
restore() { [ ! -w "$pages" ] || echo "$before" >"$pages"; }
trap restore EXIT
# 2600 MiB for packets and librte_sched; without them 4-KiB pages do, and the page says so.
take_hugepages() { [ ! -w "$pages" ] || echo $((before + 1300)) >"$pages"; }

buckets=1,64,1024,16384,65536,262144,1048576
some=1024,16384,65536
most=65536 million=1048576 long_loops=1 children=16384 spread=3
leaves=1024,16384,65536,1048576
seconds=0.2 repeat=5 long=5
if [ -n "$quick" ]; then
  buckets=1,1024 some=1024 most=1024 million=4096 long_loops=0.02 children=1024 spread=0.2 leaves=1024 seconds=0.02 repeat=1 long=0.2
fi
few=$((repeat > 2 ? 2 : repeat))

failed=()
# run PART COMMAND...: what the command wrote to $out/PART.json is kept with where it comes from.
run() {
  local name=$1
  shift
  echo "== $name"
  rm -f "$out/$name.json"
  local begin=$SECONDS
  if "$@"; then
    /usr/bin/python3 scripts/bench/bench_report.py --note "$out/$name.json" "$@"
  else
    failed+=("$name")
  fi
  echo "== $name took $((SECONDS - begin)) s"
}
bench=$build/src/bench/drip-bench
# drip_bench PART CASE ARGUMENT...
drip_bench() {
  local name=$1
  shift
  take_hugepages
  run "$name" "$bench" "$@" --json "$out/$name.json"
  restore
}
throttled() {
  local name=$1
  shift
  drip_bench "$name" throttled --memory 2500 --seconds "$seconds" "$@"
}
for part in "${parts[@]}"; do
  case "$part" in
    throttled) throttled throttled --buckets "$some" --repeat "$few" \
      --path buckets,whole,librte_sched,tree,librte_sched-tree ;;
    fair) throttled fair --buckets "$some" --repeat "$few" --path whole,fair --start staggered ;;
    million) throttled million --buckets "$million" --repeat "$few" --path whole \
      --start staggered --offered 4 ;;
    zipf) throttled zipf --buckets "$most" --repeat "$few" --order zipf --start staggered ;;
    imix) throttled imix --buckets "$most" --repeat "$few" --frames imix --start staggered \
      --path buckets,whole,librte_sched --only load ;;
    full) throttled full --buckets "$most" --repeat "$few" --frames 1514 --start staggered \
      --path buckets,whole,librte_sched --only load ;;
    loops) drip_bench loops throttled --memory 2500 --buckets "$most,$million" --only loops \
      --path whole --offered 4 --seconds "$long_loops" ;;
    tree_loops) drip_bench tree_loops throttled --memory 300 --buckets "$children" --only loops \
      --path tree --offered 4,16 --seconds "$long_loops" ;;
    cost) drip_bench cost cost --memory 2500 --buckets "$buckets" --seconds "$seconds" \
      --repeat "$repeat" ;;
    trees) drip_bench trees trees --memory 2500 --buckets "$leaves" --seconds "$seconds" \
      --repeat "$repeat" ;;
    spread) drip_bench spread spread --memory 300 --seconds "$spread" --repeat "$repeat" ;;
    queues) run queues "$bench" queues --memory 64 --no-huge --seconds "$seconds" \
      --repeat "$repeat" --json "$out/queues.json" ;;
    precision) drip_bench precision precision --memory 800 --buckets 1024,65536 --seconds "$long" ;;
    scale) drip_bench scale scale --memory 300 --buckets "$some" --seconds "$seconds" \
      --repeat "$repeat" ;;
    moves) run moves "$bench" moves --memory 64 --no-huge --repeat 15 --json "$out/moves.json" ;;
    memory) run memory "$bench" memory --memory 64 --no-huge --buckets 1024,65536,1048576 \
      --json "$out/memory.json" ;;
    centres)
      take_hugepages
      run centres scripts/bench/cost_centres.py "$bench" "$out/centres.json" $quick
      restore ;;
    control)
      control=(--dripd "$build/src/daemon/dripd" --json "$out/control.json")
      [ -z "$quick" ] || control+=(--runs 1 --seconds 0.2 --buckets 10000)
      run control "$bench" control "${control[@]}" ;;
    kernel | testpmd)
      script=scripts/bench/kernel.sh
      [ "$part" = kernel ] || script=scripts/pktgen/testpmd.sh
      if [ "$(id -u)" -ne 0 ]; then
        echo "== $part: only root can"
      else
        run "$part" "$script" $quick --out "$out" --build "$build"
      fi ;;
  esac
done
/usr/bin/python3 scripts/bench/bench_report.py "$out" "$page"
echo "== $page"
if [ ${#failed[@]} -gt 0 ]; then
  echo "all.sh: failed: ${failed[*]}" >&2
  exit 1
fi
