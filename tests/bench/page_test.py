#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The page that all.sh makes of its figures: its sections, what it says of targets, its plots."""
import json
import pathlib
import subprocess
import sys
import tempfile
import xml.dom.minidom

REPORT = pathlib.Path(__file__).parents[2] / "scripts" / "bench" / "bench_report.py"


def spread(median):
    return {"median": median, "low": 0.9 * median, "high": 1.1 * median}


def cost(path, buckets, cycles):
    return {
        "case": "cost",
        "path": path,
        "buckets": buckets,
        "order": "round-robin",
        "cycles": spread(cycles),
    }


def most(path, mpps):
    return {
        "case": "most",
        "path": path,
        "buckets": 1024,
        "departed_mpps": spread(mpps),
        "error_percent": spread(-0.2),
        "million_polls": spread(1),
    }


def precision(path, ppm):
    curve = [[i / 200, 1000 * i * abs(ppm)] for i in range(201)]
    return {
        "case": "precision",
        "path": path,
        "rate": "1 Gbit/s",
        "beside": 0,
        "gaps": 100,
        "p50_ns": 10,
        "p99_ns": 60,
        "p999_ns": 70,
        "max_ns": 80,
        "calm_gaps": 90,
        "calm_p50_ns": 10,
        "calm_p99_ns": 50,
        "calm_p999_ns": 60,
        "rate_error_ppm": ppm,
        "excess_units": 0.1,
        "error_quantiles_ns": [[i, i] for i in range(201)],
        "departure_curve_ns": curve,
    }


RESULTS = {
    "cost": [
        cost("straight", 1024, 30),
        cost("scheduled", 1024, 70),
        cost("librte_sched", 1024, 150),
    ],
    "throttled": [most("buckets", 20), most("librte_sched", 10)],
    "precision": [precision("drip", 0.5), precision("librte_sched", -5000)],
    "memory": [
        {
            "buckets": 1 << 20,
            "bucket": 320,
            "wheel": 9,
            "book": 40,
            "registry": 170,
            "idle": 539,
            "ring": 64,
            "history": 256,
            "wheel_full": 0,
            "full": 859,
        }
    ],
    "centres": [{"path": "whole", "buckets": 1024, "samples": 10, "functions": [["serve", 0.4]]}],
}
EXPECTED = (
    "| bucket path over librte_sched, straight, round-robin, 1k | at most 0.333 | 0.20 | met by 40 %",
    "| bucket path over librte_sched, scheduled, round-robin, 1k | at most 0.333 | 0.47 | **missed by 40 %**",
    "| throttled, times librte_sched's packets, 1k | at least 2.5 | 2.00 | **missed by 20 %**",
    "| long-run rate at 1 Gbit/s, off by | at most 1 ppm | 0.500 ppm | met by 50 %",
    "| memory of an idle bucket less its ring, a million | at most 512 bytes | 539 bytes | **missed by 5.3 %**",
    "### Memory",
    "### Where the time goes",
    "| `serve` | 40.0 % |",
    "`kernel` was not measured.",
    "commit ",
    "Command: `drip-bench cost --seconds 1`.",
)


def main():
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        out, page = pathlib.Path(scratch) / "out", pathlib.Path(scratch) / "page.md"
        out.mkdir()
        for name, rows in RESULTS.items():
            path = out / f"{name}.json"
            path.write_text(json.dumps({"context": {"hugepages": False}, "rows": rows}))
            subprocess.run(
                [
                    sys.executable,
                    REPORT,
                    "--note",
                    path,
                    "build/drip-bench",
                    name,
                    "--seconds",
                    "1",
                    "--json",
                    path,
                ],
                check=True,
            )
        subprocess.run([sys.executable, REPORT, out, page], check=True)
        text = page.read_text()
        for line in EXPECTED:
            if line not in text:
                sys.exit(f"FAILED: the page does not say: {line}\n{text}")
        if scratch in text:
            sys.exit("FAILED: the page names a directory of this machine")
        plots = sorted(path.name for path in (page.parent / "page").glob("*.svg"))
        if plots != ["cost.svg", "departures.svg", "spacing.svg", "throughput.svg"]:
            sys.exit(f"FAILED: plots: {plots}")
        for name in plots:
            xml.dom.minidom.parse(str(page.parent / "page" / name))
    print(f"{len(EXPECTED)} lines and {len(plots)} plots are there")


if __name__ == "__main__":
    main()
