#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""dripctl capture on real frames: byte by byte as they were sent, those that were taken and those
that were rejected, read by tcpdump and scapy; bounded, and what was left out is counted."""
import json
import pathlib
import shutil
import subprocess
import tempfile
import time

import stage
from frames import IPV4, VLAN, ethernet, ipv4, pattern, udp
from packet_socket import PacketSocket
from stage import check, wait_until

CAPACITY = 8
SENT = 20
PORT = 9999


def frame(number, tags=()):
    """Each is another one, and of another length."""
    payload = udp(PORT, pattern(40 + 60 * number), 20000 + number)
    return ethernet(IPV4, ipv4("198.51.100.1", "203.0.113.9", payload), tags)


class Capture:
    """A dripctl capture that has begun."""

    def __init__(self, daemon, path, *flags):
        self.path = path
        self.process = subprocess.Popen(
            [daemon.dripctl, "--server", daemon.server, "--json", "capture", "-o", path, *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        # The file is made when dripd has begun.
        wait_until(
            lambda: path.exists() or self.process.poll() is not None, "the capture begins", 60
        )

    def result(self):
        out, err = self.process.communicate(timeout=60)
        check(self.process.returncode == 0, f"dripctl capture: {err}")
        return json.loads(out)


def read_by_scapy(path):
    from scapy.utils import RawPcapReader  # It is slow to load.

    reader = RawPcapReader(str(path))
    try:
        return [(data, meta.wirelen) for data, meta in reader]
    finally:
        reader.close()


def read_by_tcpdump(path):
    """Lines of text."""
    if shutil.which("tcpdump") is None:
        print("tcpdump is not installed: scapy alone reads the files")
        return None
    done = subprocess.run(
        ["tcpdump", "-r", path, "-n", "-tt", "--nano"], capture_output=True, text=True
    )
    check(done.returncode == 0, f"tcpdump: {done.stderr}")
    return done.stdout.splitlines()


def reject_reasons(result):
    return {reason: count for reason, count in result["outcomes"].items() if reason != "admitted"}


def test(build, kind):
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        with stage.raised(build, kind) as (link, daemon):
            daemon.ctl("bucket", "set", "b", "--rate", "1bit", "--capacity", str(CAPACITY))
            daemon.ctl("rule", "add", "udp", "--port", "left", "--proto", "udp", "--bucket", "b")
            with PacketSocket(link.left) as left:
                whole_frames(pathlib.Path(scratch), daemon, left)
                one_in_many(pathlib.Path(scratch), daemon, left)
                a_flow(pathlib.Path(scratch), daemon, left)
            a_bound_ends_it(pathlib.Path(scratch), daemon, link)
            daemon.ctl("bucket", "set", "b", "--rate", "1gbit")
            wait_until(lambda: not int(daemon.bucket("b")["queue_size"]), "b is empty", 60)


def whole_frames(scratch, daemon, left):
    """The first ones are taken, all others rejected: nothing leaves in time at 1 bit/s."""
    frames = [frame(number) for number in range(SENT - 1)] + [frame(19, [(VLAN, 5)])]
    capture = Capture(
        *(daemon, scratch / "all.pcap", "--bucket", "b", "--snap", "2000"),
        *("--for", "50s", "--count", str(SENT)),
    )
    begin = time.time()
    for one in frames:
        left.send(one)
    result = capture.result()
    got = read_by_scapy(capture.path)
    check([data for data, _ in got] == frames, "the frames are those that were sent")
    check(all(len(data) == length for data, length in got), "and whole")
    check(result["matched"] == result["captured"] == SENT, f"{result}")
    check(result["end"] == "CAPTURE_END_FRAMES", f"{result}")
    rejected = reject_reasons(result)
    check(set(rejected) == {"bucket_full"}, f"{result}")
    state = daemon.bucket("b")
    check(rejected["bucket_full"] == int(state["rejected_requests"]), f"{result}, {state}")
    check(result["outcomes"]["admitted"] == SENT - rejected["bucket_full"], f"{result}")
    if (lines := read_by_tcpdump(capture.path)) is not None:
        check(len(lines) == SENT and f".{PORT}: UDP" in lines[0], f"tcpdump read {lines}")
        times = [float(line.split()[0]) for line in lines]
        check(times == sorted(times), f"in order: {times}")
        check(begin - 1 < times[0] and times[-1] < time.time() + 1, f"{times} from {begin}")

    # The bucket is full: all of these are rejected, and cut.
    capture = Capture(
        *(daemon, scratch / "lost.pcap", "--bucket", "b", "--rejected", "--snap", "60"),
        *("--for", "50s", "--count", "5"),
    )
    sent = [frame(number) for number in range(10, 15)]
    for one in sent:
        left.send(one)
    result = capture.result()
    got = read_by_scapy(capture.path)
    check([data for data, _ in got] == [one[:60] for one in sent], "their first 60 bytes")
    check([length for _, length in got] == [len(one) for one in sent], "and their lengths")
    check(result["cut"] == 5 and set(result["outcomes"]) == {"bucket_full"}, f"{result}")


def one_in_many(scratch, daemon, left):
    """What is passed over is said."""
    capture = Capture(
        *(daemon, scratch / "some.pcap", "--bucket", "b", "--rejected", "--one-in", "10"),
        *("--for", "50s", "--count", "3"),
    )
    for number in range(30):
        left.send(frame(number % 20))
    result = capture.result()
    check(result["captured"] == 3 and result["matched"] == 30, f"{result}")
    check(result["passed_over"] == 27 and result["lost"] == 0, f"{result}")


def a_flow(scratch, daemon, left):
    """Of the buckets that a per-flow rule made one, until its flow is idle."""
    ours, other = "198.51.100.7", "198.51.100.8"

    def from_source(source, number):
        datagram = udp(PORT + 1, number.to_bytes(4, "big") + pattern(60))
        return ethernet(IPV4, ipv4(source, "203.0.113.9", datagram))

    daemon.ctl(
        *("rule", "add", "flows", "--proto", "udp", "--dst", "203.0.113.9", "--priority", "9"),
        *("--per-flow", "source", "--rate", "1gbit", "--capacity", "100", "--max-flows", "9"),
        *(
            "--idle-timeout",
            "5s",
        ),
    )
    name = f"flows/{ours}/32"
    refused = daemon.run_ctl("capture", "--bucket", name, "-o", str(scratch / "early.pcap"))
    check(f'no bucket or flow of a rule is named "{name}"' in refused.stderr, f"{refused.stderr}")
    for source in (ours, other):
        left.send(from_source(source, 0))
    wait_until(lambda: int(daemon.ctl("rule", "list")["rules"][0].get("flows", 0)) == 2, "2 flows")
    capture = Capture(daemon, scratch / "flow.pcap", "--bucket", name, "--for", "50s")
    for number in range(1, 6):
        left.send(from_source(other, number))
        left.send(from_source(ours, number))
    result = capture.result()
    check(result["end"] == "CAPTURE_END_BUCKET", f"{result}")
    got = [data for data, _ in read_by_scapy(capture.path)]
    check(got == [from_source(ours, number)[:128] for number in range(1, 6)], f"{len(got)} frames")


def a_bound_ends_it(scratch, daemon, link):
    """Without any traffic its time does; a second one is refused meanwhile."""
    capture = Capture(daemon, scratch / "none.pcap", "--bucket", "b", "--for", "3s")
    refused = daemon.run_ctl("capture", "--bucket", "b", "-o", str(scratch / "second.pcap"))
    check("are being captured" in refused.stderr, f"a second capture: {refused.stderr}")
    check(not (scratch / "second.pcap").exists(), "a refused capture makes no file")
    result = capture.result()
    check(result["end"] == "CAPTURE_END_TIME" and result["captured"] == 0, f"{result}")
    check(read_by_scapy(capture.path) == [], "an empty file can be read")


if __name__ == "__main__":
    stage.run(test)
