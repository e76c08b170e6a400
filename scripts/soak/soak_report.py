# SPDX-License-Identifier: BSD-3-Clause
"""A soak's result as Markdown, and the resources of its processes over time as SVG."""
import html

from markdown import table

WIDTH, PANEL, LEFT, TOP, RIGHT, BOTTOM = 860, 150, 80, 30, 20, 30


def markdown(result):
    minutes = result["seconds"] / 60
    lines = [
        f"{minutes:.0f} minutes, {result['date']}, `{result['command']}`, commit "
        f"{result['commit']}, seed {result['seed']}; {result['machine']}, Linux "
        f"{result['kernel']}, load average at the end {result['load']:.1f}.",
        "",
        f"**{len(result['findings'])} findings** in {result['episodes']} episodes.",
    ]
    lines += [f"- {seconds / 60:.1f} min: {text}" for seconds, text in result["findings"]]
    lines += [f"- not possible here: {what}: {why}" for what, why in result["skipped"].items()]
    parts = {"checks": "checked", "faults": "faults", "changes": "changes"}
    for part, title in parts.items():
        rows = [[name, f"{count:,}"] for name, count in sorted(result["counts"][part].items())]
        lines += ["", table([title, "times"], rows).rstrip()]
    rows = [[name, f"{count:,}"] for name, count in sorted(result["totals"].items())]
    lines += ["", table(["passed through", "number"], rows).rstrip()]
    return "\n".join(lines) + "\n"


def draw(result):
    """Resident memory, threads and open files: a line for each life of a process."""
    samples = result["resources"]
    seconds = max([1] + [sample[0] for sample in samples])
    panels = (("resident memory, MiB", 2, 1 << 20), ("threads", 3, 1), ("open files", 4, 1))
    parts = []
    x = lambda t: LEFT + t / seconds * (WIDTH - LEFT - RIGHT)
    for number, (title, field, unit) in enumerate(panels):
        top = number * PANEL
        highest = 1.15 * max([1] + [sample[field] / unit for sample in samples])
        y = lambda value: top + TOP + (1 - value / highest) * (PANEL - TOP - BOTTOM)
        parts.append(f'<text x="{LEFT}" y="{top + 18}" class="t">{html.escape(title)}</text>')
        for step in range(3):
            value = highest / 1.15 * step / 2
            parts.append(
                f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" '
                f'class="g"/><text x="{LEFT - 8}" y="{y(value) + 4:.1f}" class="a" '
                f'text-anchor="end">{value:,.0f}</text>'
            )
        lines = {}
        for sample in samples:
            lines.setdefault(sample[1], []).append((sample[0], sample[field] / unit))
        for points in lines.values():
            dots = [f'<circle cx="{x(t):.1f}" cy="{y(v):.1f}" r="2"/>' for t, v in points]
            parts += dots
    for minute in range(0, int(seconds / 60) + 1, max(1, int(seconds / 600))):
        parts.append(
            f'<text x="{x(60 * minute):.1f}" y="{3 * PANEL - 8}" class="a" '
            f'text-anchor="middle">{minute} min</text>'
        )
    style = (
        "text{font:13px sans-serif;fill:#222}.t{font-weight:bold}.a{font-size:11px;fill:#666}"
        ".g{stroke:#ddd}circle{fill:#2b6cb0}"
        "@media(prefers-color-scheme:dark){text{fill:#ddd}.a{fill:#999}.g{stroke:#444}}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {3 * PANEL}">'
        f"<style>{style}</style>{''.join(parts)}</svg>\n"
    )
