#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""dripd beside tc's HTB and TBF over one veth link: kernel.sh runs this."""
import contextlib
import dataclasses
import os
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lib"))
import machine
import measuring
import namespace_link
import quantile
from kernel_report import draw, markdown
from measuring import say
from shapers import Dripd, Htb, Kernel, Tbf
from stopping import unwind_when_stopped
from veth_link import SHAPER_CPU, TRAFFIC_CPU, VethLink

SMALL_FRAME, LARGE_FRAME = 60, 1514  # Without FCS: 64 and 1518 bytes on the wire.
UNLIMITED = "10gbit"
CPU_PPS = 150_000


@dataclasses.dataclass
class Size:
    """How much of each there is."""

    buckets: tuple = (1, 64, 1024, 4096)
    rounds: int = 3
    throughput_seconds: float = 0.6
    cpu_seconds: float = 0.8
    spacing_seconds: float = 1.2
    rates: tuple = (100_000_000, 1_000_000_000)


QUICK = Size(
    buckets=(64,),
    rounds=1,
    throughput_seconds=0.2,
    cpu_seconds=0.2,
    spacing_seconds=0.3,
    rates=(100_000_000,),
)


class Run:
    def __init__(self, link, build, size):
        self.link, self.build, self.size = link, build, size
        self.rows = {"throughput": {}, "cpu": {}, "spacing": {}}
        self.checks = []

    def row(self, section, shaper, **key):
        """The row of a section that all rounds add to."""
        return self.rows[section].setdefault(
            (shaper, *key.values()), {"shaper": shaper, **key, "rounds": []}
        )

    def check(self, what, holds):
        self.checks.append({"what": what, "holds": holds})
        if not holds:
            print(f"FAILED: {what}", file=sys.stderr)

    # ---- Packets a second

    def throughput(self, shaper, buckets, dripd=None):
        link = self.link
        before = link.received()
        dripd_before = dripd.lcore() if dripd else None
        sent = link.result(
            link.send(
                "--frame-bytes",
                SMALL_FRAME,
                "--flows",
                buckets,
                "--seconds",
                self.size.throughput_seconds,
            )
        )
        received = self.settled(dripd) - before
        row = self.row("throughput", shaper, buckets=buckets)
        row["rounds"].append(
            {
                "sent": sent["sent"],
                "refused": sent["refused"],
                "received": received,
                "pps": received / sent["seconds"],
            }
        )
        self.check(
            f"{shaper}, {buckets}: received {received} of {sent['sent']} sent",
            0 < received <= sent["sent"],
        )
        if dripd:
            self.account(dripd, dripd_before, shaper, sent["sent"], received)

    def settled(self, dripd=None):
        """The receiver's count once it stands still, and not only because the machine holds dripd
        up: it has looked a thousand times since."""
        loops = lambda: dripd.lcore()["loops"] if dripd else 0
        count, looked = self.link.received(), loops()
        while True:
            time.sleep(0.05)
            now, looks = self.link.received(), loops()
            if now == count and (not dripd or looks > looked + 1000):
                return now
            if now != count:
                count, looked = now, looks

    def account(self, dripd, before, shaper, sent, received):
        """Every packet that was sent is somewhere: dripd took it or the kernel had no room for it;
        dripd sent it on, dropped it by reason, or holds it."""
        after = dripd.lcore()
        took = after["rx_packets"] - before["rx_packets"]
        gave = after["tx_packets"] - before["tx_packets"]
        balance = dripd.balance()
        self.check(f"{shaper}: {balance.text}", balance.holds)
        self.check(f"{shaper}: dripd took {took} of {sent} sent", took <= sent)
        self.check(f"{shaper}: dripd sent {gave}, the receiver got {received}", gave == received)

    # ---- CPU a packet

    def cpu(self, shaper, buckets, dripd=None):
        link, seconds = self.link, self.size.cpu_seconds
        idle_loop = self.idle_loop_seconds(dripd) if dripd else 0
        begin_received, begin = link.received(), time.monotonic()
        before = dripd.lcore() if dripd else None
        sender = link.send(
            "--frame-bytes",
            SMALL_FRAME,
            "--flows",
            buckets,
            "--seconds",
            seconds + 0.2,
            "--pps",
            CPU_PPS,
        )
        soaks = {TRAFFIC_CPU: link.soak(TRAFFIC_CPU, seconds)}
        if not dripd:
            soaks[SHAPER_CPU] = link.soak(SHAPER_CPU, seconds)
        used = {cpu: link.result(soak)["used"] for cpu, soak in soaks.items()}
        sent = link.result(sender)
        elapsed = time.monotonic() - begin
        received = self.settled(dripd) - begin_received
        pps = (received or sent["sent"]) / sent["seconds"]
        figures = {
            "pps": pps,
            "traffic_core": used[TRAFFIC_CPU],
            "shaper_core": used.get(SHAPER_CPU, 1.0),
        }  # A polling core leaves nothing over.
        if dripd:
            after = dripd.lcore()
            idle_loops = sum(
                sign * (at["loops"] - at["busy_loops"]) for sign, at in ((1, after), (-1, before))
            )
            figures["busy"] = max(0.0, elapsed - idle_loops * idle_loop) / elapsed
            # The sender's part of the time that was looked at.
            figures["busy"] *= elapsed / sent["seconds"]
        self.row("cpu", shaper, buckets=buckets)["rounds"].append(figures)

    @staticmethod
    def idle_loop_seconds(dripd):
        """What a loop costs that finds nothing: with it, the loops that found nothing say how much
        time was free."""
        begin, before = time.monotonic(), dripd.lcore()
        time.sleep(0.2)
        after, end = dripd.lcore(), time.monotonic()
        return (end - begin) / max(1, after["loops"] - before["loops"])

    # ---- Spacing

    def receive_gaps(self, rate_bps, start_sender, *arguments):
        gap_ns = LARGE_FRAME * 8 * 1e9 / rate_bps
        receiver = self.link.receive(
            "--ideal-gap-ns", gap_ns, "--seconds", self.size.spacing_seconds, *arguments
        )
        sender = start_sender(self.size.spacing_seconds + 0.4)
        result = self.link.result(receiver)
        self.link.result(sender)
        return result

    def overload(self, rate_bps):
        """More than the rate, but not more than a sleeping sender brings to the link."""
        pps = (
            2 * rate_bps / 8 / LARGE_FRAME if rate_bps < 5e8 else 1.45 * rate_bps / 8 / LARGE_FRAME
        )
        return lambda seconds: self.link.send(
            "--frame-bytes", LARGE_FRAME, "--seconds", seconds, "--pps", pps
        )

    def spacing(self, shaper, rate_bps, dripd=None):
        before, begin = dripd.lcore() if dripd else None, time.monotonic()
        result = self.receive_gaps(rate_bps, self.overload(rate_bps))
        if dripd:
            after, seconds = dripd.lcore(), time.monotonic() - begin
            for name in ("stalls", "stalled_ns"):
                result[f"{name}_a_second"] = (after[name] - before.get(name, 0)) / seconds
        self.keep_spacing(shaper, rate_bps, result)

    def keep_spacing(self, shaper, rate_bps, result):
        self.check(f"{shaper}: the receiver's ring took all", result["ring_drops"] == 0)
        self.check(f"{shaper}: all stamps are the interface's", result["stamped_late"] == 0)
        self.check(f"{shaper}: frames came", result["packets"] > 100)
        self.row("spacing", shaper, rate_bps=rate_bps)["rounds"].append(result)

    def floor(self, rate_bps):
        """The same without a shaper: a sender in its place that spins until each packet's moment,
        and knows when the machine held it up."""
        stalls, stamps = self.link.scratch / "stalls", self.link.scratch / "stamps"
        pps = rate_bps / 8 / LARGE_FRAME
        result = self.receive_gaps(
            rate_bps,
            lambda seconds: self.link.pace(
                "--frame-bytes", LARGE_FRAME, "--seconds", seconds, "--pps", pps, "--stalls", stalls
            ),
            "--stamps",
            stamps,
        )
        self.keep_spacing("pacer alone", rate_bps, result)
        self.keep_spacing(
            "pacer alone, without stalls", rate_bps, without_stalls(result, stamps, stalls)
        )

    def smallest_burst(self, make, rate_bps):
        """The smallest burst with which the discipline holds the rate to 1 %: with less it loses
        rate, with more it sends more at once."""
        for burst in (1600, 3200, 6400, 12800, 25600, 51200):
            with make(burst):
                result = self.receive_gaps(rate_bps, self.overload(rate_bps))
            held = result["pps"] * LARGE_FRAME * 8 / rate_bps
            if held > 0.99:
                break
        return burst


