# SPDX-License-Identifier: BSD-3-Clause
"""Draws offered and received rate over time as SVG, one panel a flow."""
import html
import math

from rates import format_rate

WIDTH, PANEL, LEFT, TOP, RIGHT, BOTTOM = 860, 240, 80, 34, 20, 34


def rate_points(samples, begin):
    """Running totals to (seconds since begin, bits a second)."""
    return [
        ((t0 + t1) / 2 - begin, 8 * (v1 - v0) / (t1 - t0))
        for (t0, v0), (t1, v1) in zip(samples, samples[1:])
        if t1 > t0
    ]


def panel(label, meter, marks, rate_bps, top):
    begin, change = marks
    received, offered = rate_points(meter.received, begin), rate_points(meter.offered, begin)
    seconds = max((x for x, _ in received), default=1)
    highest = 1.15 * max([rate_bps] + [y for _, y in received + offered])
    x = lambda s: LEFT + s / seconds * (WIDTH - LEFT - RIGHT)
    y = lambda bps: top + TOP + (1 - bps / highest) * (PANEL - TOP - BOTTOM)
    line = lambda points: " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)
    asked = [
        (0, rate_bps),
        (change - begin, rate_bps),
        (change - begin, rate_bps / 2),
        (seconds, rate_bps / 2),
    ]
    parts = [f'<text x="{LEFT}" y="{top + 20}" class="t">{html.escape(label)}</text>']
    for step in range(5):
        bps = highest * step / 4
        parts.append(grid_line(y(bps), format_rate(bps) if bps else "0"))
    for second in range(int(seconds) + 1):
        parts.append(
            f'<text x="{x(second):.1f}" y="{top + PANEL - 12}" class="a" '
            f'text-anchor="middle">{second} s</text>'
        )
    for name, points in (("o", offered), ("q", asked), ("r", received)):
        if points:
            parts.append(f'<polyline points="{line(points)}" class="{name}"/>')
    return "\n".join(parts)


def draw_uplink(path, uplink):
    """Rates of two customers below one uplink over time, and the times of pings."""
    seconds = max(t for samples in uplink.samples.values() for t, _ in samples) - uplink.begin
    x = lambda s: LEFT + s / seconds * (WIDTH - LEFT - RIGHT)
    y = lambda bps: TOP + (1 - bps / (1.15 * uplink.rate)) * (PANEL - TOP - BOTTOM)
    # Milliseconds, by their logarithm, from 0.01 to 1000.
    y_ms = (
        lambda ms: PANEL + TOP + (3 - min(max(math.log10(ms), -2), 3)) / 5 * (PANEL - TOP - BOTTOM)
    )
    parts = [
        f'<text x="{LEFT}" y="20" class="t">two downloads below one uplink of '
        f"{format_rate(uplink.rate)}</text>",
        f'<text x="{LEFT}" y="{PANEL + 20}" class="t">ping beside the download of a</text>',
    ]
    for step in range(5):
        bps = uplink.rate * step / 4
        parts.append(grid_line(y(bps), format_rate(bps) if bps else "0"))
    for ms in (0.01, 0.1, 1, 10, 100, 1000):
        parts.append(grid_line(y_ms(ms), f"{ms:g} ms"))
    for top in (0, PANEL):
        for second in range(0, int(seconds) + 1, 2):
            parts.append(
                f'<text x="{x(second):.1f}" y="{top + PANEL - 12}" class="a" '
                f'text-anchor="middle">{second} s</text>'
            )
    for phase in uplink.phases:
        middle = x((phase.begin + phase.end) / 2)
        parts.append(
            f'<text x="{middle:.1f}" y="{TOP + 4}" class="a" text-anchor="middle">'
            f"{html.escape(phase.label)}</text>"
        )
        for part in phase.wanted.values():
            parts.append(
                f'<line x1="{x(phase.begin):.1f}" x2="{x(phase.end):.1f}" '
                f'y1="{y(part * uplink.rate):.1f}" y2="{y(part * uplink.rate):.1f}" class="q"/>'
            )
    for name, kind in zip(uplink.samples, ("r", "o")):
        points = rate_points(uplink.samples[name], uplink.begin)
        line = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)
        parts.append(f'<polyline points="{line}" class="{kind}"/>')
    for pings, kind in zip(uplink.pings, ("o", "r")):
        for i, ms in enumerate(pings.times):
            at = pings.begin + i * uplink.PING_INTERVAL
            parts.append(
                f'<circle cx="{x(at):.1f}" cy="{y_ms(ms):.1f}" r="2.5" fill="none" class="{kind}"/>'
            )
        label_at = x(pings.begin + len(pings.times) * uplink.PING_INTERVAL / 2)
        parts.append(
            f'<text x="{label_at:.1f}" y="{PANEL + TOP + 14}" class="a" text-anchor="middle">'
            f"{html.escape(pings.label)}</text>"
        )
    names = [("r", "a, sent"), ("o", "b, sent"), ("q", "asked")]
    path.write_text(page(2 * PANEL + 30, "\n".join(parts), names))


def grid_line(y, label):
    return (
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="g"/>'
        f'<text x="{LEFT - 6}" y="{y + 4:.1f}" class="a" text-anchor="end">{label}</text>'
    )


def draw_rates(path, series, rate_bps):
    body = "\n".join(
        panel(label, meter, marks, rate_bps, i * PANEL)
        for i, (label, meter, marks) in enumerate(series)
    )
    names = [("o", "offered"), ("q", "asked"), ("r", "received")]
    path.write_text(page(PANEL * len(series) + 30, body, names))


def page(height, body, names):
    """`names`: class and text of each line of the legend."""
    legend_y = height - 10
    legend = "".join(
        f'<line x1="{LEFT + i * 150}" x2="{LEFT + 24 + i * 150}" y1="{legend_y - 4}" '
        f'y2="{legend_y - 4}" class="{name}"/>'
        f'<text x="{LEFT + 30 + i * 150}" y="{legend_y}" class="a">{text}</text>'
        for i, (name, text) in enumerate(names)
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" \
font-family="sans-serif">
<style>.t{{font-size:15px;font-weight:bold}} .a{{font-size:11px;fill:#444}} .g{{stroke:#ddd}}
polyline,line{{fill:none;stroke-width:1.6}} .o{{stroke:#e08214}} .q{{stroke:#333;\
stroke-dasharray:5 4}} .r{{stroke:#2166ac}}</style>
<rect width="{WIDTH}" height="{height}" fill="white"/>
{body}
{legend}
</svg>
"""
