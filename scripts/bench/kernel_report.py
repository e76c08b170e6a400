#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tables and plots of kernel.sh's figures: kernel_report.py KERNEL.JSON prints the Markdown."""
import html
import json
import math
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lib"))
import machine
from markdown import table

COLORS = ("#2166ac", "#67a9cf", "#1b7837", "#b2182b", "#ef8a62", "#e08214", "#999999", "#444444")


def middle(values):
    return statistics.median(values)


def spread(values, scale, digits):
    """The median, and the range if there is more than one."""
    text = f"{middle(values) / scale:.{digits}f}"
    if len(values) > 1:
        text += f" ({min(values) / scale:.{digits}f} to {max(values) / scale:.{digits}f})"
    return text


def throughput_table(result):
    counts = sorted({row["buckets"] for row in result["throughput"]})
    shapers = list(dict.fromkeys(row["shaper"] for row in result["throughput"]))
    cells = {
        (row["shaper"], row["buckets"]): spread([one["pps"] for one in row["rounds"]], 1000, 0)
        for row in result["throughput"]
    }
    return table(
        ["thousand packets a second received", *map(str, counts)],
        [[shaper, *(cells.get((shaper, count), "") for count in counts)] for shaper in shapers],
    )


def cpu_figures(row, alone):
    """Nanoseconds a packet beyond what the sender takes: all of it, and without idle polling."""
    one = row["rounds"][-1]
    total = one["traffic_core"] + one["shaper_core"] - alone
    busy = one["traffic_core"] + one.get("busy", one["shaper_core"]) - alone
    return 1e9 * total / one["pps"], 1e9 * busy / one["pps"]


def cpu_table(result):
    sender = next(row for row in result["cpu"] if row["shaper"] == "sender alone")["rounds"][0]
    alone = sender["traffic_core"] + sender["shaper_core"]
    lines = []
    for row in result["cpu"]:
        if row["shaper"] == "sender alone":
            continue
        total, busy = cpu_figures(row, alone)
        lines.append(
            [
                row["shaper"],
                str(row["buckets"]),
                f"{row['rounds'][-1]['pps'] / 1000:.0f}",
                f"{total:.0f}",
                f"{busy:.0f}",
            ]
        )
    return table(
        [
            "",
            "buckets",
            "thousand packets a second",
            "CPU ns a packet, polling included",
            "busy ns a packet",
        ],
        lines,
    )


def spacing_table(result):
    lines = []
    frame = result["spacing"][0]["rounds"][0]["frame_bytes"]
    for row in sorted(result["spacing"], key=lambda row: row["rate_bps"]):
        rounds = row["rounds"]
        held = middle([one["pps"] * frame * 8 / row["rate_bps"] for one in rounds])
        cells = [
            spread([one["error_ns"][q] for one in rounds], 1000, 2)
            for q in ("p50", "p90", "p99", "p999")
        ]
        stalls = [one["stalls_a_second"] for one in rounds if "stalls_a_second" in one]
        lines.append(
            [
                f"{row['rate_bps'] / 1e6:.0f} Mbit/s",
                row["shaper"],
                f"{(held - 1) * 100:+.2f} %",
                *cells,
                f"{middle(stalls):.0f}" if stalls else "",
            ]
        )
    return table(
        ["rate", "", "rate off by", "p50 us", "p90 us", "p99 us", "p99.9 us", "stalls a second"],
        lines,
    )


def best_pps(result, prefix, buckets):
    """The median of the best variant, and which that is."""
    return max(
        (middle([one["pps"] for one in row["rounds"]]), row["shaper"])
        for row in result["throughput"]
        if row["shaper"].startswith(prefix) and row["buckets"] == buckets
    )


def throughput_verdict(result):
    """dripd against HTB, each in the variant that suits it best, and what holds dripd."""
    ratios = []
    for count in sorted({row["buckets"] for row in result["throughput"]}):
        dripd, _ = best_pps(result, "dripd", count)
        htb, _ = best_pps(result, "HTB", count)
        ratios.append(f"{count}: {dripd / htb:.2f}")
    rounds = [
        one
        for row in result["throughput"]
        if row["shaper"].startswith("dripd")
        for one in row["rounds"]
    ]
    lost = 1 - sum(one["received"] for one in rounds) / sum(one["sent"] for one in rounds)
    return (
        f"dripd's best over HTB's best, by number of buckets: {', '.join(ratios)}. Of what the "
        f"ingress interface took in dripd's runs {100 * lost:.2f} % was lost behind it: it is the "
        "sender's core, which also does the interrupts of that interface, that is at its end, not "
        "dripd's."
    )


