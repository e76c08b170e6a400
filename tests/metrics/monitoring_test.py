#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The alert rules and the dashboard: well formed, tried, and of families that there are.
ROOT DESCRIBE_FAMILIES"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77  # What meson takes for "not possible here".
NAME = re.compile(r"\b((?:drip|process)_[a-z_]+)\b")
OF_HISTOGRAMS = ("_bucket", "_sum", "_count")
# What Grafana puts in for its variables.
VARIABLES = {"$__rate_interval": "1m", "$instance": ".*", "$bucket": ".*", "$parent": "up"}


def promtool(*arguments, cwd=None):
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, cwd=cwd)
    text = done.stdout + done.stderr
    return "" if done.returncode == 0 else f"promtool {' '.join(map(str, arguments))}:\n{text}"


def families(describe):
    """The names that series have: those of histograms with their endings."""
    printed = subprocess.run([describe], check=True, capture_output=True, text=True).stdout
    names = set()
    for name, kind in re.findall(r"^\| `(\w+)` \| (\w+) \|", printed, re.M):
        names |= {name + ending for ending in OF_HISTOGRAMS} if kind == "histogram" else {name}
    return names


def expressions_of_dashboard(board):
    """Of its panels, and what its variables ask for."""
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            selector = re.fullmatch(r"label_values\((.*), \w+\)", variable["query"]["query"])[1]
            yield f"${variable['name']}", selector


def layout_errors(board):
    taken = {}
    for panel in board["panels"]:
        at = panel["gridPos"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                if x >= 24 or (x, y) in taken:
                    yield f"panel {panel['title']} lies on {taken.get((x, y), 'the edge')}"
                    return
                taken[x, y] = panel["title"]
    ids = [panel["id"] for panel in board["panels"]]
    if len(ids) != len(set(ids)):
        yield "two panels have one id"


def dashboard_rules(expressions):
    """A file of recording rules, so that promtool reads every expression."""
    lines = ["groups:", "  - name: dashboard", "    rules:"]
    for number, (_, expression) in enumerate(expressions):
        for variable, value in VARIABLES.items():
            expression = expression.replace(variable, value)
        lines.append(f"      - {{record: r{number}, expr: {json.dumps(expression)}}}")
    return "\n".join(lines) + "\n"


def main():
    root, describe = pathlib.Path(sys.argv[1]), sys.argv[2]
    if shutil.which("promtool") is None:
        print("promtool is not installed (package prometheus)")
        sys.exit(SKIPPED)
    monitoring = root / "scripts/packaging/monitoring"
    alerts = (monitoring / "drip-alerts.yml").read_text()
    tried = (root / "tests/metrics/alerts_test.yml").read_text()
    board = json.loads((monitoring / "drip-dashboard.json").read_text())
    shown = list(expressions_of_dashboard(board))

    errors = [f"dashboard: {error}" for error in layout_errors(board)]
    known = families(describe)
    used = {("alerts", name) for name in NAME.findall(alerts)}
    used |= {(title, name) for title, expression in shown for name in NAME.findall(expression)}
    errors += [f"{place}: there is no {name}" for place, name in sorted(used) if name not in known]
    for alert in re.findall(r"alert: (\w+)", alerts):
        for what in ("fires", "is quiet"):
            if f"name: {alert} {what}\n" not in tried:
                errors.append(f"alerts_test.yml does not try that {alert} {what}")
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        scratch = pathlib.Path(scratch)
        (scratch / "drip-alerts.yml").write_text(alerts)
        (scratch / "alerts_test.yml").write_text(tried)
        (scratch / "dashboard.yml").write_text(dashboard_rules(shown))
        errors.append(promtool("check", "rules", "drip-alerts.yml", cwd=scratch))
        errors.append(promtool("check", "rules", "dashboard.yml", cwd=scratch))
        errors.append(promtool("test", "rules", "alerts_test.yml", cwd=scratch))
    if any(errors) or len(shown) < 30 or len(used) < 60:
        sys.exit("FAILED:\n" + "\n".join(filter(None, errors)))
    print(f"{len(shown)} expressions of the dashboard, {alerts.count('alert: ')} alerts")


if __name__ == "__main__":
    main()
