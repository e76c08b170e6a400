#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Where the time of the packet path goes, by perf: cost_centres.py DRIP_BENCH OUT.JSON [--quick].

Samples `drip-bench cost` by the CPU clock, which a virtual machine has as well, and puts each sample
to the innermost function that was inlined there, by the binary's own debug information."""
import collections
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

CASES = (
    ("whole", 1024),
    ("whole", 65536),
    ("straight", 65536),
    ("scheduled", 1024),
    ("scheduled", 65536),
)
SHOWN = 14  # Functions a case.
# What is done before the packets flow.
SETUP = (
    "BucketOrder::BucketOrder",
    "BucketPath::BucketPath",
    "PacketPool::create",
    "std::shuffle",
    "FusedPath::FusedPath",
    "zipf",
    "shuffled",
    "Classifier::build",
    "TupleSpace::add",
    "TupleSpace::insert",
    "TupleSpace::TupleSpace",
    "TimingWheel::TimingWheel",
    "TimePoint::TimePoint",
    "Transmitter::create",
)
# Part of whoever calls them.
ACCESSORS = (
    "std::",
    "__gnu_cxx",
    "_mm",
    "BasicCounter",
    "PublishedTimePoint",
    "TimePoint",
    "operator",
    "UnitRef",
    "BucketTable::operator",
    "BucketHooks",
    "Bucket::",
    "FlowRing::slot_count",
    "FlowRing::mask",
    "WheelHook",
    "load",
    "count_",
    "enter_backlog",
    "leave_backlog",
    "histogram_bin",
    "HandOff::",
    "Samples",
    "Histogram",
    "void",
    "bool",
)


def missing():
    for tool in ("perf", "addr2line"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    return None


def sampled(bench, path, buckets, seconds):
    """How many samples were taken at each address of the binary."""
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        data = pathlib.Path(scratch) / "perf.data"
        subprocess.run(
            [
                "perf",
                "record",
                "-q",
                "-e",
                "cpu-clock",
                "-F",
                "5000",
                "-o",
                data,
                "--",
                bench,
                "cost",
                "--memory",
                "1500",
                "--only",
                path,
                "--buckets",
                str(buckets),
                "--repeat",
                "1",
                "--seconds",
                str(seconds),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        script = subprocess.run(
            ["perf", "script", "-i", data, "--show-mmap-events", "-F", "ip,sym,dso,event"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    base = None
    addresses, others = collections.Counter(), collections.Counter()
    for line in script.splitlines():
        if mapped := re.search(
            r"PERF_RECORD_MMAP2? .*\[(0x[0-9a-f]+)\(0x[0-9a-f]+\) @ (\S+) .*" r"r-xp (\S+)", line
        ):
            if mapped[3].endswith(f"/{pathlib.Path(bench).name}"):
                base = int(mapped[1], 16) - int(mapped[2], 16)
        elif found := re.search(r"([0-9a-f]{6,16}) (.*) \((\S+)\)$", line):
            if found[3].endswith(f"/{pathlib.Path(bench).name}"):
                addresses[int(found[1], 16) - base] += 1
            elif "librte" in found[3] or "libc" in found[3]:
                others[f"{found[2].split('+')[0]} ({pathlib.Path(found[3]).name})"] += 1
    return addresses, others


def plain(name):
    """Without arguments, template arguments and the namespaces that all have."""
    name = re.sub(r"\(anonymous namespace\)::|drip::(bench::|datapath::)?", "", name)
    while (shorter := re.sub(r"<[^<>]*>", "", name)) != name:
        name = shorter
    return re.sub(r"\(.*", "", name).split(" ")[-1]


def functions(bench, addresses):
    """Samples by the innermost function that is no mere accessor."""
    done = subprocess.run(
        ["addr2line", "-a", "-i", "-f", "-C", "-e", bench, *map(hex, addresses)],
        check=True,
        capture_output=True,
        text=True,
    )
    chains = {}
    for line in done.stdout.splitlines():
        if line.startswith("0x"):
            chain = chains.setdefault(int(line, 16), [])
        elif not re.search(r":(\d+|\?)( \(|$)", line) or "::" in line and "(" in line:
            chain.append(plain(line))
    counts = collections.Counter()
    for address, chain in chains.items():
        if not any(name.startswith(SETUP) for name in chain):
            place = next((name for name in chain if not name.startswith(ACCESSORS)), chain[-1])
            counts[place] += addresses[address]
    return counts


def main():
    bench, out = sys.argv[1], pathlib.Path(sys.argv[2])
    seconds = 0.05 if "--quick" in sys.argv[3:] else 3
    if reason := missing():
        sys.exit(f"cost_centres.py: not possible here: {reason}")
    rows = []
    for path, buckets in CASES[:1] if seconds < 1 else CASES:
        addresses, others = sampled(bench, path, buckets, seconds)
        counts = functions(bench, addresses) + others
        total = sum(counts.values())
        rows.append(
            {
                "path": path,
                "buckets": buckets,
                "samples": total,
                "functions": [[name, count / total] for name, count in counts.most_common(SHOWN)],
            }
        )
    out.write_text(json.dumps({"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
