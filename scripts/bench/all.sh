#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Measures everything and writes docs/benchmarks.md with its plots.
set -euo pipefail

usage() {
  cat <<'TXT'
usage: scripts/bench/all.sh [--quick] [--out DIR] [--build DIR] [--page FILE] [PART]...

PART: cost, throttled, trees, spread, queues, precision, scale, memory, centres (drip-bench, the last one under
perf), control (drip-bench against a real dripd), kernel (tc's HTB and TBF), testpmd (over vhost-user); all of them by
default, about half an hour. A part replaces what an earlier run of it left in --out, and the page is made
of all that is there: each section says when, by which command and at which commit it was measured.
`page` alone measures nothing. Needs root for kernel, testpmd and for hugepages, which it gives back; what
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
    cost | throttled | trees | spread | queues | precision | scale | memory | centres | control | kernel | testpmd | page)
      parts+=("$1") ;;
    *) echo "all.sh: unknown option or part $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
if [ ${#parts[@]} -eq 0 ]; then
  parts=(cost throttled trees spread queues precision scale memory centres control kernel testpmd)
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
leaves=1024,16384,65536,1048576
seconds=0.2 repeat=5 long=5
[ -z "$quick" ] || { buckets=1,1024 some=1024 leaves=1024 seconds=0.02 repeat=1 long=0.2; }

failed=()
# run PART COMMAND...: what the command wrote to $out/PART.json is kept with where it comes from.
run() {
  local name=$1
  shift
  echo "== $name"
  rm -f "$out/$name.json"
  if "$@"; then
    /usr/bin/python3 scripts/bench/bench_report.py --note "$out/$name.json" "$@"
  else
    failed+=("$name")
  fi
}
bench=$build/src/bench/drip-bench
drip_bench() {
  local name=$1
  shift
  take_hugepages
  run "$name" "$bench" "$name" "$@" --json "$out/$name.json"
  restore
}
for part in "${parts[@]}"; do
  case "$part" in
    cost) drip_bench cost --memory 2500 --buckets "$buckets" --seconds "$seconds" \
      --repeat "$repeat" ;;
    throttled) drip_bench throttled --memory 2500 --buckets "$some" --seconds "$seconds" \
      --repeat "$((repeat > 3 ? 3 : repeat))" ;;
    trees) drip_bench trees --memory 2500 --buckets "$leaves" --seconds "$seconds" \
      --repeat "$repeat" ;;
    spread) drip_bench spread --memory 300 --seconds "$long" --repeat "$repeat" ;;
    queues) run queues "$bench" queues --memory 64 --no-huge --seconds "$seconds" \
      --repeat "$repeat" --json "$out/queues.json" ;;
    precision) drip_bench precision --memory 800 --buckets 1024,65536 --seconds "$long" ;;
    scale) drip_bench scale --memory 300 --buckets "$some" --seconds "$seconds" \
      --repeat "$repeat" ;;
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
