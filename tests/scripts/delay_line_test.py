#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The delay line between two hosts on one cable: no packet is early, none is lost, each address's stay
in order, and what it has no line for is dropped and counted. BUILD"""
import os
import pathlib
import socket
import struct
import sys
import time
import types

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "system"))
import stage
from stage import check

import arrival_time
import namespace_link
from delay_line import TUN, DelayLine
from inside import inside
from namespace_link import Host, run

DELAYS = {"10.99.0.1": 80, "10.99.0.3": 0}  # ms
STRANGE = "10.99.0.9"
PORT = 7000
PACKETS = 300
SO_RCVBUFFORCE = 33
STAMP = struct.Struct("!Id")  # Number and the time at which it was sent.


class Cable:
    """Two hosts, whose interfaces are the ends of one veth."""

    def __init__(self):
        names = [f"drip{os.getpid() % 100000}-{side}" for side in ("left", "right")]
        self.left, self.right = (
            Host(name, f"10.99.0.{i + 1}", os.sched_getaffinity(0)) for i, name in enumerate(names)
        )

    def __enter__(self):
        try:
            self.left.make()
            self.right.make()
            run(
                *f"ip link add eth0 netns {self.left.name} type veth".split(),
                *f"peer name eth0 netns {self.right.name}".split(),
            )
            self.left.configure()
            self.right.configure()
            self.left.ip("address", "add", "10.99.0.3/24", "dev", "eth0")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.left.close()
        self.right.close()


def listen(host, address):
    with inside(host):
        into = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        into.bind((address, PORT))
    into.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)  # All come before one is read.
    arrival_time.ask_for(into)
    into.settimeout(60)
    return into


def expect(into, delay_ms):
    for wanted in range(PACKETS):
        data, control, _, _ = into.recvmsg(2048, 256)
        number, sent = STAMP.unpack_from(data)
        check(number == wanted, f"packet {number} came where {wanted} was expected")
        # Both by CLOCK_REALTIME, which a machine may set meanwhile, but not by milliseconds.
        took = 1e3 * (arrival_time.of(control) - sent)
        check(took > delay_ms - 1, f"packet {number} took {took} of {delay_ms} ms")


def main():
    if reason := namespace_link.cannot():
        stage.skip(reason)
    if not pathlib.Path("/dev/net/tun").exists():
        stage.skip("there is no /dev/net/tun")
    build = pathlib.Path(sys.argv[1])
    with Cable() as cable:
        sockets = {address: listen(cable.left, address) for address in DELAYS}
        with inside(cable.right):
            out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        line = DelayLine(build, types.SimpleNamespace(left=cable.left, right=cable.right), DELAYS)
        with line:
            cable.right.ip("route", "add", f"{STRANGE}/32", "dev", TUN, "src", "10.99.0.2")
            for number in range(PACKETS):
                for address in DELAYS:
                    out.sendto(STAMP.pack(number, time.time()) + bytes(1000), (address, PORT))
                time.sleep(0.0005)
            for _ in range(5):
                out.sendto(b"nobody", (STRANGE, PORT))
            for address, into in sockets.items():
                expect(into, DELAYS[address])
        print(line.result)
        check(line.result["passed"] == len(DELAYS) * PACKETS, f"not all passed: {line.result}")
        check(line.result["dropped"] == 5, f"five were for nobody: {line.result}")
        check(line.result["refused"] == 0, f"the kernel refused some: {line.result}")
        for each in (out, *sockets.values()):
            each.close()
        for bad in ("10.99.0.1", "10.99.0.1=", "nowhere=5", "10.99.0.1=-1", "10.99.0.1=5x"):
            done = run(
                *("ip", "netns", "exec", cable.right.name, line.program, "delay", "--tun", "d1"),
                *("--interface", "eth0", "--to-mac", "02:00:00:00:00:01", "--delay", bad),
                check=False,
            )
            check(done.returncode == 1 and bad in done.stderr, f"{bad}: {done}")


if __name__ == "__main__":
    try:
        main()
    except stage.Failure as failure:
        sys.exit(f"FAILED: {failure}")
    print("passed")
