# SPDX-License-Identifier: BSD-3-Clause
"""The plots of all.sh's figures, as SVG."""
import math

import kernel_report
from kernel_report import panel
from figures import count_text

STAGES = ["straight", "scheduled", "librte_sched", "source", "parse", "classify", "whole"]
STYLE = """<style>.t{font-size:15px;font-weight:bold} .a{font-size:11px;fill:#444} .g{stroke:#ddd}
polyline{fill:none;stroke-width:1.6}</style>"""


def steps(highest):
    """The ticks of an axis from 0 to beyond `highest`, and its end."""
    step = next(
        one
        for power in range(-6, 12)
        for one in (10**power, 2 * 10**power, 5 * 10**power)
        if 6 * one >= highest
    )
    end = step * math.ceil(highest / step)
    return [(i * step / end, f"{i * step:g}") for i in range(round(end / step) + 1)], end


def throughput_plot(rows, top):
    mine = [row for row in rows if row["case"] == "most" and row["start"] != "in step"]
    counts = sorted({row["buckets"] for row in mine})
    ticks, highest = steps(max(1, *(row["departed_mpps"]["median"] for row in mine)))
    place = lambda n: counts.index(n) / max(1, len(counts) - 1)
    lines = [
        (
            path,
            [
                (place(row["buckets"]), row["departed_mpps"]["median"] / highest)
                for row in sorted(mine, key=lambda row: row["buckets"])
                if row["path"] == path
            ],
        )
        for path in dict.fromkeys(row["path"] for row in mine)
    ]
    return panel(
        "Throttled, twice the allowed load offered: Mpps that leave at the most",
        top,
        lines,
        [(place(n), count_text(n)) for n in counts],
        ticks,
        "buckets",
    )


def beside(row):
    return f"{count_text(row['beside'])} beside" if row["beside"] else "alone"


def departure_plot(rows, rate, top):
    mine = [row for row in rows if row["rate"] == rate and row.get("departure_curve_ns")]
    curves = {f"{row['path']}, {beside(row)}": row["departure_curve_ns"] for row in mine}
    seconds = max(at for curve in curves.values() for at, _ in curve)
    ticks, highest = steps(
        max(1, *(behind / 1e6 for curve in curves.values() for _, behind in curve))
    )
    lines = [
        (name, [(at / seconds, min(1, max(0, behind / 1e6 / highest))) for at, behind in curve])
        for name, curve in curves.items()
    ]
    return panel(
        f"Departures at {rate}: ms behind the ideal curve",
        top,
        lines,
        [(i / 5, f"{seconds * i / 5:.1f} s") for i in range(6)],
        ticks,
        "time",
    )


def cost_plot(rows):
    mine = [row for row in rows if row["order"] == "round-robin"]
    counts = sorted({row["buckets"] for row in mine})
    ticks, highest = steps(max(row["cycles"]["median"] for row in mine))
    place = lambda n: math.log2(n) / max(1, math.log2(counts[-1]))
    lines = [
        (
            path,
            [
                (place(row["buckets"]), min(1, row["cycles"]["median"] / highest))
                for row in sorted(mine, key=lambda row: row["buckets"])
                if row["path"] == path
            ],
        )
        for path in STAGES
    ]
    return panel(
        "Cycles a packet, round robin, nothing throttled",
        0,
        lines,
        [(place(n), count_text(n)) for n in counts],
        ticks,
        "buckets",
    )


def spacing_plot(rows, rate, top):
    mine = [row for row in rows if row["rate"] == rate]
    place = lambda ns: min(1, max(0, math.log10(max(ns, 1)) / 6))
    lines = [
        (
            f"{row['path']}, {beside(row)}",
            [(place(calm), i / 200) for i, (_, calm) in enumerate(row["error_quantiles_ns"])],
        )
        for row in mine
    ]
    return panel(
        f"Distance from the ideal gap at {rate}, calm gaps: share below",
        top,
        lines,
        [(i / 6, f"{10 ** i} ns") for i in range(7)],
        [(i / 4, f"{25 * i} %") for i in range(5)],
        "ns",
    )


def draw(path, panels):
    height = kernel_report.PANEL * len(panels) + 20
    body = "\n".join(panels)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {kernel_report.WIDTH} '
        f'{height}" font-family="sans-serif">{STYLE}<rect width="100%" height="100%" '
        f'fill="white"/>{body}</svg>\n'
    )


def plots(results, folder):
    """Draws into `folder`; the page that each belongs to, its text and its file."""
    links = []
    if "cost" in results:
        draw(folder / "cost.svg", [cost_plot(results["cost"]["rows"])])
        links.append(("cost", "Cycles a packet by number of buckets", "cost.svg"))
    if any(row["case"] == "most" for row in results.get("throttled", {}).get("rows", [])):
        draw(folder / "throughput.svg", [throughput_plot(results["throttled"]["rows"], 0)])
        links.append(("throttled", "Packets a second by number of buckets", "throughput.svg"))
    if "precision" in results:
        rows = results["precision"]["rows"]
        rates = [
            rate for rate in ("100 Mbit/s", "1 Gbit/s") if any(r["rate"] == rate for r in rows)
        ]
        draw(
            folder / "spacing.svg",
            [spacing_plot(rows, rate, i * kernel_report.PANEL) for i, rate in enumerate(rates)],
        )
        if all("departure_curve_ns" in row for row in rows):
            draw(folder / "departures.svg", [departure_plot(rows, "1 Gbit/s", 0)])
            links.append(("precision", "Departures against the ideal curve", "departures.svg"))
        links.append(("precision", "Distance of gaps from the ideal", "spacing.svg"))
    if "kernel" in results:
        (folder / "kernel.svg").write_text(kernel_report.draw(results["kernel"]))
        links.append(("kernel", "Beside the kernel's queueing disciplines", "kernel.svg"))
    return links
