#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs Pktgen-DPDK's Lua scripts against dripd over vhost-user, on one machine.
set -euo pipefail

usage() {
  cat <<'TXT'
usage: scripts/pktgen/pktgen.sh [--out DIR] [--build DIR] [--seconds S] [--time-limit S] [RUN]...

RUN is one of single_size, imix, many_flows, rfc2544, spacing; without RUN all of them are done.
Needs root, two CPUs, and Pktgen-DPDK 23.03 on the PATH as pktgen. scripts/pktgen/testpmd.sh makes
the same measurements with dpdk-testpmd.

  --out DIR       directory for pktgen.json and pktgen.md (default: out)
  --build DIR     build directory (default: build)
  --seconds S     sending time of each measurement (default: 2; Pktgen reads counts once a second)
  --time-limit S  each run is stopped after so many seconds (default: by its number of measurements)

A run that fails does not stop the others. Its reason is in the results and on standard error.
Exit status: 0 if all runs succeeded and the counts of dripd add up, else 1; 3 without Pktgen.

With two real NICs: docs/guide/pktgen.md.
TXT
}

cd "$(dirname "$0")/../.."
. scripts/lib/measure.sh
take_arguments "" "--out --seconds --time-limit" words "$@"

if ! command -v pktgen >/dev/null; then
  cat >&2 <<'TXT'
pktgen.sh: there is no 'pktgen' on the PATH. Debian has no package of Pktgen-DPDK. On Debian 12
these three commands build and install version 23.03, with Lua, against DPDK 22.11:

    sudo apt-get install git gcc meson pkg-config libdpdk-dev libnuma-dev libpcap-dev liblua5.3-dev
    git clone --branch pktgen-23.03.0 https://github.com/pktgen/Pktgen-DPDK && cd Pktgen-DPDK
    CFLAGS=$(pkg-config --cflags libdpdk) meson setup build -Denable_lua=true &&
      sudo meson install -C build

scripts/pktgen/testpmd.sh needs no build: dpdk-testpmd is in Debian's package dpdk-dev.
TXT
  exit 3
fi
build_targets src/daemon/dripd src/cli/dripctl
exec /usr/bin/python3 scripts/pktgen/pktgen_runs.py --build "$build" "${arguments[@]}"