def without_stalls(result, stamps_path, stalls_path):
    """The errors of those gaps only that no stall overlaps, nor one that ended one gap before."""
    stamps = [int(line) for line in stamps_path.read_text().split()]
    stalls = [tuple(map(int, line.split())) for line in stalls_path.read_text().splitlines()]
    ideal = result["ideal_gap_ns"]
    errors, touched, at = [], 0, 0
    for first, second in zip(stamps, stamps[1:]):
        while at < len(stalls) and stalls[at][0] + ideal < first:
            at += 1
        if at < len(stalls) and stalls[at][0] - stalls[at][1] <= second:
            touched += 1
        else:
            errors.append(abs(second - first - ideal))
    errors.sort()
    quantiles = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999, "max": 1}
    return {
        **result,
        "error_ns": {name: quantile.of_sorted(errors, q) for name, q in quantiles.items()},
        "error_curve": [[q, quantile.of_sorted(errors, q)] for q, _ in result["error_curve"]],
        "touched": touched / max(1, len(stamps) - 1),
    }


def throughput_and_cpu(run, last_round):
    link = run.link
    for buckets in run.size.buckets:
        disciplines = [("HTB", lambda: Htb(link, buckets, UNLIMITED, "64k"))]
        if buckets == 1:
            disciplines += [
                ("TBF", lambda: Tbf(link, UNLIMITED, "64k")),
                ("redirect alone", lambda: Kernel(link)),
            ]
        for name, make in disciplines:
            with make() as discipline:
                for label, steer in ((name, False), (f"{name}, RPS", True)):
                    discipline.steer(steer)
                    run.throughput(label, buckets)
                    if last_round:
                        run.cpu(label, buckets)
        for kind in ("af_xdp", "af_packet"):
            with Dripd(run.build, link, kind, buckets, UNLIMITED) as dripd:
                for label, defer in ((f"dripd, {kind}", False), (f"dripd, {kind}, deferred", True)):
                    if defer and kind == "af_packet":
                        continue
                    dripd.defer(defer)
                    run.throughput(label, buckets, dripd)
                    if last_round:
                        run.cpu(label, buckets, dripd)


