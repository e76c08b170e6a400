#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Searches for inputs that break something, with libFuzzer, ASan and UBSan (docs/reliability.md).
#
#   scripts/fuzz.sh [SECONDS] [TARGET]...    each target for so long; default 10 s, and all of them
#   scripts/fuzz.sh --list                   the targets
#
#   --corpus DIR     keeps what was found to reach more, in DIR/TARGET, and begins with it
#   --coverage       afterwards shows which lines of each source file the inputs reach
#   --build DIR      build directory; default build-fuzz
#
# Exit code 1 after a finding: the input that breaks something is in the build directory's fuzz-findings,
# and the command that runs it again is shown.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build="build-fuzz"
corpus=
coverage=false
seconds=10
targets=()
# A file each; those of several targets are in folders.
all=(tests/fuzz/*.cc)
all=("${all[@]#tests/fuzz/}")
all=("${all[@]%.cc}")
while [[ $# -gt 0 ]]; do
  case $1 in
    --list)
      printf '%s\n' "${all[@]}"
      exit 0
      ;;
    --corpus)
      corpus=${2:?--corpus needs a directory}
      shift 2
      ;;
    --build)
      build=${2:?--build needs a directory}
      shift 2
      ;;
    --coverage)
      coverage=true
      shift
      ;;
    -h | --help)
      sed -n '3,14s/^# \{0,1\}//p' scripts/fuzz.sh
      exit 0
      ;;
    *)
      if [[ $1 =~ ^[1-9][0-9]*$ ]]; then
        seconds=$1
      elif [[ " ${all[*]} " == *" $1 "* ]]; then
        targets+=("$1")
      else
        echo "fuzz.sh: '$1' is not known (see --help)" >&2
        exit 2
      fi
      shift
      ;;
  esac
done
[[ ${#targets[@]} -gt 0 ]] || targets=("${all[@]}")

scripts/install_packages.sh build lint
# Not optimized: what is not under test is linked as it is.
[[ -f $build/build.ninja ]] ||
  CXX='ccache clang++-14' meson setup "$build" -Dbuildtype=plain -Doptimization=0
programs=("${targets[@]/#/tests/fuzz/}")
ninja -C "$build" "${programs[@]/%/_fuzz}"

findings=$build/fuzz-findings
mkdir -p "$findings"
if [[ -z $corpus ]]; then
  corpus=$(mktemp -d)
  trap 'rm -rf "$corpus"' EXIT
fi
export ASAN_OPTIONS=strict_string_checks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1

# What libFuzzer says at its end: stat LOG NAME
stat() { sed -n "s/^stat::$2: *//p" "$1" | tail -1; }

# Runs one, and writes its row: fuzz TARGET
fuzz() {
  local target=$1 result=good edges
  local program=$build/tests/fuzz/${target}_fuzz seeds=$build/fuzz-seeds/$target
  local log=$findings/$target.log
  mkdir -p "$corpus/$target"
  rm -rf "$seeds"
  "$program" --write-seeds "$seeds"
  "$program" -max_total_time="$seconds" -print_final_stats=1 -timeout=20 -rss_limit_mb=4096 \
    -artifact_prefix="$findings/$target-" "$corpus/$target" "$seeds" > "$log" 2>&1 || result=FINDING
  edges=$(sed -n 's/^#.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)
  printf '%-14s %10s %8s %8s %8s  %s\n' "$target" "$(stat "$log" number_of_executed_units)" \
    "$(stat "$log" new_units_added)" "$edges" "$(find "$corpus/$target" -type f | wc -l)" "$result"
  [[ $result == FINDING ]] || return 0
  grep -E '^(does not hold|SUMMARY|==[0-9]+==ERROR)|runtime error' "$log" | head -4
  echo "again: $program $(sed -n 's/.*Test unit written to //p' "$log" | tail -1)"
  return 1
}

status=0
printf '%-14s %10s %8s %8s %8s  %s\n' target runs new edges corpus result
# As many at a time as there are CPUs.
for target in "${targets[@]}"; do
  while [[ $(jobs -rp | wc -l) -ge $(nproc) ]]; do wait -n || status=1; done
  fuzz "$target" &
done
while [[ -n $(jobs -rp) ]]; do wait -n || status=1; done
[[ $coverage == false ]] || scripts/fuzz_coverage.sh "$build-coverage" "$build/fuzz-seeds" "$corpus" \
  "${targets[@]}" || status=1
exit "$status"
