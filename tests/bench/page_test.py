#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The pages that all.sh makes of its figures: the summary, the long tables, their links, the plots."""
import json
import pathlib
import re
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


def throttled(case, path, buckets, **figures):
    about = {"case": case, "path": path, "start": "staggered", "buckets": buckets}
    return {**about, **{name: spread(value) for name, value in figures.items()}}


def most(path, mpps, buckets=1024):
    figures = {"departed_mpps": mpps, "error_percent": -0.2, "missed_percent": 1}
    return throttled("most", path, buckets, **figures, million_polls=1)


def load(path, missed):
    figures = {"departed_mpps": 4, "error_percent": 0, "missed_percent": missed}
    more = {
        "busy_percent": 90,
        "busy_cycles": 300,
        "burst": 8,
        "long_loops": 2,
        "stalled_percent": 1,
    }
    return {**throttled("load", path, 65536, **figures, **more), "offered_mpps": 8}


def loop(longest, stall):
    about = {"case": "loops", "path": "whole", "start": "staggered", "buckets": 65536}
    times = {"longest_us": longest, "p999_us": 5, "p50_us": 1, "loops": 5e5, "withheld": 30}
    return {**about, **times, "offered_mpps": 4, "stall_us": stall}


def polling(layout, cores, mpps, wrong=0):
    about = {"case": "scale", "layout": layout, "cores": cores, "buckets": 1024}
    return {**about, "mpps": spread(mpps), "times_one": mpps / 20, "wrong_percent": spread(wrong)}


def moved(queue, capacity, buckets, us):
    jobs = ("longest_us", "arrive_us", "stop_us", "take_over_us", "forget_us")
    about = {"case": "moves", "queue": queue, "capacity": capacity, "buckets": buckets}
    return {**about, **{job: spread(us) for job in jobs}}


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


def tree(path, bottleneck, shape, cycles):
    return {
        "case": "trees",
        "bottleneck": bottleneck,
        "path": path,
        "leaves": 65536,
        "levels": shape.count("x") + 1,
        "shape": shape,
        "cycles": spread(cycles),
    }


def queue(path, cycles, **more):
    about = {"case": "queues", "path": path, "leaves": 1024, "flows": 8, "waiting": 16}
    return {**about, "cycles": spread(cycles), **more}


def shaped(cores, used, **more):
    about = {"case": "spread", "load": "10 Gbit/s, changing", "cores": cores}
    figures = {"used_percent": used, "stalled_percent": 2, "packets_beyond": 70}
    return {**about, **{name: spread(value) for name, value in figures.items()}, **more}


def free(cores, mpps, times_one):
    about = {"case": "spread", "load": "nothing throttled", "cores": cores}
    by_cpu = {"packets_a_cpu_us": spread(mpps / cores), "times_one_by_cpu": times_one}
    rates = {"mpps": spread(mpps), "times_one": times_one}
    return {**about, "max_catchup_us": 100000, **rates, **by_cpu}


SHARES = {
    "shares_seen": spread(900),
    "shares_beyond": spread(0),
    "changes_a_second": spread(400),
}

