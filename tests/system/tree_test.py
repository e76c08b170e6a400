#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Two customers below one uplink, on real packets: guarantees hold, what is left goes by weight,
priority comes first; and the tree changes while traffic flows."""
import time

import stage
from packet_socket import PacketSocket
from stage import check, wait_until
from udp_load import UdpLoad, shares

UPLINK = 8_000_000
SECONDS = 2.0
ERROR = 0.02  # Over two seconds, on a machine that does other things, too.


def expect(got, wanted, when):
    total = sum(got.values())
    text = ", ".join(f"{port}: {rate / 1e6:.3f}" for port, rate in got.items())
    print(f"{when}: {text} Mbit/s, together {total / 1e6:.3f}")
    check(abs(total / sum(wanted.values()) - 1) < ERROR, f"{when}: {total} bit/s in all")
    for port, rate in wanted.items():
        check(abs(got[port] - rate) < ERROR * UPLINK, f"{when}: port {port} got {got[port]}")


def test(build, kind):
    with stage.raised(build, kind) as (link, daemon):
        daemon.ctl("bucket", "set", "uplink", "--inner", "--rate", f"{UPLINK}bit")
        ports = {"a": 7001, "b": 7002}
        for name, port in ports.items():
            daemon.ctl(
                *("bucket", "set", name, "--parent", "uplink", "--rate", f"{UPLINK}bit"),
                *("--capacity", "200"),
            )
            daemon.ctl(
                *("rule", "add", name, "--port", "left", "--proto", "udp"),
                *("--dport", str(port), "--bucket", name),
            )
        a, b = ports.values()
        with PacketSocket(link.right) as right, UdpLoad(link, [a, b], 3 * UPLINK):
            time.sleep(0.5)
            expect(shares(right, (a, b), SECONDS), {a: UPLINK / 2, b: UPLINK / 2}, "equal weights")

            daemon.ctl("bucket", "set", "a", "--weight", "3")
            time.sleep(0.3)
            expect(
                shares(right, (a, b), SECONDS),
                {a: UPLINK * 3 / 4, b: UPLINK / 4},
                "weights 3 and 1",
            )

            daemon.ctl("bucket", "set", "b", "--guarantee", "5mbit")
            time.sleep(0.3)
            expect(shares(right, (a, b), SECONDS), {a: 3e6, b: 5e6}, "b is guaranteed 5 Mbit/s")

            daemon.ctl("bucket", "set", "b", "--guarantee", "1mbit", "--priority", "0")
            daemon.ctl("bucket", "set", "a", "--priority", "1")
            time.sleep(0.3)
            expect(
                shares(right, (a, b), SECONDS),
                {a: 7e6, b: 1e6},
                "a comes first, b has its guarantee",
            )

            daemon.ctl("bucket", "set", "a", "--rate", "2mbit", "--tolerance", "20ms")
            time.sleep(0.3)
            expect(shares(right, (a, b), SECONDS), {a: 2e6, b: 6e6}, "a has a ceiling")

            # A node above both, with what waits in them.
            daemon.ctl("bucket", "set", "site", "--inner", "--parent", "uplink", "--rate", "4mbit")
            for name in ports:
                daemon.ctl("bucket", "set", name, "--parent", "site", "--guarantee", "0bit")
            time.sleep(0.3)
            expect(
                shares(right, (a, b), SECONDS), {a: 2e6, b: 2e6}, "moved below a site of 4 Mbit/s"
            )

            nodes = {node["bucket_id"]: node for node in daemon.ctl("tree")["nodes"]}
            check(set(nodes) == {"uplink", "site", "a", "b"}, f"nodes of the tree: {set(nodes)}")
            site = nodes["site"]["processed_bps"]
            check(abs(site - 4e6) < 0.1 * 4e6, f"the tree shows {site} bit/s at the site")
            check(nodes["b"]["blocked_by"] in ("site", "siblings"), f"b waits: {nodes['b']}")
            check(nodes["uplink"]["backlog"] > 0, f"the uplink's backlog: {nodes['uplink']}")

            refused = daemon.run_ctl("bucket", "delete", "uplink")
            check("has 1 child" in refused.stderr, f"deleted a node with a child: {refused.stderr}")
            daemon.ctl("rule", "delete", "a")
            daemon.ctl("rule", "delete", "b")

            # A bucket for each flow, below the uplink; then all of them below the site.
            per_flow = (
                *("rule", "add", "flows", "--port", "left", "--proto", "udp"),
                *("--per-flow", "five-tuple", "--max-flows", "16", "--capacity", "200"),
                *("--rate", f"{UPLINK}bit"),
            )
            daemon.ctl(*per_flow, "--parent", "uplink")
            time.sleep(0.3)
            expect(
                shares(right, (a, b), SECONDS),
                {a: UPLINK / 2, b: UPLINK / 2},
                "flows below the uplink",
            )
            daemon.ctl(*per_flow, "--parent", "site", "--weight", "2")
            time.sleep(0.3)
            expect(shares(right, (a, b), SECONDS), {a: 2e6, b: 2e6}, "flows moved below the site")
            (flows,) = daemon.ctl("tree")["flow_rules"]
            check(int(flows["flows"]) == 2, f"flows of the rule: {flows}")
            refused = daemon.run_ctl("bucket", "delete", "uplink", "--recursive")
            check("the flows of rule" in refused.stderr, f"deleted a parent: {refused.stderr}")
            daemon.ctl("rule", "delete", "flows")
            daemon.ctl("bucket", "delete", "uplink", "--recursive", "--drop")
        wait_until(lambda: not daemon.ctl("tree")["nodes"], "the tree is gone")


if __name__ == "__main__":
    stage.run(test)
