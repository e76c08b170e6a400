#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Where the time of the packet path goes, by perf: cost_centres.py DRIP_BENCH OUT.JSON [--quick].

Samples `drip-bench cost` by the CPU clock, which a virtual machine has as well, and puts each sample
to the source file of the innermost function that was inlined there, by the binary's own debug
information. Only the last part of a run counts, in which packets flow; what was before is set-up."""
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
SHOWN = 14  # Files a case.
SOURCE = re.compile(r"/((?:include/drip|src)/\S+?):(?:\d+|\?)")


def missing():
    for tool in ("perf", "addr2line"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    return None


def sampled(bench, path, buckets, seconds):
    """How many samples were taken at each address and symbol of the binary, and in each library."""
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
                "--order",
                "round-robin",
                "--repeat",
                "1",
                "--seconds",
                str(seconds),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        script = subprocess.run(
            ["perf", "script", "-i", data, "--show-mmap-events", "-F", "time,ip,sym,dso,event"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    base, samples = None, []
    for line in script.splitlines():
        if mapped := re.search(
            r"PERF_RECORD_MMAP2? .*\[(0x[0-9a-f]+)\(0x[0-9a-f]+\) @ (\S+) .*r-xp (\S+)", line
        ):
            if mapped[3].endswith(f"/{pathlib.Path(bench).name}"):
                base = int(mapped[1], 16) - int(mapped[2], 16)
        elif found := re.search(r"(\d+\.\d+): .*?([0-9a-f]{6,16}) (.*) \((\S+)\)$", line):
            samples.append((float(found[1]), int(found[2], 16), found[3], found[4]))
    ours = f"/{pathlib.Path(bench).name}"
    end = max((time for time, _, _, where in samples if where.endswith(ours)), default=0)
    addresses, others = collections.Counter(), collections.Counter()
    for time, address, symbol, where in samples:
        if not end - seconds <= time <= end:
            continue
        if where.endswith(ours):
            addresses[address - base, symbol.split("+")[0]] += 1
        elif "librte" in where or "libc" in where:
            others[pathlib.Path(where).name] += 1
    return addresses, others


def files(bench, addresses):
    """Samples by the file of the innermost function that is ours; by symbol without debug information."""
    done = subprocess.run(
        ["addr2line", "-a", "-i", "-e", bench, *(hex(address) for address, _ in addresses)],
        check=True,
        capture_output=True,
        text=True,
    )
    chains = {}
    for line in done.stdout.splitlines():
        if line.startswith("0x"):
            chain = chains.setdefault(int(line, 16), [])
        elif found := SOURCE.search(line):
            chain.append("src/bench" if found[1].startswith("src/bench/") else found[1])
    counts = collections.Counter()
    for (address, symbol), samples in addresses.items():
        counts[chains[address][0] if chains[address] else symbol] += samples
    return counts


def main():
    bench, out = sys.argv[1], pathlib.Path(sys.argv[2])
    seconds = 0.05 if "--quick" in sys.argv[3:] else 3
    if reason := missing():
        sys.exit(f"cost_centres.py: not possible here: {reason}")
    rows = []
    for path, buckets in CASES[:1] if seconds < 1 else CASES:
        addresses, others = sampled(bench, path, buckets, seconds)
        counts = files(bench, addresses) + others
        total = sum(counts.values())
        rows.append(
            {
                "path": path,
                "buckets": buckets,
                "samples": total,
                "files": [[name, count / total] for name, count in counts.most_common(SHOWN)],
            }
        )
    out.write_text(json.dumps({"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