RESULTS = {
    "spread": [
        shaped(1, 99, max_catchup_us=100000),
        shaped(2, 98, max_catchup_us=100000, **SHARES),
        shaped(2, 90, max_catchup_us=100, **SHARES),
        free(1, 10, 1),
        free(2, 19, 1.9),
    ],
    "trees": [
        tree("drip", "root", "16 x 1024 x 4", 200),
        tree("drip", "root", "16 x 64 x 64", 150),
        tree("librte_sched", "root", "16 x 1024 x 4", 480),
        tree("drip", "leaves", "16 x 1024 x 4", 220),
    ],
    "queues": [
        queue("fifo", 10),
        queue("fair", 70, more=spread(60)),
        queue("codel", 75, more=spread(65)),
    ],
    "cost": [
        cost("straight", 1024, 30),
        cost("scheduled", 1024, 70),
        cost("librte_sched", 1024, 150),
    ],
    "throttled": [
        load("whole", 0.4),
        most("buckets", 20),
        most("whole", 18),
        most("tree", 9),
        most("librte_sched", 10),
        most("buckets", 7, 65536),
        most("librte_sched", 0, 65536),
    ],
    "fair": [load("fair", 1.5), most("fair", 3)],
    "million": [most("whole", 2.5, 1 << 20)],
    "loops": [loop(15, 0), loop(25, 200)],
    "tree_loops": [{**loop(14, 0), "path": "tree", "buckets": 16384}],
    "scale": [
        polling("one", 1, 20),
        polling("private", 2, 38),
        polling("arbitrary, after the moves", 2, 37.4),
        polling("wrong", 2, 20, 100),
        polling("shared", 2, 27),
    ],
    "moves": [moved("fair", 1024, 4, 130)],
    "precision": [precision("drip", 0.5), precision("librte_sched", -5000)],
    "memory": [
        {
            "buckets": 1 << 20,
            "bucket": 320,
            "wheel": 9,
            "record": 40,
            "registry": 170,
            "idle": 539,
            "ring": 64,
            "history": 256,
            "wheel_full": 0,
            "full": 859,
        }
    ],
    "centres": [
        {
            "path": "whole",
            "buckets": 1024,
            "samples": 10,
            "files": [["src/datapath/transmitter.h", 0.4]],
        }
    ],
}
# A page: what it must say.
EXPECTED = {
    "page.md": (
        "| cycles a packet, 1k buckets, bucket idle, packet leaves at once | 30 | 150 (librte_sched) |",
        "| Mpps under twice the allowed load, 1k buckets | 20.0 | 10.0 (librte_sched) |",
        "| Mpps under twice the allowed load, 64k buckets | 7.00 | none held (librte_sched) |",
        "| rate off by, one bucket of 1 Gbit/s | 0.50 ppm | 5,000 ppm (librte_sched) |",
        "| bucket path over librte_sched, scheduled, round-robin, 1k | at most 0.333 | 0.47 |",
        "| memory of an idle bucket less its ring, a million | at most 512 bytes | 539 bytes |",
        "| [Cost of a packet](page/cost.md) |",
        "| not measured |",
    ),
    "page/targets.md": (
        "| bucket path over librte_sched, straight, round-robin, 1k | at most 0.333 | 0.20 | met by 40 %",
        "| bucket path over librte_sched, scheduled, round-robin, 1k | at most 0.333 | 0.47 | **missed by",
        "| throttled, times librte_sched's packets, staggered, 1k | at least 2.5 | 2.00 | **missed by 20 %**",
        "| throttled, times librte_sched's packets, staggered, 64k | at least 2.5 | 7.0 Mpps beside none |",
        "| throttled, whole, 8 Mpps offered to 64k buckets, staggered, missed | at most 0.5 % | 0.40 % | met",
        "| throttled, whole, staggered, 1k, Mpps that leave | at least 20 | 18.00 | **missed by 10",
        "| throttled, whole, staggered, 1M, Mpps that leave | at least 3 | 2.50 | **missed by 17 %**",
        "4 Mpps offered, no stalls | at most 20 us | 15.0 us | met by 25 % |",
        "4 Mpps offered, 200 us made up for | at most 20 us | 25.0 us | **missed by 25 %**",
        "| longest loop of a tree, root congested with 16,384 backlogged children, 4 Mpps offered, no"
        " stalls | at most 20 us | 14.0 us | met by 30 % |",
        "| two polling cores over one, private, 1k | at least 1.8 | 1.90 | met",
        "| two polling cores over one, arbitrary, after the moves, 1k | at least 1.85 | 1.87 | met",
        "| two polling cores over one, shared, 1k | at least 1.45 | 1.35 | **missed by 6.9 %**",
        "| tree over librte_sched, root at the bottleneck, 64k leaves | at most 0.5 | 0.42 | met",
        "| cycles a packet in a tree, leaves at the bottleneck, 64k leaves | at most 230 | 220 | met",
        "| cycles a packet in fair queues with COBALT more than in a ring, 1k leaves of 8 flows |",
        "| spread root, changing demand on two cores, of the rate used | at least 97 % | 98.0 % | met",
        "| spread root, looks at which the cores' shares were more than the rate | at most 0 | 0 | met",
        "| spread root, two cores over one, by CPU time | at least 1.8 | 1.90 | met",
        "| long-run rate at 1 Gbit/s, off by | at most 1 ppm | 0.500 ppm | met by 50 %",
    ),
    "page/throttled.md": (
        "## Twice the allowed load offered",
        "| whole | staggered | 64k | 8.00 | 4.00 (3.60 to 4.40) | 0 | 0.40 (0.36 to 0.44) |",
        "| tree | staggered | 1k | 9.00 (8.10 to 9.90) |",
        "| librte_sched | staggered | 64k | none held | none held | none held | none held |",
        "## Fair queues",
        "| fair | staggered | 64k | 8.00 | 4.00 (3.60 to 4.40) | 0 | 1.50 (1.35 to 1.65) |",
        "| fair | staggered | 1k | 3.00 (2.70 to 3.30) |",
        "## A million buckets",
        "`zipf` was not measured.",
        "| staggered | 64k | 4.00 | 200 us | 500,000 | 25.0 | 5.00 | 1.00 | 30 |",
    ),
    "page/scale.md": (
        "| shared | 2 | 1k | 27.0 (24.3 to 29.7) | 1.35 |  |",
        "| wrong | 2 | 1k | 20.0 (18.0 to 22.0) | 1.00 | 100 (90.0 to 110) % |",
        "| fair | 1,024 | 4 | 130 (117 to 143) |",
    ),
    "page/cost.md": (
        "## Cost of a packet, nothing throttled",
        "commit ",
        "Command: `drip-bench cost --seconds 1`.",
        "## Where the time goes",
        "| `src/datapath/transmitter.h` | 40.0 % |",
    ),
    "page/trees.md": (
        "| drip | 3 | 16 x 1024 x 4 | 200 (180 to 220) |",
        "| drip | 3 | 16 x 64 x 64 | 150 (135 to 165) |",
        "| librte_sched | 3 | 16 x 1024 x 4 | 480 (432 to 528) |",
        "| 1 | 100 ms | 99.0 (89.1 to 109) % |",
        "| 2 | 100 us | 90.0 (81.0 to 99.0) % | 2.00 (1.80 to 2.20) % |",
        "| 2 | 19.0 (17.1 to 20.9) | 1.90 | 9.50 (8.55 to 10.5) | 1.90 |",
        "| 1,024 | 8 | 16 | 10.0 (9.00 to 11.0) | 70.0 (63.0 to 77.0) | 75.0 (67.5 to 82.5) |",
    ),
    "page/memory.md": ("## Memory", "| **idle, less its ring** | 539 |"),
    "page/kernel.md": ("`kernel` was not measured.",),
}


