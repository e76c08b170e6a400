#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A real Prometheus scrapes a dripd that forwards: PromQL says what dripctl says and what arrived."""
import json
import pathlib
import subprocess
import time

import prometheus
import stage
from namespace_link import run
from prometheus import Prometheus
from stage import check, wait_until
from udp_stream import UdpStream

PACKETS_PER_SECOND = 2000  # 24 Mbit/s into 12.
SECONDS = 4


def test(build, kind):
    if reason := prometheus.cannot():
        stage.skip(reason)
    ways = ("--pair", "left:right", "--metrics", str(prometheus.METRICS_PORT))
    with stage.raised(build, kind, ways=ways) as (link, daemon):
        middle = link.names[2]
        run("ip", "-netns", middle, "link", "set", "lo", "up")
        daemon.ctl("bucket", "set", "up", "--inner", "--rate", "100mbit")
        daemon.ctl("bucket", "set", "udp", "--rate", "12mbit", "--capacity", "50", "--parent", "up")
        daemon.ctl("bucket", "set", "idle", "--rate", "1kpps", "--capacity", "50")
        daemon.ctl("rule", "add", "udp", "--proto", "udp", "--bucket", "udp")
        with Prometheus(link.scratch, middle) as server:
            with UdpStream(link, PACKETS_PER_SECOND) as stream:
                time.sleep(SECONDS)
                stream.stop_sending()
                daemon.balance()
                time.sleep(0.5)
            a_scrape_after_all(server, daemon)
            buckets_are_those_of_dripctl(server, daemon)
            what_was_sent_has_arrived(server, len(stream.received), stream.sent)
            ports_and_lcores_are_those_of_dripctl(server, daemon)
            calls_are_counted(server, daemon)
            the_tree_is_in_the_labels(server)
            the_server_takes_all_of_it(server)
            the_dashboard_can_be_drawn(server)
        both_formats_are_well_formed(middle)


def a_scrape_after_all(server, daemon):
    """Waits for one that began after now."""
    begun = time.time()
    wait_until(
        lambda: (server.value('timestamp(up{job="drip"})') or 0) > begun + 0.1,
        "a scrape after the traffic",
        30,
    )


def buckets_are_those_of_dripctl(server, daemon):
    for name in ("udp", "idle"):
        bucket = daemon.bucket(name)
        is_what = {
            "drip_bucket_sent_packets_total": bucket["processed_requests"],
            "drip_bucket_sent_bytes_total": bucket["processed_bytes"],
            "drip_bucket_admitted_packets_total": bucket["allowed_requests"],
            "drip_bucket_rejected_bytes_total": bucket["rejected_bytes"],
            "drip_bucket_backlog_packets": bucket["queue_size"],
            "drip_bucket_queue_limit_packets": bucket["capacity"],
            "drip_bucket_sojourn_seconds_count": sum(map(int, bucket["sojourn"]["counts"])),
            "drip_bucket_lateness_seconds_count": sum(map(int, bucket["lateness"]["counts"])),
        }
        for family, wanted in is_what.items():
            got = server.value(f'{family}{{bucket="{name}"}}')
            check(got == int(wanted), f"{family} of {name}: {got}, and dripctl has {wanted}")
        reasons = dict(
            (labels["reason"], value)
            for labels, value in server.series(
                f'drip_bucket_rejected_packets_total{{bucket="{name}"}}'
            )
        )
        check(reasons["full"] == int(bucket["rejected_full"]), f"rejected: {reasons}")
        check(sum(reasons.values()) == int(bucket["rejected_requests"]), f"rejected: {reasons}")
        sojourn = server.value(f'drip_bucket_sojourn_seconds_sum{{bucket="{name}"}}')
        check(abs(sojourn - int(bucket["sojourn"]["sum_ns"]) / 1e9) < 1e-9, f"sum {sojourn}")
    bound = server.value('drip_bucket_ceiling_bytes_per_second{bucket="udp"}')
    check(bound == 1_500_000, f"the ceiling is {bound}")


def what_was_sent_has_arrived(server, received, sent):
    told = server.value('drip_bucket_sent_packets_total{bucket="udp"}')
    check(told == received, f"{told} were sent by metrics, {received} arrived")
    offered = server.value(
        'drip_bucket_admitted_packets_total{bucket="udp"}'
        ' + on (bucket) sum by (bucket) (drip_bucket_rejected_packets_total{bucket="udp"})'
    )
    check(offered == sent, f"{offered} were offered by metrics, {sent} were sent")
    check(server.value("increase(drip_bucket_sent_packets_total{bucket='udp'}[1m]) > 0"), "no rate")
    late = server.value('histogram_quantile(0.5, drip_bucket_sojourn_seconds_bucket{bucket="udp"})')
    # 50 packets of 1 ms wait.
    check(0.001 < late < 0.25, f"the median sojourn is {late} s")


