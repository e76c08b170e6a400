#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs Pktgen-DPDK's Lua scripts against dripd over vhost-user: pktgen.sh runs this."""
import json
import os
import pathlib
import shlex
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import machine
import measuring
from node import DUT_CPU, TESTER_CPU, Node, Place, bits, one_bucket, per_flow, vhost
from stopping import unwind_when_stopped

HUGEPAGES = (
    136 + 1720
)  # dripd's 65535 packet buffers; Pktgen's pools, some 250 MiB each, twelve of them.
FLOWS = 1024
FREE = one_bucket(bits("400gbit"), 4096)
# RUN: what the bucket does meanwhile.
RUNS = {
    "single_size": FREE,
    "imix": FREE,
    "many_flows": per_flow("400gbit", FLOWS, 16).replace("FLOW_KEY_DESTINATION", "FLOW_KEY_SOURCE"),
    "rfc2544": FREE,
    "spacing": one_bucket(bits("100mbit"), 100),
}
SECONDS_AT_MOST = 240


def run_lua(name, scratch, seconds):
    """Pktgen wants a terminal: script(1) gives it one. Returns the results."""
    results = scratch / f"{name}.jsonl"
    devices = [
        part
        for i, side in enumerate(("in", "out"))
        for part in (
            "--vdev",
            f"net_virtio_user{i},path={scratch / side}.sock,queue_size=1024," "speed=10000",
        )
    ]
    command = [
        "pktgen",
        "--lcores",
        f"0@{TESTER_CPU},1@{TESTER_CPU}",
        "--no-pci",
        "--no-telemetry",
        "--in-memory",
        "--single-file-segments",
        "-m",
        "3400",
        f"--file-prefix=drip-pktgen-{os.getpid()}",
        *devices,
        "--",
        "-P",
        "-m",
        "1.[0-1]",
        "-f",
        str(HERE / f"{name}.lua"),
    ]
    environment = {
        **os.environ,
        "DRIP_RESULTS": str(results),
        "DRIP_SECONDS": str(seconds),
        "DRIP_FLOWS": str(FLOWS),
        "LUA_PATH": f"{HERE}/?.lua;;",
        "TERM": "xterm",
    }
    log = scratch / f"{name}.log"
    done = subprocess.run(
        ["script", "-qec", shlex.join(command), str(log)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        timeout=SECONDS_AT_MOST,
    )
    if not results.exists():
        raise SystemExit(
            f"pktgen.sh: {name}: pktgen ended with {done.returncode} and no result:\n"
            f"{log.read_text(errors='replace')[-3000:]}"
        )
    return [json.loads(line) for line in results.read_text().splitlines()]


def table(rows):
    lines = [
        "| case | sent Mpps | received Mpps | received Gbit/s | sent | lost | dropped by dripd |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        name = row["case"] + (f", {row['percent']:.2f} % of the line" if "percent" in row else "")
        drops = ", ".join(f"{reason} {count}" for reason, count in row.get("drops", {}).items())
        lines.append(
            f"| {name} | {row['sent_pps'] / 1e6:.3f} | {row['received_pps'] / 1e6:.3f} | "
            f"{row['received_pps'] * row['frame_bytes'] * 8 / 1e9:.3f} | {row['sent']} | "
            f"{row['lost']} | {drops} |"
        )
    return "\n".join(lines) + "\n"


def latency_text(rows):
    return "".join(
        f"Latency packets: {row['latency_packets']}, of them {row['jitter_count']} more than 10 us off "
        f"their spacing; delay {row['min_us']:.1f} / {row['avg_us']:.1f} / {row['max_us']:.1f} us "
        "(min / avg / max).\n"
        for row in rows
        if "latency_packets" in row
    )


def markdown(result):
    return (
        f"### Pktgen-DPDK over vhost-user\n\n{machine.head(result)}\n\nPktgen sends and receives on "
        "core 0, dripd polls on core 1; the line is taken to be 10 Gbit/s.\n\n"
        f"{table(result['rows'])}\n{latency_text(result['rows'])}"
        f"Balance of dripd after each run: {', '.join(result['balances'])}.\n"
    )


def main():
    unwind_when_stopped()
    parser = measuring.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("runs", nargs="*")
    arguments = parser.parse_args()
    for name in arguments.runs:
        if name not in RUNS:
            sys.exit(f"pktgen.sh: there is no run '{name}': {', '.join(RUNS)}")
    if os.geteuid() != 0:
        sys.exit("pktgen.sh: not possible here: not root")
    if not {TESTER_CPU, DUT_CPU} <= os.sched_getaffinity(0):
        sys.exit(f"pktgen.sh: not possible here: CPUs {TESTER_CPU} and {DUT_CPU} are needed")
    rows, balances, holds = [], [], True
    with measuring.scratch_with_hugepages(HUGEPAGES) as scratch:
        for name in arguments.runs or RUNS:
            print(f"== {name}", flush=True)
            with Node(
                pathlib.Path(arguments.build),
                Place(scratch),
                vhost("in", 0, scratch) + vhost("out", 1, scratch),
                ["--pair", "in:out"],
                RUNS[name],
            ) as node:
                new = run_lua(name, scratch, arguments.seconds)
                new[-1]["drops"] = node.counts()["drops"]
                balance = node.balance()
            rows += new
            holds &= balance.holds
            balances.append(f"{name}: {balance.text}{'' if balance.holds else ' DOES NOT HOLD'}")
    result = {**machine.describe("scripts/pktgen/pktgen.sh"), "rows": rows, "balances": balances}
    measuring.write(arguments.out, "pktgen", result, md=markdown(result))
    print(markdown(result))
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
