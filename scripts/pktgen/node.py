# SPDX-License-Identifier: BSD-3-Clause
"""A dripd with vhost-user devices, measured by a tester on the same machine."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lib"))
from daemon import Daemon

TESTER_CPU, DUT_CPU = 0, 1
MBUFS = 65535


class Place:
    """Where dripd runs: in no namespace, with its files in a directory of its own."""

    prefix = []
    never_rests = False

    def __init__(self, scratch):
        self.scratch = scratch
        self.arguments = []

    def dripd_arguments(self):
        return self.arguments


class Node(Daemon):
    """A dripd with vhost-user devices and the given buckets and rules."""

    def __init__(self, build, place, ports, pairs, buckets):
        super().__init__(build, place, place.scratch / "dripd.log")
        config = place.scratch / "dripd.toml"
        config.write_text(buckets)
        place.arguments = [
            "--config",
            str(config),
            *ports,
            *pairs,
            "--cpus",
            str(DUT_CPU),
            "--mbufs",
            str(MBUFS),
        ]

    def __enter__(self):
        return self.start_or_fail()

    def counts(self):
        """Counters of the polling thread, with drops by reason."""
        lcore = self.ctl("lcore", "list")["lcores"][0]
        counts = {name: int(lcore.get(f"{name}_packets", 0)) for name in ("rx", "tx", "waiting")}
        counts["drops"] = {
            drop["reason"]: int(drop["packets"])
            for drop in lcore.get("drops", [])
            if int(drop["packets"])
        }
        return counts


def vhost(name, number, scratch):
    return ["--port", f"{name}=net_vhost{number},iface={scratch / name}.sock"]


def one_bucket(rate, capacity):
    return (
        f'default_bucket_id = "all"\n[[buckets]]\nbucket_id = "all"\n{rate}\n'
        f"capacity = {capacity}\n"
    )


def bits(rate):
    return f'leak_rate_bps = "{rate}"'


def per_flow(rate, flows, capacity):
    return (
        f'[[rules]]\nrule_id = "flows"\nmatch = {{ dst_prefix = "0.0.0.0/0" }}\n'
        f'[rules.per_flow]\nkey = "FLOW_KEY_DESTINATION"\nmax_flows = {flows}\n'
        f'bucket = {{ leak_rate_bps = "{rate}", capacity = {capacity} }}\n'
    )
