# SPDX-License-Identifier: BSD-3-Clause
"""The table that leads the page: Drip beside its peers, from all.sh's figures."""
import statistics

from figures import count_text, middle


def figure(value, unit=""):
    digits = 0 if abs(value) >= 30 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 4
    return f"{value:,.{digits}f}{unit}"


def cost(rows):
    cycles = {
        (row["path"], row["buckets"]): middle(row["cycles"])
        for row in rows
        if row["order"] == "round-robin"
    }
    counts = [n for n in (1024, 65536) if ("librte_sched", n) in cycles]
    for path, what in (
        ("straight", "bucket idle, packet leaves at once"),
        ("scheduled", "packet waits on the timing wheel"),
    ):
        for n in counts:
            yield [
                f"cycles a packet, {count_text(n)} buckets, {what}",
                figure(cycles[path, n]),
                f"{figure(cycles['librte_sched', n])} (librte_sched)",
            ]


def trees(rows):
    cycles = {
        (row["bottleneck"], row["path"], row["leaves"]): middle(row["cycles"])
        for row in rows
        if row["levels"] == 3 and row["shape"].endswith("x 4")
    }
    for bottleneck, what in (
        ("idle", "path idle, packet leaves at once"),
        ("root", "root at the bottleneck"),
    ):
        for n in (1024, 65536):
            if (bottleneck, "librte_sched", n) in cycles:
                yield [
                    f"cycles a packet, tree of {count_text(n)} leaves, {what}",
                    figure(cycles[bottleneck, "drip", n]),
                    f"{figure(cycles[bottleneck, 'librte_sched', n])} (librte_sched)",
                ]


def throttled(rows):
    most = {
        (row["path"], row["buckets"]): middle(row["departed_mpps"])
        for row in rows
        if row["case"] == "most" and row["start"] == "staggered"
    }
    for n in (1024, 16384, 65536):
        if ("librte_sched", n) in most:
            yield [
                f"Mpps under twice the allowed load, {count_text(n)} buckets",
                figure(most["buckets", n]),
                (figure(most["librte_sched", n]) if most["librte_sched", n] else "none held")
                + " (librte_sched)",
            ]


def precision(rows):
    mine, peer = (
        next(
            (
                row
                for row in rows
                if row["path"] == path and row["rate"] == "1 Gbit/s" and not row["beside"]
            ),
            None,
        )
        for path in ("drip", "librte_sched")
    )
    if mine and peer:
        yield [
            "rate off by, one bucket of 1 Gbit/s",
            figure(abs(mine["rate_error_ppm"]), " ppm"),
            f"{figure(abs(peer['rate_error_ppm']), ' ppm')} (librte_sched)",
        ]
        yield [
            "gaps off by, the same, p99 without stalls of the machine",
            figure(mine["calm_p99_ns"], " ns"),
            f"{figure(peer['calm_p99_ns'], ' ns')} (librte_sched)",
        ]


def kernel(result):
    def best(prefix, n):
        return max(
            statistics.median(one["pps"] for one in row["rounds"])
            for row in result["throughput"]
            if row["shaper"].startswith(prefix) and row["buckets"] == n
        )

    counts = sorted({row["buckets"] for row in result["throughput"]})
    if 1024 in counts:
        yield [
            "thousand packets a second over veth, 1k classes or buckets",
            figure(best("dripd", 1024) / 1000),
            f"{figure(best('HTB', 1024) / 1000)} (tc HTB)",
        ]
    for rate in sorted({row["rate_bps"] for row in result["spacing"]}):
        errors = {
            row["shaper"]: [one["error_ns"] for one in row["rounds"]]
            for row in result["spacing"]
            if row["rate_bps"] == rate
        }
        for quantile in ("p50", "p99"):
            of = lambda name: statistics.median(one[quantile] for one in errors[name]) / 1000
            yield [
                f"gaps over veth at {rate / 1e6:.0f} Mbit/s off by, {quantile}",
                figure(of("dripd, af_xdp"), " us"),
                f"{figure(of('HTB'), ' us')} (tc HTB), {figure(of('TBF'), ' us')} (tc TBF)",
            ]


def control(rows):
    calls = {
        row["method"]: middle(row["calls_per_second"])
        for row in rows
        if row["case"] == "allow" and (row["connections"], row["outstanding"]) == (1, 64)
    }
    if "empty" in calls:
        yield [
            "calls a second, AllowRequest, one connection",
            figure(calls["AllowRequest"]),
            f"{figure(calls['empty'])} (a gRPC method that does nothing)",
        ]


def lines(results):
    """Of all results that are there: what, Drip's figure, the peer's."""
    table = []
    for name, show in (
        ("throttled", throttled),
        ("cost", cost),
        ("trees", trees),
        ("precision", precision),
        ("control", control),
    ):
        if results.get(name, {}).get("rows"):
            table += show(results[name]["rows"])
    if "kernel" in results:
        table += kernel(results["kernel"])
    return table
