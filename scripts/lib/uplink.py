# SPDX-License-Identifier: BSD-3-Clause
"""Two customers below one uplink: what each gets of it, and a ping beside a full download."""
import dataclasses
import json
import re
import subprocess
import threading
import time

from measuring import say
from meter import now, slope
from namespace_link import Flow
from quantile import of_sorted
from rates import format_rate

CUSTOMERS = {"a": 5203, "b": 5204}  # TCP ports.
INTERVAL = 0.1
QUEUE_SECONDS = 0.2  # As deep as many a modem's.
SETTLE_SECONDS, PHASE_SECONDS = 1.5, 3.0
PINGS = 60
# Of the uplink: TCP does not fill a small part of it to the last packet.
SHARE_ERROR = 0.1


@dataclasses.dataclass
class Phase:
    """What was asked for, as parts of the uplink, and what each customer got."""

    label: str
    wanted: dict
    got: dict
    begin: float
    end: float


@dataclasses.dataclass
class Pings:
    label: str
    times: list  # Of each answer, in ms, in their order.
    begin: float


class Uplink:
    """Runs it all on a link of namespaces; then `phases`, `pings` and `samples` have what came."""

    PING_INTERVAL = 0.05

    def __init__(self, link, daemon, rate_bps):
        self.link, self.daemon, self.rate = link, daemon, rate_bps
        self.phases, self.pings = [], []
        self.samples = {name: [] for name in CUSTOMERS}  # (seconds, bytes sent)
        self.begin = now()

    def run(self):
        self.configure()
        flows = {
            name: Flow(self.link, f"download of {name}", name, port, ["--parallel", "8"], False)
            for name, port in CUSTOMERS.items()
        }
        watch = self.watch()
        reader = threading.Thread(target=self.read, args=(watch,))
        reader.start()
        try:
            for flow in flows.values():
                flow.start()
            self.phase("weights 3 and 1", {"a": 0.75, "b": 0.25})
            self.daemon.ctl("bucket", "set", "b", "--guarantee", f"{0.4 * self.rate:.0f}bit")
            self.phase("b is guaranteed 40 %", {"a": 0.6, "b": 0.4})
            flows.pop("b").finish()
            self.phase("a alone", {"a": 1.0, "b": 0.0})
            self.ping("FIFO")
            self.daemon.ctl("bucket", "set", "a", "--queue", "fair", "--aqm", "codel")
            time.sleep(SETTLE_SECONDS)
            self.ping("fair + codel")
        finally:
            for flow in flows.values():
                flow.finish()
            watch.terminate()
            watch.wait()
            reader.join()

    def configure(self):
        rate = f"{self.rate:.0f}bit"
        ctl = self.daemon.ctl
        ctl("bucket", "set", "uplink", "--inner", "--rate", rate)
        for (name, port), weight in zip(CUSTOMERS.items(), ("3", "1")):
            ctl(
                *("bucket", "set", name, "--parent", "uplink", "--rate", rate, "--weight", weight),
                *("--capacity", str(max(60, int(QUEUE_SECONDS * self.rate / 8 / 1514)))),
            )
            ctl(
                *("rule", "add", name, "--port", "left", "--proto", "tcp", "--dport", str(port)),
                *("--priority", "10", "--bucket", name),
            )
        ctl(
            *("rule", "add", "ping-a", "--port", "left", "--proto", "icmp"),
            *("--priority", "10", "--bucket", "a"),
        )

    def watch(self):
        return subprocess.Popen(
            [
                *(self.daemon.dripctl, "--server", self.daemon.server, "--json"),
                *("bucket", "watch", *CUSTOMERS, "--interval", f"{INTERVAL * 1000:.0f}ms"),
            ],
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,
        )

    def read(self, watch):
        for line in watch.stdout:
            states = json.loads(line)
            at = int(states["monotonic_ns"]) / 1e9
            for bucket in states["buckets"]:
                self.samples[bucket["bucket_id"]].append((at, int(bucket["processed_bytes"])))

    def phase(self, label, wanted):
        time.sleep(SETTLE_SECONDS)
        begin = now()
        time.sleep(PHASE_SECONDS)
        end = now()
        got = {name: 8 * slope(self.samples[name], begin, end) for name in CUSTOMERS}
        self.phases.append(Phase(label, wanted, got, begin - self.begin, end - self.begin))
        say(f"{label}: " + ", ".join(f"{name} {format_rate(bps)}" for name, bps in got.items()))

    def ping(self, label):
        begin = now() - self.begin
        done = self.link.left.spawn(
            *("ping", "-i", str(self.PING_INTERVAL), "-c", str(PINGS), self.link.right.address),
            stdout=subprocess.PIPE,
        )
        text = done.communicate(timeout=60)[0]
        times = [float(ms) for ms in re.findall(r"time=([\d.]+) ms", text)]
        self.pings.append(Pings(label, times, begin))
        say(f"ping beside a full download, {label}: {self.pings_in_words(self.pings[-1])}")

    @staticmethod
    def pings_in_words(pings):
        if not pings.times:
            return "no answer"
        return (
            f"p50 {of_sorted(sorted(pings.times), 0.5):.3g} ms, p99 {of_sorted(sorted(pings.times), 0.99):.3g} ms, "
            f"{len(pings.times)} of {PINGS} answered"
        )

    def notes(self):
        lines = [f"two customers below one uplink of {format_rate(self.rate)}:"]
        for phase in self.phases:
            shares = ", ".join(
                f"{name} {format_rate(phase.got[name])} of {format_rate(part * self.rate)}"
                for name, part in phase.wanted.items()
                if part > 0
            )
            lines.append(f"  {phase.label}: {shares}")
        for pings in self.pings:
            words = self.pings_in_words(pings)
            lines.append(f"  ping of a beside its download, {pings.label}: {words}")
        return lines

    def faults(self):
        """What is not as asked for."""
        for phase in self.phases:
            for name, part in phase.wanted.items():
                if abs(phase.got[name] - part * self.rate) > SHARE_ERROR * self.rate:
                    yield (
                        f"{phase.label}: {name} got {format_rate(phase.got[name])}, "
                        f"{format_rate(part * self.rate)} asked"
                    )
        fifo, fair = (of_sorted(sorted(pings.times) or [1e9], 0.5) for pings in self.pings)
        if not fair < fifo / 2:
            yield f"ping beside a full download: {fair:.3g} ms with fair + codel, {fifo:.3g} with FIFO"
