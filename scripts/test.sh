#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Installs missing packages, builds, runs the tests, and lists those skipped with the reason.
#
#   scripts/test.sh [--suite NAME]... [--build DIR]
#   scripts/test.sh --guest | --packages
#
# Without --suite all of them run:
#   unit       pure logic in virtual time
#   lockfree   those of them that run on several threads
#   component  stages on fakes, and the tools in scripts/
#   vdev       DPDK's virtual devices
#   smoke      real programs in network namespaces; needs root
#   cluster    several dripd and real Redis servers
#   bench      the measuring scripts in their quick form: counts are judged, times are not
# With --guest instead, in a build of its own (build-guest):
#   guest      PCI NICs under VFIO in a guest of QEMU; 10 minutes, and half a gigabyte of packages
# With --packages, in a build of its own as well (build-packages):
#   packages   Debian packages are built, checked, installed in a fresh Debian 12 that boots systemd,
#              upgraded, removed, purged; 30 minutes, root
# Tests restore what they change on the machine, such as the number of hugepages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=build
suites=()
options=()
packages=(build run)
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
    --guest)
      # QEMU has none of the newest instructions.
      build=build-guest options=(-Dmarch=x86-64-v3 -Dguest_tests=true)
      suites=(--suite guest) packages=(build run guest)
      shift
      ;;
    --packages)
      build=build-packages options=(-Dpackage_tests=true)
      suites=(--suite packages) packages=(build package chroot)
      shift
      ;;
    -h | --help)
      sed -n '3,22s/^# \{0,1\}//p' scripts/test.sh
      exit 0
      ;;
    *)
      echo "test.sh: '$1' is not known (see --help)" >&2
      exit 2
      ;;
  esac
done

scripts/install_packages.sh "${packages[@]}"
[[ -f $build/build.ninja ]] || meson setup "$build" "${options[@]}"
# Everything, or what meson test builds for the chosen suites.
[[ ${#suites[@]} -gt 0 ]] || ninja -C "$build"

log=$build/meson-logs/testlog.json
rm -f "$log"
status=0
# Two more than there are CPUs, because many tests mostly wait. Those that poll run alone.
meson test -C "$build" --num-processes $(($(nproc) + 2)) --print-errorlogs "${suites[@]}" || status=$?
scripts/test_summary.py "$log" || status=1
exit "$status"