def spacing_verdict(result):
    """dripd's errors against HTB's, and what the machine's stalls alone do."""
    lines = []
    for rate in sorted({row["rate_bps"] for row in result["spacing"]}):
        rows = {
            row["shaper"]: row["rounds"] for row in result["spacing"] if row["rate_bps"] == rate
        }
        of = lambda shaper, q: middle([one["error_ns"][q] for one in rows[shaper]]) / 1000
        stalls, stalled_ns = (
            middle([one[name] for one in rows["dripd, af_xdp"]])
            for name in ("stalls_a_second", "stalled_ns_a_second")
        )
        lines.append(
            f"- {rate / 1e6:.0f} Mbit/s: HTB's errors over dripd's (af_xdp): p50 "
            f"{of('HTB', 'p50') / of('dripd, af_xdp', 'p50'):.0f} times, p90 "
            f"{of('HTB', 'p90') / of('dripd, af_xdp', 'p90'):.0f}, p99 "
            f"{of('HTB', 'p99') / of('dripd, af_xdp', 'p99'):.1f}; the p99 of the pacer alone is "
            f"{of('pacer alone', 'p99'):.1f} us. The machine held the polling thread up {stalls:.0f} "
            f"times a second for more than 10 us, {100 * stalled_ns / 1e9:.1f} % of the time: so many "
            "departures are late, and each makes two gaps wrong."
        )
    return "\n".join(lines)


def markdown(result):
    bursts = ", ".join(
        f"{one['shaper']} {one['bytes']} bytes at {one['rate_bps'] / 1e6:.0f} Mbit/s"
        for one in result["bursts"]
    )
    failed = [check["what"] for check in result["checks"] if not check["holds"]]
    touched = [
        100 * one["touched"]
        for row in result["spacing"]
        for one in row["rounds"]
        if "touched" in one
    ]
    return f"""### Beside the kernel's queueing disciplines

{machine.head(result)}{" A quick run: too short to be quoted." if result["quick"] else ""}

Medians of {len(result['throughput'][0]['rounds'])} interleaved rounds, with their range. Sender and
receiver are on core 0. *RPS*: the kernel's receive packet steering moves the shaping to core 1;
without it all happens on the sender's core, which is better for the spacing of HTB and TBF and
therefore what the table below has of them. dripd polls on core 1. *Deferred*: `napi_defer_hard_irqs`
2 and `gro_flush_timeout` 200 us on the ingress interface.

Frames of 64 bytes, as fast as the sender can, nothing throttled:

{throughput_table(result)}
{throughput_verdict(result)}

CPU time at {CPU_TEXT}, by what a thread of lowest priority gets done beside it (cyclesoak), less what
the sender takes alone. A polling core counts fully in the first figure; in the second only the loops
that found something:

{cpu_table(result)}
Error of the gaps between frames of 1514 bytes, stamped by the kernel where the receiving interface
gets them. *Pacer alone*: no shaper, but a sender in its place that spins until each packet's moment;
that is the floor of the machine and of the method, and without the gaps that a stall of its own loop
touched ({middle(touched):.1f} % of them) the floor of the method. Smallest bursts that hold the rate
to 1 %: {bursts}.

{spacing_table(result)}
{spacing_verdict(result)}

Counts: {len(result['checks'])} checks, {f"FAILED: {'; '.join(failed)}" if failed else "all hold"}.
"""


CPU_TEXT = "150,000 packets a second"


# ---- Plots

WIDTH, PANEL, LEFT, RIGHT, TOP, BOTTOM = 860, 300, 70, 270, 36, 40


