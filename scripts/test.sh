#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Installs what is missing, builds and runs the tests; says what was skipped and why.
#
#   scripts/test.sh [--suite NAME]... [--build DIR]
#
# Suites: unit (pure logic, virtual time), component (stages on fakes), vdev (DPDK's virtual
# devices), smoke (real programs in network namespaces, needs root), bench (the measuring scripts in
# their quick form: counts are judged, times are not); all of them by default.
# Nothing that a test needs of the machine, hugepages included, is left behind.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=build
suites=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --suite)
      suites+=(--suite "${2:?--suite needs a name}")
      shift 2
      ;;
    --build)
      build=${2:?--build needs a directory}
      shift 2
      ;;
    -h | --help)
      sed -n '3,11s/^# \{0,1\}//p' scripts/test.sh
      exit 0
      ;;
    *)
      echo "test.sh: '$1' is not known (see --help)" >&2
      exit 2
      ;;
  esac
done

scripts/install_packages.sh build run
[[ -f $build/build.ninja ]] || meson setup "$build"
# All of it, or what the chosen suites need.
[[ ${#suites[@]} -gt 0 ]] || ninja -C "$build"

log=$build/meson-logs/testlog.json
rm -f "$log"
status=0
# Two more than there are CPUs: many wait for most of their time. Those that poll run by themselves.
meson test -C "$build" --num-processes $(($(nproc) + 2)) --print-errorlogs "${suites[@]}" || status=$?
scripts/test_summary.py "$log" || status=1
exit "$status"
