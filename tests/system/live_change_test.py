#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Rates, capacities and rules change under UDP load: nothing is lost but what a bucket rejects."""
import json
import time

import stage
from stage import check
from udp_stream import UdpStream

PACKETS_PER_SECOND = 2000  # 24 Mbit/s.


def rule_set(bucket, others=0):
    """The UDP rule, among others that take nothing."""
    rules = [
        {
            "rule_id": f"other-{i}",
            "priority": 9,
            "drop": True,
            "match": {"src_prefix": f"192.0.2.{i}"},
        }
        for i in range(others)
    ]
    rules.append({"rule_id": "udp", "match": {"ip_protocol": 17}, "bucket_id": bucket})
    return {"rules": rules}


def test(build, kind):
    with stage.raised(build, kind) as (link, daemon):
        rules_file = link.scratch / "rules.json"

        def set_rules(*arguments):
            rules_file.write_text(json.dumps(rule_set(*arguments)))
            daemon.ctl("rule", "set", str(rules_file))

        def set_bucket(name, *settings):
            daemon.ctl("bucket", "set", name, *settings)

        # Long enough to take in what comes while one is full: both kinds of outcome are there.
        set_bucket("a", "--rate", "12mbit", "--capacity", "100")
        set_bucket("b", "--rate", "30mbit", "--capacity", "300")
        set_rules("a")
        changes = (
            lambda: set_bucket("a", "--rate", "6mbit"),
            lambda: set_rules("b"),
            lambda: set_bucket("a", "--rate", "18mbit"),
            lambda: set_rules("a", 200),
            lambda: set_bucket("a", "--capacity", "10"),
            lambda: set_bucket("a", "--capacity", "400"),
            lambda: set_bucket("a", "--rate", "1kpps"),
            lambda: set_bucket("a", "--rate", "0bit"),
            lambda: set_rules("b", 5),
            lambda: set_bucket("b", "--rate", "1mbit", "--rate", "5kpps"),
            lambda: set_bucket("b", "--rate", "40mbit"),
            lambda: set_rules("a"),
        )
        with UdpStream(link, PACKETS_PER_SECOND) as stream:
            for change in changes:
                time.sleep(0.5)
                change()
            time.sleep(0.5)
            stream.stop_sending()
            balance = daemon.balance()
            time.sleep(0.5)

        hits = next(
            int(rule["packets"])
            for rule in daemon.ctl("rule", "list")["rules"]
            if rule["rule"]["rule_id"] == "udp"
        )
        buckets = [daemon.bucket(name) for name in ("a", "b")]
        total, rejected, processed, dropped = (
            sum(int(bucket[field]) for bucket in buckets)
            for field in (
                "total_requests",
                "rejected_requests",
                "processed_requests",
                "dropped_requests",
            )
        )
        received = len(stream.received)
        print(
            f"{kind}: {stream.sent} sent, {hits} came to the rule, {total} to the buckets, "
            f"{rejected} rejected, {processed} processed, {received} received"
        )
        check(balance.waiting == 0, f"packets still wait: {balance.text}")
        check(rejected > 0, "the load was too low to say anything")
        check(dropped == 0, f"{dropped} were dropped after they had been admitted")
        check(stream.sent == hits == total, "packets were lost before a bucket saw them")
        check(total == processed + rejected, "the buckets' counts do not add up")
        check(received == len(set(stream.received)) == processed, "packets were lost behind them")


if __name__ == "__main__":
    stage.run(test)
