#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The shares of so many buckets that one message could not hold them: dripctl shows all of them,
page by page. BUILD: the build directory."""
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import stage
from split_packets_test import Redis
from stage import check, wait_until

MESSAGE_BYTES = 4 << 20  # What a client of gRPC takes.
BUCKETS = 35_000
NAME = "x" * 122  # With names of 128 bytes the names alone are more.


def names():
    return [f"{NAME}{number:06}" for number in range(BUCKETS)]


def write_file(path):
    """All buckets, which the first node puts into the empty Redis."""
    bucket = (
        '[[buckets]]\nbucket_id = "{}"\ncapacity = 4\nleak_rate = 10\nscope = "SCOPE_CLUSTER"\n'
        'sharing = "SHARING_SPLIT"\n'
    )
    path.write_text("".join(bucket.format(name) for name in names()))


class Node:
    def __init__(self, build, directory, redis, number):
        self.dripctl = build / "src/cli/dripctl"
        self.server = f"unix:{directory}/n{number}.sock"
        self.log = directory / f"n{number}.log"
        flags = ["--max-buckets", str(2 * BUCKETS), "--ring-memory", "64mib"]
        if number == 1:
            flags += ["--config", str(directory / "dripd.toml")]
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [build / "src/daemon/dripd", "--listen", self.server, "--node-id", f"n{number}"]
                + ["--cluster", f"unix://{redis.socket}", *flags],
                stdout=log,
                stderr=log,
                process_group=0,
            )

    def shares(self, *flags):
        """What `dripctl cluster shares` prints; nothing while it cannot."""
        done = subprocess.run(
            [self.dripctl, "--server", self.server, "--json", "cluster", "shares", *flags],
            capture_output=True,
            text=True,
        )
        return json.loads(done.stdout)["buckets"] if done.returncode == 0 and done.stdout else []

    def close(self):
        self.process.kill()
        self.process.wait()


def test(build, directory):
    write_file(directory / "dripd.toml")
    with contextlib.ExitStack() as stack:
        redis = Redis(directory)
        stack.callback(redis.kill)
        nodes = []
        for number in (1, 2):
            nodes.append(Node(build, directory, redis, number))
            stack.callback(nodes[-1].close)
            try:
                wait_until(lambda: len(nodes[-1].shares()) == BUCKETS, "all shares are there", 120)
            except stage.Failure:
                print(nodes[-1].log.read_text()[-3000:])
                raise
        wanted = set(names())
        for node in nodes:
            begin = time.monotonic()
            shares = node.shares()
            listed = [bucket["bucket_id"] for bucket in shares]
            print(f"{len(listed)} buckets in {time.monotonic() - begin:.1f} s")
            check(set(listed) == wanted, "a bucket is missing")
            check(len(listed) == len(wanted), "a bucket is listed twice")
            # A bucket's message has its name, and more.
            one_message = sum(len(name) for name in listed)
            check(one_message > MESSAGE_BYTES, f"only {one_message} bytes: one message holds them")


def main():
    build = pathlib.Path(sys.argv[1])
    try:
        with tempfile.TemporaryDirectory(prefix="drip-") as directory:
            test(build, pathlib.Path(directory))
    except stage.Failure as failure:
        sys.exit(f"FAILED: {failure}")
    print("passed")


if __name__ == "__main__":
    main()