def panel(title, top, lines, x_ticks, y_ticks, x_label):
    """`lines`: (name, [(x, y)]), x and y from 0 to 1, y upwards; ticks: (place, text)."""
    x = lambda value: LEFT + value * (WIDTH - LEFT - RIGHT)
    y = lambda value: top + TOP + (1 - value) * (PANEL - TOP - BOTTOM)
    parts = [
        f'<text x="{LEFT}" y="{top + 22}" class="t">{html.escape(title)}</text>',
        f'<text x="{x(0.5):.0f}" y="{top + PANEL - 4}" class="a" text-anchor="middle">'
        f"{html.escape(x_label)}</text>",
    ]
    for place, text in y_ticks:
        parts.append(
            f'<line x1="{x(0)}" x2="{x(1)}" y1="{y(place):.1f}" y2="{y(place):.1f}" '
            f'class="g"/><text x="{LEFT - 6}" y="{y(place) + 4:.1f}" class="a" '
            f'text-anchor="end">{text}</text>'
        )
    for place, text in x_ticks:
        parts.append(
            f'<text x="{x(place):.1f}" y="{y(0) + 16:.1f}" class="a" '
            f'text-anchor="middle">{text}</text>'
        )
    for i, (name, points) in enumerate(lines):
        color = COLORS[i % len(COLORS)]
        line = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)
        dash = ' stroke-dasharray="5 4"' if i >= len(COLORS) else ""
        parts.append(
            f'<polyline points="{line}" stroke="{color}"{dash}/>'
            f'<text x="{WIDTH - RIGHT + 16}" y="{top + TOP + 16 * i + 8}" class="a" '
            f'style="fill:{color}">{html.escape(name)}</text>'
        )
    return "\n".join(parts)


def throughput_panel(result, top):
    counts = sorted({row["buckets"] for row in result["throughput"]})
    lines, highest = {}, 1
    for row in result["throughput"]:
        pps = middle([one["pps"] for one in row["rounds"]])
        highest = max(highest, pps)
        lines.setdefault(row["shaper"], []).append((counts.index(row["buckets"]), pps))
    steps = max(1, len(counts) - 1)
    highest *= 1.1
    return panel(
        "Packets a second, 64-byte frames",
        top,
        [
            (name, [(a / steps, b / highest) for a, b in points])
            for name, points in lines.items()
            if len(points) > 1
        ],
        [(i / steps, str(count)) for i, count in enumerate(counts)],
        [(i / 4, f"{highest * i / 4 / 1000:.0f}k") for i in range(5)],
        "classes or buckets",
    )


def spacing_panel(result, rate, top):
    """Which part of the gaps is off by more than so much, both logarithmic."""
    place = lambda ns: (math.log10(max(ns, 10)) - 1) / 5  # 10 ns to 1 ms.
    lines = []
    for row in result["spacing"]:
        if row["rate_bps"] == rate:
            curve = row["rounds"][len(row["rounds"]) // 2]["error_curve"]
            lines.append(
                (
                    row["shaper"],
                    [(min(1, place(ns)), 1 + math.log10(max(1 - q, 1e-4)) / 4) for q, ns in curve],
                )
            )
    return panel(
        f"Spacing error at {rate / 1e6:.0f} Mbit/s of 1514-byte frames",
        top,
        lines,
        [
            (i / 5, text)
            for i, text in enumerate(("10 ns", "100 ns", "1 us", "10 us", "100 us", "1 ms"))
        ],
        [(i / 4, text) for i, text in enumerate(("0.01 %", "0.1 %", "1 %", "10 %", "100 %"))],
        "gaps that are off by more than this",
    )


def draw(result):
    panels = [throughput_panel(result, 0)]
    for rate in sorted({row["rate_bps"] for row in result["spacing"]}):
        panels.append(spacing_panel(result, rate, PANEL * len(panels)))
    height = PANEL * len(panels) + 10
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" \
font-family="sans-serif">
<style>.t{{font-size:15px;font-weight:bold}} .a{{font-size:11px;fill:#444}} .g{{stroke:#ddd}}
polyline{{fill:none;stroke-width:1.6}}</style>
<rect width="{WIDTH}" height="{height}" fill="white"/>
{chr(10).join(panels)}
</svg>
"""


if __name__ == "__main__":
    print(markdown(json.loads(pathlib.Path(sys.argv[1]).read_text())), end="")
