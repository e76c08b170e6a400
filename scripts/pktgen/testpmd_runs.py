#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Line-rate runs of dpdk-testpmd against dripd over vhost-user: testpmd.sh runs this."""
import dataclasses
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lib"))
import machine
import measuring
from node import DUT_CPU, TESTER_CPU, Node, Place, bits, one_bucket, per_flow, vhost
from measuring import say
from stopping import unwind_when_stopped
from testpmd import Testpmd, missing
from testpmd_report import markdown
from traffic import IMIX, write_traffic
from udp_frames import FCS

HUGEPAGES = 136 + 2 * 100  # dripd's 65535 packet buffers, two testpmd of 192 MiB and some spare.
UNLIMITED = "400gbit"


@dataclasses.dataclass
class Size:
    """Amounts of each measurement."""

    seconds: float = 1.0
    sizes: tuple = (64, 128, 256, 512, 1024, 1518)
    flows: tuple = (64, 1024, 16384)
    trials: int = 8
    shaper_seconds: float = 2.0


QUICK = Size(seconds=0.2, sizes=(64,), flows=(64,), trials=2, shaper_seconds=0.4)


def drops_between(before, after):
    return {
        reason: count - before["drops"].get(reason, 0)
        for reason, count in after["drops"].items()
        if count != before["drops"].get(reason, 0)
    }