def check_links(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "decisions/" not in target and not (page.parent / target).resolve().exists():
            sys.exit(f"FAILED: {page.name} links to {target}, which is not there")


def main():
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        out, page = pathlib.Path(scratch) / "out", pathlib.Path(scratch) / "page.md"
        out.mkdir()
        for name, rows in RESULTS.items():
            path = out / f"{name}.json"
            path.write_text(json.dumps({"context": {"hugepages": False}, "rows": rows}))
            note = ["build/drip-bench", name, "--seconds", "1", "--json", path]
            subprocess.run([sys.executable, REPORT, "--note", path, *note], check=True)
        subprocess.run([sys.executable, REPORT, out, page], check=True)
        for name, expected in EXPECTED.items():
            text = (page.parent / name).read_text()
            for line in expected:
                if line not in text:
                    sys.exit(f"FAILED: {name} does not say: {line}\n{text}")
            if scratch in text:
                sys.exit(f"FAILED: {name} names a directory of this machine")
        if len(page.read_text().splitlines()) > 120:
            sys.exit("FAILED: the summary is longer than 120 lines")
        for path in (page.parent / "page").glob("*.md"):
            check_links(path)
        plots = sorted(path.name for path in (page.parent / "page").glob("*.svg"))
        if plots != ["cost.svg", "departures.svg", "spacing.svg", "throughput.svg"]:
            sys.exit(f"FAILED: plots: {plots}")
        for name in plots:
            xml.dom.minidom.parse(str(page.parent / "page" / name))
    print(f"{len(EXPECTED)} pages say what they should, {len(plots)} plots are there")


if __name__ == "__main__":
    main()
