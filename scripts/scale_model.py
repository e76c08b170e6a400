#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""How many cores, queues and bytes dripd needs for a link: from what was measured, and assumptions.

  scripts/scale_model.py             the tables of docs/scale.md
  scripts/scale_model.py --check     the model beside the pages of docs/benchmarks; exit code 1 if
                                     a figure is off by more than 15 %
  scripts/scale_model.py --gbps 25 --frame 700 --buckets 100000   one case
"""
import argparse
import dataclasses
import math
import pathlib
import re
import sys

BENCHMARKS = pathlib.Path(__file__).resolve().parents[1] / "docs/benchmarks"
WITHIN = 0.15
HEADER = 20  # Preamble, start of frame and gap between frames on Ethernet, bytes.
FCS = 4
FRAMES = {"64 B": 64, "IMIX": 353.8, "1,500 B": 1518}  # With FCS. IMIX: 7 x 64, 4 x 570, 1 x 1518.
LINKS = (10, 40, 100, 400)
BUCKETS = (65_536, 1_048_576, 16_777_216)
MBUF_BYTES = 128 + 128 + 2048  # Header, headroom and data of a packet buffer.


@dataclasses.dataclass(frozen=True)
class Machine:
    """Cycles of the TSC of the machine of docs/benchmarks/cost.md. What grows with the number of
    buckets grows by the same number of cycles each time that it doubles, from where the buckets do
    not fit into a core's cache any more: more of each packet's lines come from farther away, and
    more of their addresses."""

    hz: float = 2.6e9
    cached_buckets: float = 14_800
    whole: float = 94  # Receive, parse, classify, bucket, send.
    whole_doubled: float = 19
    bucket: float = 32  # The bucket alone.
    bucket_doubled: float = 5
    wheel: float = 44  # More for a packet that waits on the timing wheel.
    hand_over: float = 95  # More for a packet that comes in at another core than its bucket's.
    hand_over_doubled: float = 45
    load: float = 0.75  # Of a core's packets a second, that it is to have at most.

    def doubled(self, buckets):
        return max(0.0, math.log2(max(buckets, 1) / self.cached_buckets))

    def at_once(self, buckets, handed_over=0.0):
        """Cycles of a packet that leaves as it comes; `handed_over`: which part of them is."""
        more = self.doubled(buckets)
        crossing = self.hand_over + self.hand_over_doubled * more
        return self.whole + self.whole_doubled * more + handed_over * crossing

    def waiting(self, buckets, handed_over=0.0):
        return self.at_once(buckets, handed_over) + self.wheel

    def straight(self, buckets):
        return self.bucket + self.bucket_doubled * self.doubled(buckets)

    def cores(self, packets_per_second, cycles_at):
        """The least number; `cycles_at(cores)`: of a packet."""
        for cores in range(1, 1025):
            if cores * self.hz * self.load >= packets_per_second * cycles_at(cores):
                return cores
        return None


def packets_per_second(gbps, frame):
    return gbps * 1e9 / 8 / (frame + HEADER)


def memory(buckets, capacity):
    """Bytes: of buckets with their records, names and histograms; of rings; docs/benchmarks/memory.md."""
    slots = 2 ** math.ceil(math.log2(max(capacity, 4)))
    return buckets * (862 - 64), buckets * slots * 16


def rates(machine, gbps, frame, buckets):
    """Cores: nothing handed over; all that may be, as receive side scaling at random has it; and if
    each packet waits."""
    pps = packets_per_second(gbps, frame)
    at_random = lambda cores: (cores - 1) / cores
    return (
        machine.cores(pps, lambda cores: machine.at_once(buckets)),
        machine.cores(pps, lambda cores: machine.at_once(buckets, at_random(cores))),
        machine.cores(pps, lambda cores: machine.waiting(buckets)),
    )


# ---- Beside what was measured


def table_rows(page, first):
    """Rows of the first table whose header begins with `first`, as lists of cells."""
    rows = []
    for line in (BENCHMARKS / page).read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            if rows:
                return rows
        elif rows or cells[0] == first:
            rows.append(cells)
    return rows


def count_of(text):
    return int(text.rstrip("kM")) * {"k": 1 << 10, "M": 1 << 20}.get(text[-1], 1)


def number(cell):
    match = re.match(r"[\d.,]+", cell)
    return float(match[0].replace(",", "")) if match else None


def measured(machine):
    """(what, measured, model), of all from a thousand buckets on."""
    header, _, *rows = table_rows("cost.md", "path")
    models = {
        "whole": machine.at_once,
        "straight": machine.straight,
        "scheduled": lambda buckets: machine.straight(buckets) + machine.wheel,
    }
    for row in rows:
        for name, cell in zip(header[1:], row[1:]):
            if row[0] in models and count_of(name) >= 1024:
                yield f"{row[0]}, {name}, cycles", number(cell), models[row[0]](count_of(name))
    header, _, *rows = table_rows("scale.md", "layout")
    for row in rows:
        cell = dict(zip(header, row))
        layout, buckets = cell["layout"], cell["buckets"]
        is_shared = layout in ("two, shared", "shared")
        if not is_shared and layout not in ("one", "two, private", "private"):
            continue
        cores = int(cell.get("cores", 1 if layout == "one" else 2))
        handed_over = (cores - 1) / cores if is_shared else 0
        model = cores * machine.hz / machine.at_once(count_of(buckets), handed_over) / 1e6
        yield f"{layout}, {buckets}, Mpps", number(cell["Mpps"]), model


def check(machine):
    worst = 0.0
    print("| what | measured | model | off by |\n| --- | --- | --- | --- |")
    for what, was, model in measured(machine):
        off = model / was - 1
        worst = max(worst, abs(off))
        print(f"| {what} | {was:.1f} | {model:.1f} | {100 * off:+.0f} % |")
    return worst


# ---- The tables of the page


def shown(cores):
    return "-" if cores is None else str(cores)


def print_cores(machine):
    print("| Gbit/s | frames | Mpps | buckets | in place | at random | all wait |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for gbps in LINKS:
        for name, frame in FRAMES.items():
            for buckets in BUCKETS:
                figures = " | ".join(shown(n) for n in rates(machine, gbps, frame, buckets))
                pps = packets_per_second(gbps, frame) / 1e6
                print(f"| {gbps} | {name} | {pps:.2f} | {buckets >> 10:,}k | {figures} |")


def print_memory():
    print("| buckets | buckets and names | rings of 64 | rings of 1,024 |")
    print("| --- | --- | --- | --- |")
    for buckets in BUCKETS:
        own, small = memory(buckets, 64)
        _, large = memory(buckets, 1024)
        figures = " | ".join(f"{value / 2**30:.2f} GiB" for value in (own, small, large))
        print(f"| {buckets >> 10:,}k | {figures} |")


def print_packets():
    print("| Gbit/s | 64 B | IMIX | 1,500 B |")
    print("| --- | --- | --- | --- |")
    for gbps in LINKS:
        figures = []
        for frame in FRAMES.values():
            packets = packets_per_second(gbps, frame) * 0.1
            figures.append(f"{packets / 1e6:.2f} million, {packets * MBUF_BYTES / 2**30:.2f} GiB")
        print(f"| {gbps} | {' | '.join(figures)} |")


def within(kind, least, most):
    """Reads a number of an argument; the error names what is allowed."""

    def read(text):
        value = kind(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not allowed: {least:g} to {most:g}")
        return value

    read.__name__ = kind.__name__
    return read


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="beside docs/benchmarks")
    parser.add_argument("--gbps", type=within(float, 0.001, 10_000), help="rate of the link")
    parser.add_argument(
        "--frame", type=within(float, 64, 9600), default=64, help="bytes with FCS [64]"
    )
    parser.add_argument("--buckets", type=within(int, 1, 1 << 30), default=65_536)
    parser.add_argument(
        "--hz", type=within(float, 1e8, 1e11), default=Machine.hz, help="cycles a second [2.6e9]"
    )
    arguments = parser.parse_args()
    machine = Machine(hz=arguments.hz)
    if arguments.check:
        worst = check(machine)
        print(f"\nThe worst is off by {100 * worst:.0f} %; {100 * WITHIN:.0f} % are allowed.")
        sys.exit(0 if worst <= WITHIN else 1)
    if arguments.gbps is not None:
        figures = rates(machine, arguments.gbps, arguments.frame, arguments.buckets)
        for name, cores in zip(("in place", "at random", "all wait"), figures):
            print(f"{name}: {shown(cores)} cores")
        return
    print_cores(machine)
    print()
    print_memory()
    print()
    print_packets()


if __name__ == "__main__":
    main()