def ports_and_lcores_are_those_of_dripctl(server, daemon):
    for port in daemon.ctl("port", "list")["ports"]:
        name, unknown = port["name"], port["unknown_counters"]
        check(server.value(f'drip_port_up{{port="{name}"}}') == 1, f"{name} is not up")
        for field, family in (
            ("rx_packets", "received_packets"),
            ("tx_packets", "sent_packets"),
            ("rx_missed", "missed_packets"),
            ("rx_no_mbuf", "no_buffer_packets"),
        ):
            got = server.value(f'drip_port_{family}_total{{port="{name}"}}')
            if field in unknown:
                check(got is None, f"{family} of {name} is {got} though nobody knows it")
            else:
                # A neighbour solicitation may have come since.
                check(abs(got - int(port[field])) <= 3, f"{family}: {got}, not {port[field]}")
    rejected = sum(int(b["rejected_requests"]) for b in map(daemon.bucket, ("udp", "idle")))
    dropped = server.value('sum(drip_lcore_dropped_packets_total{reason="bucket_full"})')
    check(dropped == rejected, f"lcores dropped {dropped}, buckets rejected {rejected}")
    late = server.value("sum(drip_lcore_lateness_seconds_count)")
    check(late == server.value('drip_bucket_sent_packets_total{bucket="udp"}'), f"lateness: {late}")


def calls_are_counted(server, daemon):
    calls = 'drip_rpc_calls_total{method="ShaperService/GetNode",code="OK"}'
    before = server.value(calls)
    daemon.ctl("node", "show")
    a_scrape_after_all(server, daemon)
    check(server.value(calls) == before + 1, f"{calls}: {before}, then {server.value(calls)}")
    daemon.run_ctl("bucket", "show", "nobody")
    a_scrape_after_all(server, daemon)
    check(server.value('sum(drip_rpc_calls_total{code="NOT_FOUND"})') == 1, "NOT_FOUND")


def the_tree_is_in_the_labels(server):
    got = server.value(
        "drip_bucket_sent_bytes_total * on (instance, bucket) group_left () "
        'drip_bucket_info{parent="up"}'
    )
    check(got == server.value('drip_bucket_sent_bytes_total{bucket="udp"}'), f"child of up: {got}")
    check(got == server.value('drip_bucket_sent_bytes_total{bucket="up"}'), "the parent's bytes")


def the_server_takes_all_of_it(server):
    target = server.ask("targets")["activeTargets"][0]
    check(target["health"] == "up" and not target["lastError"], f"target: {target}")
    check(server.value("min_over_time(up[1m])") == 1, "a scrape failed")


def the_dashboard_can_be_drawn(server):
    path = pathlib.Path(__file__).parents[2] / "scripts/packaging/monitoring/drip-dashboard.json"
    empty = []
    for panel in json.loads(path.read_text())["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"]
            variables = {"$__rate_interval": "1m", "$instance": ".*", "$bucket": ".*"}
            for variable, value in (*variables.items(), ("$parent", "up")):
                expression = expression.replace(variable, value)
            # Fails if series of both sides do not match one to one.
            if not server.series(expression) and " > 0" not in expression:
                empty.append(f"{panel['title']}: {expression}")
    of_others = ("drip_cluster_", "drip_bucket_demand", 'sharing="split"', "no_buffer")
    empty = [one for one in empty if not any(other in one for other in of_others)]
    check(not empty, "nothing to be drawn: " + ", ".join(empty))


def both_formats_are_well_formed(namespace):
    text = prometheus.scrape(namespace)
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True
    )
    check(checked.returncode == 0 and not checked.stderr, f"promtool: {checked.stderr}")
    open_metrics = prometheus.scrape(namespace, "application/openmetrics-text; version=1.0.0")
    check(open_metrics.endswith("\n# EOF\n"), "OpenMetrics has no end")
    names = lambda text: {line.split("{")[0].split(" ")[0] for line in text.splitlines()} - {"#"}
    check(names(text) == names(open_metrics), "the formats have different series")


if __name__ == "__main__":
    stage.run(test)
