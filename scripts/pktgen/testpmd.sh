#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Builds dripd and measures it with dpdk-testpmd over vhost-user, on one machine.
set -euo pipefail

usage() {
  cat <<'TXT'
usage: scripts/pktgen/testpmd.sh [--quick] [--out DIR] [--build DIR]

dpdk-testpmd (package dpdk-dev) sends through dripd over vhost-user and virtio-user: frame sizes from
64 to 1518 bytes, IMIX, many flows with a bucket each, the RFC 2544 throughput by bisection, and the
shaper checks of RFC 7640 section 6.3. What is lost is looked up at the sender, in dripd by reason, and
at the sink, and must add up. Needs root, two CPUs and 700 MiB for hugepages, which it gives back.

  --quick      less of everything, under a minute: to see that it works
  --out DIR    where testpmd.json and testpmd.md go (default: out)
  --build DIR  the build directory (default: build)

docs/guide/pktgen.md says how to read the tables.
TXT
}

cd "$(dirname "$0")/../.."
. scripts/lib/measure.sh
take_arguments "--quick" "--out" none "$@"

build_targets src/daemon/dripd src/cli/dripctl
exec /usr/bin/python3 scripts/pktgen/testpmd_runs.py --build "$build" "${arguments[@]}"
