# SPDX-License-Identifier: BSD-3-Clause
"""dripd between a DPDK device that generates packets and one that counts them. Needs no root."""
from backlog import backlog
from udp_frames import udp_frame, write_pcap

FRAME = 1490


class Flow:
    """What net_pcap replays in a loop, counted at the other device."""

    label, bucket, must_be_exact = "UDP, as fast as DPDK replays it", "udp", True

    def __init__(self, link):
        self.link = link

    def start(self):
        pass

    def port(self, name):
        return next(p for p in self.link.daemon.ctl("port", "list")["ports"] if p["name"] == name)

    # net_null counts packets only, and all are of one length.
    def received_bytes(self):
        return int(self.port("right")["tx_packets"]) * FRAME

    def offered_bytes(self):
        return int(self.port("left")["rx_packets"]) * FRAME

    def finish(self):
        pass


class Link:
    prefix = []
    never_rests = True
    description = "net_pcap (replays without end) -> dripd -> net_null (counts)"

    def __init__(self, scratch, rate_bps):
        self.scratch, self.rate_bps, self.kinds = scratch, rate_bps, ["pcap"]

    def __enter__(self):
        left, right = bytes((10, 99, 0, 1)), bytes((10, 99, 0, 2))
        frames = [udp_frame(FRAME, left, right, 1024 + i, 5201) for i in range(64)]
        write_pcap(self.scratch / "traffic.pcap", frames)
        return self

    def __exit__(self, *_):
        pass

    def next_kind(self):
        self.kinds.pop(0)
        return bool(self.kinds)

    def dripd_arguments(self):
        traffic = self.scratch / "traffic.pcap"
        return [
            "--port",
            f"left=net_pcap0,rx_pcap={traffic},infinite_rx=1",
            "--port",
            f"right=net_null0,size={FRAME},no-rx=1",
            "--pair",
            "left:right",
            "--mbufs",
            "16384",
            "--hugepages",
            "never",
        ]

    def attach(self, daemon):
        self.daemon = daemon
        daemon.ctl(
            "bucket",
            "set",
            "udp",
            "--rate",
            f"{self.rate_bps:.0f}bit",
            "--capacity",
            str(backlog(self.rate_bps)),
        )
        daemon.ctl("rule", "add", "udp", "--proto", "udp", "--bucket", "udp")

    def flows(self):
        yield Flow(self)

    def notes(self, _daemon):
        return []
