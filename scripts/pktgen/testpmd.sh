#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Builds dripd and measures it with dpdk-testpmd over vhost-user, on one machine.
set -euo pipefail

usage() {
  cat <<'TXT'
usage: scripts/pktgen/testpmd.sh [--quick] [--out DIR] [--build DIR]

dpdk-testpmd (package dpdk-dev) sends through dripd over vhost-user and virtio-user: frame sizes
from 64 to 1518 bytes, IMIX, many flows with a bucket each, the RFC 2544 throughput by bisection,
and the shaper checks of RFC 7640, section 6.3. Counts of the sender, of dripd (drops by reason) and
of the receiver must add up. Needs root, two CPUs and 700 MiB of hugepages, which it releases.

  --quick      short measurements, under a minute; a check that it works
  --out DIR    directory for testpmd.json and testpmd.md (default: out)
  --build DIR  build directory (default: build)

docs/guide/pktgen.md explains the tables.
TXT
}

cd "$(dirname "$0")/../.."
. scripts/lib/measure.sh
take_arguments "--quick" "--out" none "$@"

build_targets src/daemon/dripd src/cli/dripctl
exec /usr/bin/python3 scripts/pktgen/testpmd_runs.py --build "$build" "${arguments[@]}"