def spacing(run, bursts):
    link = run.link
    for rate in run.size.rates:
        run.floor(rate)
        for name, make in (
            ("HTB", lambda burst: Htb(link, 1, f"{rate}bit", burst)),
            ("TBF", lambda burst: Tbf(link, f"{rate}bit", burst)),
        ):
            if (name, rate) not in bursts:
                bursts[name, rate] = run.smallest_burst(make, rate)
            with make(bursts[name, rate]):
                run.spacing(name, rate)
    for kind in ("af_xdp", "af_packet"):
        with Dripd(run.build, link, kind, 1, f"{run.size.rates[0]}bit") as dripd:
            for rate in run.size.rates:
                dripd.ctl("bucket", "set", "b0", "--rate", f"{rate}bit")
                run.spacing(f"dripd, {kind}", rate, dripd)


def main():
    unwind_when_stopped()
    parser = measuring.parser(__doc__)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    if reason := namespace_link.cannot():
        sys.exit(f"kernel.sh: not possible here: {reason}")
    if not {TRAFFIC_CPU, SHAPER_CPU} <= os.sched_getaffinity(0):
        sys.exit(f"kernel.sh: not possible here: CPUs {TRAFFIC_CPU} and {SHAPER_CPU} are needed")
    size = QUICK if arguments.quick else Size()
    begin = time.monotonic()

    bursts = {}
    with contextlib.ExitStack() as stack:
        scratch = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drip-")))
        link = stack.enter_context(VethLink(scratch, pathlib.Path(arguments.build)))
        run = Run(link, pathlib.Path(arguments.build), size)
        run.cpu("sender alone", 1)
        for number in range(size.rounds):
            say(f"round {number + 1} of {size.rounds}: packets a second, CPU a packet")
            throughput_and_cpu(run, number == size.rounds - 1)
            say(f"round {number + 1} of {size.rounds}: spacing")
            spacing(run, bursts)

    result = {
        **machine.describe("scripts/bench/kernel.sh"),
        "quick": arguments.quick,
        "bursts": [
            {"shaper": name, "rate_bps": rate, "bytes": burst}
            for (name, rate), burst in bursts.items()
        ],
        **{section: list(rows.values()) for section, rows in run.rows.items()},
        "checks": run.checks,
        "seconds": time.monotonic() - begin,
    }
    measuring.write(arguments.out, "kernel", result, md=markdown(result), svg=draw(result))
    print(markdown(result))
    say(f"{result['seconds']:.0f} s; {arguments.out}/kernel.json, kernel.md, kernel.svg")
    return 0 if all(check["holds"] for check in run.checks) else 1


if __name__ == "__main__":
    sys.exit(main())
