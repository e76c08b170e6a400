# SPDX-License-Identifier: BSD-3-Clause
"""Draws offered and received rate over time as SVG, one panel a flow."""
import html

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
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(bps):.1f}" y2="{y(bps):.1f}" '
            f'class="g"/><text x="{LEFT - 6}" y="{y(bps) + 4:.1f}" class="a" '
            f'text-anchor="end">{format_rate(bps) if bps else "0"}</text>'
        )
    for second in range(int(seconds) + 1):
        parts.append(
            f'<text x="{x(second):.1f}" y="{top + PANEL - 12}" class="a" '
            f'text-anchor="middle">{second} s</text>'
        )
    for name, points in (("o", offered), ("q", asked), ("r", received)):
        if points:
            parts.append(f'<polyline points="{line(points)}" class="{name}"/>')
    return "\n".join(parts)


def draw_rates(path, series, rate_bps):
    height = PANEL * len(series) + 30
    body = "\n".join(
        panel(label, meter, marks, rate_bps, i * PANEL)
        for i, (label, meter, marks) in enumerate(series)
    )
    legend_y = height - 10
    legend = "".join(
        f'<line x1="{LEFT + i * 150}" x2="{LEFT + 24 + i * 150}" y1="{legend_y - 4}" '
        f'y2="{legend_y - 4}" class="{name}"/>'
        f'<text x="{LEFT + 30 + i * 150}" y="{legend_y}" class="a">{text}</text>'
        for i, (name, text) in enumerate((("o", "offered"), ("q", "asked"), ("r", "received")))
    )
    path.write_text(
        f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" \
font-family="sans-serif">
<style>.t{{font-size:15px;font-weight:bold}} .a{{font-size:11px;fill:#444}} .g{{stroke:#ddd}}
polyline,line{{fill:none;stroke-width:1.6}} .o{{stroke:#e08214}} .q{{stroke:#333;\
stroke-dasharray:5 4}} .r{{stroke:#2166ac}}</style>
<rect width="{WIDTH}" height="{height}" fill="white"/>
{body}
{legend}
</svg>
"""
    )
