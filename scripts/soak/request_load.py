# SPDX-License-Identifier: BSD-3-Clause
"""Requests through buckets by gRPC: asked, awaited, cancelled; and how many turns a bucket gave."""
import importlib
import pathlib
import subprocess
import sys
import threading
import time

import grpc

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAY_END = (
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNAVAILABLE,  # It was killed, or a bucket of a cluster is closed.
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.ABORTED,
)


def make_api(directory):
    """What protoc makes of the API, imported."""
    protos = sorted((ROOT / "include/drip/v1").glob("*.proto"))
    plugin = "--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin"
    command = ["protoc", "-I", ROOT / "include", plugin, *protos]
    command += [f"--python_out={directory}", f"--grpc_python_out={directory}"]
    subprocess.run(command, check=True)
    sys.path.insert(0, str(directory))
    return importlib.import_module("drip.v1.rate_limiter_pb2"), importlib.import_module(
        "drip.v1.rate_limiter_pb2_grpc"
    )


class RequestLoad:
    """Clients of the nodes at `servers`, until the end of the block. Of `bucket`, which leaks at
    END, take() tells how many turns it gave."""

    def __init__(self, api, servers, bucket, random, journal, clients=4):
        self.messages, self.stubs = api
        self.servers, self.bucket, self.journal = servers, bucket, journal
        self.random, self.turns, self.lock = random, [], threading.Lock()
        self.since = time.monotonic()
        self.over = threading.Event()
        self.threads = [
            threading.Thread(target=self.run, args=(servers[i % len(servers)],))
            for i in range(clients)
        ]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def run(self, server):
        with grpc.insecure_channel(server) as channel:
            stub = self.stubs.RateLimiterServiceStub(channel)
            while not self.over.wait(0.01):
                try:
                    self.random.choice([self.ask, self.wait, self.wait, self.cancel])(stub)
                except grpc.RpcError as error:
                    self.journal.check(
                        error.code() in MAY_END, "requests end as they may", error.details()
                    )
                    if error.code() is grpc.StatusCode.UNAVAILABLE:
                        self.over.wait(0.2)

    def ask(self, stub):
        stub.AllowRequest(
            self.messages.AllowRequestRequest(bucket_id=self.bucket, peek=True), timeout=5
        )
        self.journal.add("requests asked", 1)

    def request(self):
        return self.messages.AwaitTurnRequest(bucket_id=self.bucket, release_on_cancel=True)

    def wait(self, stub):
        # What is counted must be known: the answer to a call that ends early would be lost.
        answer = stub.AwaitTurn(self.request(), timeout=60)
        if answer.allowed and not answer.dropped:
            with self.lock:
                self.turns.append(time.monotonic())
            self.journal.add("turns awaited", 1)

    def cancel(self, stub):
        call = stub.AwaitTurn.future(self.request(), timeout=60)
        time.sleep(self.random.uniform(0, 0.05))
        call.cancel()
        self.journal.add("waits cancelled", 1)

    def take(self):
        """How many turns came since the last call, and in how many seconds."""
        with self.lock:
            now = time.monotonic()
            taken, span = len(self.turns), now - self.since
            self.turns, self.since = [], now
        return taken, span
