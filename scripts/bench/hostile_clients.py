# SPDX-License-Identifier: BSD-3-Clause
"""Clients that mean a dripd no good, each kind in a process of its own."""
import contextlib
import multiprocessing
import os
import socket
import threading
import time

import grpc

SERVICE = "/drip.v1.ShaperService/"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"  # RFC 9113, section 6.5: an empty frame.
WATCH_ALL = b"\x10\x64"  # WatchBucketsRequest: interval_ms 100.
HUGE = bytes(48 << 20)
PACE = {"huge messages": 30.0, "calls without a pause": 0.0}


def own_channel(address):
    """One with a connection of its own, which reads no more than it must."""
    return grpc.insecure_channel(
        address,
        options=[
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.http2.bdp_probe", 0),
            ("grpc.http2.lookahead_bytes", 1024),
            ("grpc.max_send_message_length", -1),
        ],
    )


class Kind:
    """`count` clients of one kind until stop(); `done` counts what they did."""

    def __init__(self, address, count, done, refused):
        host, port = address.rsplit(":", 1)
        self.address, self.end, self.count = address, (host, int(port)), count
        self.done, self.refused = done, refused
        self.over = threading.Event()

    def more(self, counter, by=1):
        with counter.get_lock():
            counter.value += by

    def half_open_connections(self):
        """They connect and say nothing; dripd closes them, and they come again."""
        open_ones = []
        while not self.over.wait(0.2):
            open_ones = [one for one in open_ones if not self.has_ended(one)]
            while len(open_ones) < self.count:
                open_ones.append(socket.create_connection(self.end, timeout=10))
                self.more(self.done)

    @staticmethod
    def has_ended(connection):
        connection.setblocking(False)
        try:
            while data := connection.recv(4096):
                pass
            return data == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def slow_bytes(self):
        """A byte of the preface and of settings at a time, once a second."""
        ones = []
        while not self.over.is_set():
            while len(ones) < self.count:
                ones.append([socket.create_connection(self.end, timeout=10), 0])
            for one in ones[:]:
                text = PREFACE + SETTINGS * 100
                try:
                    one[0].send(text[one[1] % len(text)].to_bytes(1, "big"))
                    one[1] += 1
                    self.more(self.done)
                except OSError:
                    ones.remove(one)
            self.over.wait(1)

    def unread_streams(self):
        """They watch all buckets and read nothing."""
        channels = [own_channel(self.address) for _ in range(self.count)]
        calls = []
        for channel in channels:
            calls.append(channel.unary_stream(SERVICE + "WatchBuckets")(WATCH_ALL))
            self.more(self.done)
        self.over.wait()
        for call in calls:
            call.cancel()

    def calling(self, method, body):
        """Threads that call in turns with `count` connections."""
        channels = [own_channel(self.address) for _ in range(self.count)]

        def run(mine):
            while True:
                for channel in mine:
                    if self.over.wait(PACE.get(self.name, 0) / len(mine)):
                        return
                    try:
                        call = channel.unary_unary(SERVICE + method).future(body, timeout=30)
                        while not (call.done() or self.over.wait(0.01)):
                            pass
                        if not call.done():
                            call.cancel()
                            return
                        self.more(self.done)
                        call.result()
                    except grpc.RpcError as error:
                        exhausted = error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
                        self.more(self.refused, int(exhausted))

        threads = [threading.Thread(target=run, args=(channels[i::4],)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def huge_messages(self):
        self.calling("SetRules", HUGE)

    def calls_without_a_pause(self):
        self.calling("GetNode", b"")

    def idle_connections(self):
        """Ten times as many, which have begun and do nothing."""
        ones = []
        for _ in range(10 * self.count):
            with contextlib.suppress(OSError):
                ones.append(socket.create_connection(self.end, timeout=10))
                ones[-1].sendall(PREFACE + SETTINGS)
                self.more(self.done)
        self.over.wait()

    def run(self, name, stop):
        self.name = name
        os.nice(19)  # The machine's CPUs are not what is measured.
        threading.Thread(target=lambda: (stop.wait(), self.over.set()), daemon=True).start()
        getattr(self, name.replace(" ", "_").replace("-", "_"))()


KINDS = (
    "half-open connections",
    "slow bytes",
    "unread streams",
    "huge messages",
    "calls without a pause",
)


class HostileClients:
    """`clients` of them, a part of each kind, and ten times as many idle connections, until the end
    of the block."""

    def __init__(self, address, clients, cpus):
        self.address, self.clients, self.cpus = address, clients, cpus
        self.counts = {}

    def __enter__(self):
        # Each process has threads of gRPC: none may be there when it begins.
        context = multiprocessing.get_context("spawn")
        self.stop, self.processes = context.Event(), []
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, self.cpus)
        for name in (*KINDS, "idle connections"):
            count = self.clients if name.startswith("idle") else self.clients // len(KINDS)
            done, refused = context.Value("Q"), context.Value("Q")
            self.counts[name] = (done, refused)
            kind = (self.address, count, done, refused)
            process = context.Process(target=run_kind, args=(kind, name, self.stop))
            process.start()
            self.processes.append(process)
        os.sched_setaffinity(0, before)
        return self

    def wait_until_busy(self, seconds=120):
        """Until each kind has done something, and all connections are there."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            done = {name: done.value for name, (done, _) in self.counts.items()}
            if all(done.values()) and done["idle connections"] >= 0.99 * 10 * self.clients:
                return
            time.sleep(0.2)
        raise SystemExit(f"after {seconds} s the clients have done no more than {done}")

    def __exit__(self, *_):
        self.stop.set()
        for process in self.processes:
            process.join(60)
            if process.is_alive():
                process.kill()
                process.join()

    def result(self):
        return {name: [done.value, refused.value] for name, (done, refused) in self.counts.items()}


def run_kind(kind, name, stop):
    Kind(*kind).run(name, stop)
