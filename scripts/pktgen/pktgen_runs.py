#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs Pktgen-DPDK's Lua scripts against dripd over vhost-user: pktgen.sh runs this."""
import dataclasses
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import machine
import measuring
import pktgen_process
from daemon import DaemonFailure
from node import DUT_CPU, TESTER_CPU, Node, Place, bits, one_bucket, per_flow, vhost
from pktgen_report import markdown
from stopping import unwind_when_stopped

# dripd's 65535 packet buffers, and Pktgen's twelve pools of some 250 MiB each.
HUGEPAGES = 136 + 1720
FLOWS = 1024
UNLIMITED = one_bucket(bits("400gbit"), 4096)
START_SECONDS = 60  # At most, until Pktgen runs its script.
SETTLE_SECONDS = 15  # At most, around each measurement.


@dataclasses.dataclass
class Run:
    """dripd's configuration, and how often the Lua script measures at most."""

    configuration: str
    measurements: int

    def limit_s(self, seconds):
        return START_SECONDS + self.measurements * (seconds + SETTLE_SECONDS)


RUNS = {
    "single_size": Run(UNLIMITED, 6),
    "imix": Run(UNLIMITED, 1),
    "many_flows": Run(
        per_flow("400gbit", FLOWS, 16).replace("FLOW_KEY_DESTINATION", "FLOW_KEY_SOURCE"), 1
    ),
    "rfc2544": Run(UNLIMITED, 9),
    "spacing": Run(one_bucket(bits("100mbit"), 100), 1),
}


class Results:
    """Results of all runs so far, written after each so that a later one cannot lose them."""

    def __init__(self, out):
        self.out = out
        self.result = {
            **machine.describe("scripts/pktgen/pktgen.sh"),
            "rows": [],
            "balances": [],
            "failures": [],
        }

    def add(self, name, outcome):
        self.result["rows"] += outcome.rows
        if outcome.failure:
            self.fail(name, outcome.failure)

    def add_counts(self, name, rows, drops, balance):
        """What dripd counted during the run that measured `rows`."""
        if rows:
            rows[-1]["drops"] = drops
        verdict = "" if balance.holds else " DOES NOT HOLD"
        self.result["balances"].append(f"{name}: {balance.text}{verdict}")
        if not balance.holds:
            self.fail(name, f"the balance of dripd does not hold: {balance.text}")

    def fail(self, name, why):
        self.result["failures"].append({"run": name, "why": why})
        print(f"pktgen.sh: {name} FAILED: {why}", file=sys.stderr, flush=True)

    def write(self):
        measuring.write(self.out, "pktgen", self.result, md=markdown(self.result))


def measure(name, arguments, scratch, results):
    run = RUNS[name]
    limit_s = arguments.time_limit or run.limit_s(arguments.seconds)
    ports = vhost("in", 0, scratch) + vhost("out", 1, scratch)
    try:
        with Node(
            pathlib.Path(arguments.build),
            Place(scratch),
            ports,
            ["--pair", "in:out"],
            run.configuration,
        ) as node:
            outcome = pktgen_process.run(name, scratch, arguments.seconds, FLOWS, limit_s)
            results.add(name, outcome)
            results.add_counts(name, outcome.rows, node.counts()["drops"], node.balance())
    except DaemonFailure as failure:
        results.fail(name, str(failure))


def main():
    unwind_when_stopped()
    parser = measuring.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--time-limit", type=float)
    parser.add_argument("runs", nargs="*")
    arguments = parser.parse_args()
    for name in arguments.runs:
        if name not in RUNS:
            sys.exit(f"pktgen.sh: there is no run '{name}': {', '.join(RUNS)}")
    if os.geteuid() != 0:
        sys.exit("pktgen.sh: not possible here: not root")
    if not {TESTER_CPU, DUT_CPU} <= os.sched_getaffinity(0):
        sys.exit(f"pktgen.sh: not possible here: CPUs {TESTER_CPU} and {DUT_CPU} are needed")
    results = Results(arguments.out)
    with measuring.scratch_with_hugepages(HUGEPAGES) as scratch:
        for name in arguments.runs or RUNS:
            print(f"== {name}", flush=True)
            measure(name, arguments, scratch, results)
            results.write()
    print(markdown(results.result))
    return 1 if results.result["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