class Runs:
    def __init__(self, scratch, build, size):
        self.scratch, self.build, self.size = scratch, build, size
        self.place = Place(scratch)
        self.rows, self.trials, self.shaper, self.checks = [], {}, [], []

    def check(self, what, holds):
        self.checks.append({"what": what, "holds": holds})
        if not holds:
            print(f"FAILED: {what}", file=sys.stderr)

    # ---- Testers

    def replaying(self, sizes, flows, writes=0):
        """Replays frames into dripd's first port and receives from its second, all on one core.
        testpmd has no rate limit of its own; `writes` random memory writes for each packet make it
        slower."""
        pcap = self.scratch / "traffic.pcap"
        self.frame_bytes = write_traffic(pcap, sizes, flows)
        forward = (
            ["--forward-mode=io"]
            if not writes
            else [
                "--forward-mode=noisy",
                "--noisy-lkup-memory=1",
                f"--noisy-lkup-num-writes={writes}",
            ]
        )
        return Testpmd(
            "tester",
            [
                f"net_pcap0,rx_pcap={pcap},infinite_rx=1",
                self.virtio(0, "in"),
                self.virtio(1, "out"),
                "net_null0,no-rx=1",
            ],
            TESTER_CPU,
            *forward,
            hugepages=True,
        )

    def flowgen(self, mode, wire_bytes, flows=1):
        return Testpmd(
            "tester",
            [self.virtio(0, "in")],
            TESTER_CPU,
            f"--forward-mode={mode}",
            "--port-topology=loop",
            f"--flowgen-flows={flows}",
            f"--txpkts={wire_bytes - FCS}",
        )

    def virtio(self, number, name):
        return f"net_virtio_user{number},path={self.scratch / name}.sock,queue_size=1024"

    # ---- One measurement

    def forward(self, tester, sender, sink, seconds):
        """Forwards for some seconds and returns counters and rates of both ends. Then only receives
        until no more packets arrive."""
        before = tester.ports()
        tester.tell("start")
        time.sleep(0.15)
        tester.ports()
        time.sleep(seconds)
        rates = tester.ports()
        unsent = tester.stop().get(sender, 0)
        tester.tell("set fwd rxonly")
        tester.tell("start")
        time.sleep(0.1)
        last = -1
        while (now := tester.ports()[sink]["rx"]) != last:
            last = now
            time.sleep(0.1)
        tester.stop()
        after = tester.ports()
        return {
            "sent": after[sender]["tx"] - before[sender]["tx"],
            "unsent": unsent,
            "received": after[sink]["rx"] - before[sink]["rx"],
            "tx_pps": rates[sender]["tx_pps"],
            "rx_pps": rates[sink]["rx_pps"],
            "rx_bps": rates[sink]["rx_bps"],
        }

    def account(self, what, node, before, result):
        """Counts of the sender, of dripd and of the receiver must add up."""
        for _ in range(30):
            after = node.counts()
            if after["waiting"] == 0:
                break
            time.sleep(0.1)
        took, gave = after["rx"] - before["rx"], after["tx"] - before["tx"]
        drops = drops_between(before, after)
        waiting = after["waiting"] - before["waiting"]
        result.update(dripd_rx=took, dripd_tx=gave, drops=drops, waiting=waiting)
        self.check(f"{what}: sent {result['sent']} = dripd rx {took}", result["sent"] == took)
        self.check(
            f"{what}: dripd rx {took} = tx {gave} + dropped {sum(drops.values())} + waiting "
            f"{waiting}",
            took == gave + sum(drops.values()) + waiting,
        )
        if "received" in result:
            self.check(
                f"{what}: dripd tx {gave} = received {result['received']}",
                gave == result["received"],
            )
        return result

    def through(self, what, node, tester, sender=1, sink=2, seconds=None):
        before = node.counts()
        with tester as running:
            result = self.forward(running, sender, sink, seconds or self.size.seconds)
            return self.account(what, node, before, result)

    def pair(self, buckets):
        return Node(
            self.build,
            self.place,
            vhost("in", 0, self.scratch) + vhost("out", 1, self.scratch),
            ["--pair", "in:out"],
            buckets,
        )

    def keep(self, case, result, frame_bytes):
        self.rows.append({"case": case, "frame_bytes": frame_bytes, **result})

    # ---- Cases

    def calibration(self):
        """The tester with testpmd's own forwarding in dripd's place, which is the limit of any
        figure."""
        for name, sizes in (("64 bytes", [64]), ("IMIX", IMIX)):
            for server in ("in", "out"):
                (self.scratch / f"{server}.sock").unlink(missing_ok=True)
            devices = [
                f"net_vhost{i},iface={self.scratch / side}.sock"
                for i, side in enumerate(("in", "out"))
            ]
            with Testpmd("io", devices, DUT_CPU, "--forward-mode=io") as io:
                io.tell("start")
                with self.replaying(sizes, 1) as tester:
                    result = self.forward(tester, 1, 2, self.size.seconds)
            self.check(
                f"testpmd io, {name}: received {result['received']} of {result['sent']}",
                0 < result["received"] <= result["sent"],
            )
            self.keep(f"testpmd io in dripd's place, {name}", result, self.frame_bytes)

    def single_sizes(self):
        """txonly into dripd, and a device that only counts behind it, so that the sending core
        receives nothing."""
        ports = vhost("in", 0, self.scratch) + ["--port", "out=net_null0,no-rx=1"]
        with Node(
            self.build, self.place, ports, ["--pair", "in:out"], one_bucket(bits(UNLIMITED), 4096)
        ) as node:
            for wire_bytes in self.size.sizes:
                before = node.counts()
                with self.flowgen("txonly", wire_bytes) as tester:
                    tester.tell("start")
                    time.sleep(0.15)
                    tester.ports()
                    first, begin = node.counts()["tx"], time.monotonic()
                    time.sleep(self.size.seconds)
                    second, end = node.counts()["tx"], time.monotonic()
                    rates = tester.ports()
                    unsent = tester.stop().get(0, 0)
                    time.sleep(0.2)
                    result = {
                        "sent": tester.ports()[0]["tx"],
                        "unsent": unsent,
                        "tx_pps": rates[0]["tx_pps"],
                        "rx_pps": (second - first) / (end - begin),
                    }
                    result = self.account(f"txonly, {wire_bytes} bytes", node, before, result)
                self.keep(f"txonly, {wire_bytes} bytes, counting sink", result, wire_bytes - FCS)

    def mixes(self):
        with self.pair(one_bucket(bits(UNLIMITED), 4096)) as node:
            for name, sizes in (("64 bytes", [64]), ("IMIX", IMIX)):
                result = self.through(name, node, self.replaying(sizes, 64))
                self.keep(f"replayed, {name}, sink on the same core", result, self.frame_bytes)

    def many_flows(self):
        for flows in self.size.flows:
            capacity = max(1, min(64, 60000 // 2 // flows))
            with Node(
                self.build,
                self.place,
                vhost("in", 0, self.scratch),
                ["--hairpin", "in"],
                per_flow(UNLIMITED, flows, capacity),
            ) as node:
                result = self.through(
                    f"{flows} flows", node, self.flowgen("flowgen", 64, flows), sender=0, sink=0
                )
                made = node.ctl("rule", "list")["rules"][0].get("flows", 0)
                self.check(f"{flows} flows: {made} buckets", int(made) == flows)
            self.keep(f"flowgen, {flows} flows, a bucket each, hairpin", result, 64 - FCS)

    def throughput_search(self, name, node, threshold):
        """RFC 2544, section 26.1: the highest load of which at most `threshold` is lost, by
        bisection. The load is what testpmd offered by its own counters."""
        trials = []

        def good(writes):
            result = self.through(f"{name}, {writes} writes", node, self.replaying([64], 1, writes))
            offered = result["sent"] + result["unsent"]
            loss = 1 - result["received"] / offered
            trials.append(
                {
                    "writes": writes,
                    "loss": loss,
                    "good": loss <= threshold,
                    "offered_pps": result["tx_pps"] * offered / result["sent"],
                    **result,
                }
            )
            return trials[-1]["good"]

        # More writes make less load. First find a number that is slow enough.
        fast, slow = 0, 32
        if good(0):
            slow = 0
        while slow and not good(slow) and len(trials) < self.size.trials:
            fast, slow = slow, 2 * slow
        while slow - fast > 1 and len(trials) < self.size.trials:
            middle = (fast + slow) // 2
            if good(middle):
                slow = middle
            else:
                fast = middle
        self.trials[name] = {
            "threshold": threshold,
            "trials": trials,
            "throughput_pps": max((one["offered_pps"] for one in trials if one["good"]), default=0),
        }

    def searches(self):
        with self.pair(one_bucket(bits(UNLIMITED), 4096)) as node:
            self.throughput_search("not limited, no loss", node, 0)
        with self.pair(one_bucket('leak_rate = "1mpps"', 4096)) as node:
            self.throughput_search("a bucket of 1 Mpps, 0.1 % loss", node, 0.001)

    def shaping(self):
        """RFC 7640, section 6.3: rate and delay under at least twice the load."""
        capacity = 1000
        for rate, sizes, name in (
            (100e6, [1518], "1518 bytes"),
            (1e9, [1518], "1518 bytes"),
            (1e9, IMIX, "IMIX"),
        ):
            with self.pair(one_bucket(bits(f"{rate:.0f}bit"), capacity)) as node:
                result = self.through(
                    f"{rate / 1e6:.0f} Mbit/s, {name}",
                    node,
                    self.replaying(sizes, 64),
                    seconds=self.size.shaper_seconds,
                )
                state = node.bucket("all")
            wait = 8 * self.frame_bytes * capacity / rate
            self.shaper.append(
                {
                    "rate_bps": rate,
                    "traffic": name,
                    "capacity": capacity,
                    "received_bps": result["rx_bps"],
                    "ideal_wait_ns": wait * 1e9,
                    "drops": result["drops"],
                    "sojourn": {q: int(state["sojourn"].get(q, 0)) for q in ("p50_ns", "p99_ns")},
                    "lateness": {q: int(state["lateness"].get(q, 0)) for q in ("p50_ns", "p99_ns")},
                }
            )
            self.check(
                f"shaped to {rate / 1e6:.0f} Mbit/s, {name}: dropped for bucket_full only",
                set(result["drops"]) == {"bucket_full"},
            )

    def bursts(self):
        """RFC 7640, section 6.3.2: a burst at link speed of exactly the capacity passes. Of a
        longer one only the excess is lost, less what leaves during the burst."""
        capacity = 512
        self.burst_rows = []
        for packets in (capacity, capacity + 1, 2 * capacity):
            with Node(
                self.build,
                self.place,
                vhost("in", 0, self.scratch),
                ["--hairpin", "in"],
                one_bucket("leak_rate = 1000", capacity),
            ) as node:
                before = node.counts()
                bursts, rest = divmod(packets, 32)
                with self.flowgen("rxonly", 64) as tester:
                    # Bursts of 32, and one that makes up the number.
                    for burst, count in ((32, bursts), (rest, 1)):
                        if burst and count:
                            tester.tell(f"set burst {burst}")
                            tester.tell(f"start tx_first {count}")
                            tester.stop()
                    tester.tell("start")
                    time.sleep(packets / 1000 + 0.3)
                    tester.stop()
                    ports = tester.ports()
                    result = self.account(
                        f"burst of {packets}",
                        node,
                        before,
                        {"sent": ports[0]["tx"], "unsent": 0, "received": ports[0]["rx"]},
                    )
            self.burst_rows.append({"capacity": capacity, "burst": packets, **result})
            self.check(f"burst of {packets}: {result['sent']} sent", result["sent"] == packets)
            lost = sum(result["drops"].values())
            self.check(
                f"burst of {packets} into {capacity}: {lost} lost",
                lost <= max(0, packets - capacity) and (lost > 0 or packets <= capacity + 1),
            )


def main():
    unwind_when_stopped()
    parser = measuring.parser(__doc__)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    if reason := missing():
        sys.exit(f"testpmd.sh: not possible here: {reason}")
    if not {TESTER_CPU, DUT_CPU} <= os.sched_getaffinity(0):
        sys.exit(f"testpmd.sh: not possible here: CPUs {TESTER_CPU} and {DUT_CPU} are needed")
    size = QUICK if arguments.quick else Size()
    begin = time.monotonic()
    with measuring.scratch_with_hugepages(HUGEPAGES) as scratch:
        runs = Runs(scratch, pathlib.Path(arguments.build), size)
        for name, case in (
            ("the tester against testpmd io", runs.calibration),
            ("frame sizes", runs.single_sizes),
            ("mixes", runs.mixes),
            ("many flows", runs.many_flows),
            ("RFC 2544 throughput", runs.searches),
            ("RFC 7640 shaper: rate and delay", runs.shaping),
            ("RFC 7640 shaper: bursts", runs.bursts),
        ):
            say(name)
            case()
    result = {
        **machine.describe("scripts/pktgen/testpmd.sh"),
        "quick": arguments.quick,
        "rows": runs.rows,
        "searches": runs.trials,
        "shaper": runs.shaper,
        "bursts": runs.burst_rows,
        "checks": runs.checks,
        "seconds": time.monotonic() - begin,
    }
    measuring.write(arguments.out, "testpmd", result, md=markdown(result))
    print(markdown(result))
    say(f"{result['seconds']:.0f} s; {arguments.out}/testpmd.json, testpmd.md")
    return 0 if all(check["holds"] for check in runs.checks) else 1


if __name__ == "__main__":
    sys.exit(main())
