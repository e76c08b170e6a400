#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Shows which lines of each source file the inputs of fuzz targets reach: fuzz.sh --coverage.
#
#   scripts/fuzz_coverage.sh BUILD SEEDS CORPUS TARGET...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$1 seeds=$2 corpus=$3
shift 3

# Of programs that the build runs.
export LLVM_PROFILE_FILE=/dev/null
flags='-fprofile-instr-generate -fcoverage-mapping'
[[ -f $build/build.ninja ]] || CXX='ccache clang++-14' meson setup "$build" -Dbuildtype=plain \
  -Doptimization=0 -Ddebug=false -Db_lundef=false "-Dcpp_args=$flags" "-Dcpp_link_args=$flags"
programs=("${@/#/tests/fuzz/}")
ninja -C "$build" "${programs[@]/%/_replay}"

profiles=()
objects=()
for target in "$@"; do
  program=$build/tests/fuzz/${target}_replay
  profile=$build/$target.profraw
  LLVM_PROFILE_FILE=$profile "$program" "$seeds/$target" "$corpus/$target" > "$build/$target.log"
  profiles+=("$profile")
  objects+=(-object "$program")
done
llvm-profdata-14 merge -o "$build/all.profdata" "${profiles[@]}"
# The first object has no flag before it.
llvm-cov-14 report "${objects[@]:1}" -instr-profile="$build/all.profdata" \
  -ignore-filename-regex='(^|/)(tests|usr)/|\.pb\.(cc|h)$' -show-region-summary=false \
  -show-branch-summary=false -show-functions=false
