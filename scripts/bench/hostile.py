#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""dripd under full load with a well-behaved client, alone and among hostile ones: hostile.sh runs
this."""
import os
import pathlib
import re
import sys
import tempfile
import threading
import time

import grpc

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lib"))
import machine
import measuring
from daemon import Daemon
from hostile_clients import HostileClients
from hostile_report import markdown
from measuring import say
from observed import POLLING_CPU, Replay, interval
from stopping import unwind_when_stopped

ALLOW = "/drip.v1.RateLimiterService/AllowRequest"
REQUEST = b"\n\x03api"  # AllowRequestRequest: bucket_id "api".
LIMITS = ["--client-limit", "calls_per_second=300", "--client-limit", "connections=20000"]
PAUSE = 0.005


class WellBehaved:
    """Asks for one request after the other, with pauses, until the end of the block."""

    def __init__(self, server):
        self.channel = grpc.insecure_channel(server)
        self.spans, self.errors, self.over = [], [], threading.Event()

    def __enter__(self):
        call = self.channel.unary_unary(ALLOW)
        call(REQUEST, timeout=10)

        def run():
            while not self.over.wait(PAUSE):
                begun = time.monotonic()
                try:
                    call(REQUEST, timeout=10)
                except grpc.RpcError as error:
                    self.errors.append(error.details())
                self.spans.append(time.monotonic() - begun)

        self.thread = threading.Thread(target=run)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.channel.close()

    def result(self):
        spans = sorted(self.spans)
        at = lambda part: spans[min(len(spans) - 1, int(part * len(spans)))]
        return {
            "calls": len(spans),
            "errors": len(self.errors),
            "p50_ms": 1000 * at(0.5),
            "p99_ms": 1000 * at(0.99),
            "max_ms": 1000 * spans[-1],
        }


def resident_mb(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) / 1024


def measure(build, scratch, clients, seconds):
    log = scratch / "dripd.log"
    flags = ("--listen", "127.0.0.1:0", *LIMITS)
    others = os.sched_getaffinity(0) - {POLLING_CPU} or os.sched_getaffinity(0)
    with Daemon(build, Replay(scratch), log, flags) as daemon:
        daemon.ctl("bucket", "set", "api", "--rate", "1000000/s", "--capacity", "1000")
        address = re.search(r"serves on .*?(127\.0\.0\.1:\d+)", log.read_text()).group(1)
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, others)
        hostile = HostileClients(address, clients, others) if clients else None
        try:
            if hostile:
                hostile.__enter__()
                hostile.wait_until_busy()
            with WellBehaved(daemon.server) as client:
                result = interval(daemon, seconds)
            result |= client.result() | {"resident_mb": resident_mb(daemon.process)}
        finally:
            if hostile:
                hostile.__exit__()
            os.sched_setaffinity(0, before)
        if hostile:
            result["hostile"] = hostile.result()
    return result


def main():
    unwind_when_stopped()
    parser = measuring.parser(__doc__)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    clients, rounds, seconds = (20, 1, 3) if options.quick else (1000, 5, 10)
    runs = {"alone": [], "among hostile clients": []}
    for i in range(rounds):
        for name, results in runs.items():
            say(f"round {i + 1} of {rounds}, {name}")
            with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
                build, scratch = pathlib.Path(options.build), pathlib.Path(scratch)
                results.append(measure(build, scratch, 0 if name == "alone" else clients, seconds))
    every = [run for results in runs.values() for run in results]
    checks = [
        {"what": "no packet is lost", "holds": all(run["lost"] == 0 for run in every)},
        {
            "what": "each call of the well-behaved client is answered",
            "holds": all(run["errors"] == 0 and run["calls"] > 0 for run in every),
        },
    ]
    result = machine.describe("scripts/bench/hostile.sh")
    result |= {"clients": clients, "runs": runs, "checks": checks}
    measuring.write(options.out, "hostile", result, md=markdown(result))
    if not all(check["holds"] for check in checks):
        sys.exit(f"FAILED: {[check['what'] for check in checks if not check['holds']]}")


if __name__ == "__main__":
    main()
