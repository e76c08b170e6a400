#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The tables of queue_delay.sh's figures: queue_delay_report.py QUEUE_DELAY.JSON prints the
Markdown."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lib"))
from machine import head
from markdown import table


class Figures:
    def __init__(self, result):
        self.rows, self.rate = result["rows"], result["rate_bps"]

    def find(self, what, queue, rtt):
        for row in self.rows:
            if (row["what"], row["queue"], row["rtt"]) == (what, queue, rtt):
                return row
        return None

    def tcp(self, row):
        if row is None:
            return "-"
        goodputs = [row["goodput"], *([row["back"]] if "back" in row else [])]
        parts = [", ".join(f"{100 * goodput / self.rate:.1f} %" for goodput in goodputs)]
        if not row["what"].startswith("1 "):
            parts += [f"{row['jain']:.4f}", f"{100 * row['farthest']:.1f} %"]
        return "; ".join([*parts, delays(row)])


def delays(row):
    return f"{row['p50']:.2f}, {row['p99']:.2f}"


def names(rows, field):
    """In the order in which they came."""
    return list(dict.fromkeys(row[field] for row in rows))


def markdown(result):
    figures = Figures(result)
    equal = [row for row in result["rows"] if isinstance(row["rtt"], int)]
    unequal = [row for row in result["rows"] if not isinstance(row["rtt"], int)]
    tcp = [what for what in names(equal, "what") if what not in ("alone", "flood")]
    lines = []
    for rtt in names(equal, "rtt"):
        for queue in names(equal, "queue"):
            alone = figures.find("alone", queue, rtt)
            flood = figures.find("flood", queue, rtt)
            cells = [queue, f"{rtt} ms", delays(alone)]
            cells.append(f"{100 * flood['came']:.1f} %; {delays(flood)}")
            cells += [figures.tcp(figures.find(what, queue, rtt)) for what in tcp]
            lines.append(cells)
    text = f"""# Delay and fairness of a bucket's queues

{head(result)}

{result["rate_bps"] / 1e6:g} Mbit/s, dripd on {result["device"]}, {result["each_seconds"]} s each. Delays are p50 and p99 in ms, from the
call that sends a packet to the receiving interface. *Alone*: those of the modest flows with nothing
beside them, which is what the path and the machine take. *Modest flows*: four of a tenth of the
rate each beside a flood of three times the rate: what came of the one that got least, and delays.
*TCP*: goodput of the rate (95.6 % is what headers leave; what waited at the beginning comes on top);
of several flows Jain's index and how far the farthest one is from their mean; delays of a flow of
100 short packets a second beside them. *4 + 4*: four flows each way at the same time.

"""
    header = ["queue", "RTT", "alone", "modest flows", *tcp]
    text += table(header, lines)
    if unequal:
        lines = []
        columns = names(unequal, "what")
        rtts = unequal[0]["rtt"]
        for queue in dict.fromkeys(row["queue"] for row in unequal):
            lines.append(
                [queue, *(figures.tcp(figures.find(what, queue, rtts)) for what in columns)]
            )
        text += f"\nHalf of the flows at {rtts[0]} ms, half at {rtts[1]} ms:\n\n"
        text += table(["queue", *columns], lines)
    latest = max((line.get("latest_ns", 0) for line in result["delay_lines"]), default=0)
    text += (
        f"\nA packet left the delay line {latest / 1e6:.1f} ms late at most; none was lost there.\n"
    )
    return text


if __name__ == "__main__":
    print(markdown(json.loads(pathlib.Path(sys.argv[1]).read_text())), end="")
