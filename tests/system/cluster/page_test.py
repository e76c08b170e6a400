#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The commands and the file of docs/cluster.md, on the addresses that the page has, with Redis and
three Sentinels, in namespaces of network and mounts of its own: page_test.py BUILD PAGE"""
import contextlib
import json
import os
import pathlib
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import stage
from stage import Failure, check, wait_until

ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
REDIS_PORT, SENTINEL_PORT = 6379, 26379
PASSWORD = "of-the-page"
NEEDED = ["ip", "openssl", "redis-server", "redis-sentinel"]


def blocks_of(page):
    """What is indented, lines that are continued joined."""
    text = re.sub(r"\\\n\s*", "", page.read_text())
    blocks = re.findall(r"(?:^    .*\n)(?:(?:^    .*)?\n)*", text, re.MULTILINE)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE).strip() for block in blocks]


def block_with(blocks, text):
    found = [block for block in blocks if text in block]
    check(len(found) == 1, f"{len(found)} blocks of the page have '{text}'")
    return found[0]


def accepts(address, port):
    with socket.socket() as client:
        client.settimeout(5)
        return client.connect_ex((address, port)) == 0


class Page:
    def __init__(self, build, scratch, ends):
        self.build, self.scratch, self.ends = build, scratch, ends
        self.path = f"{build}/src/daemon:{build}/src/cli:{os.environ['PATH']}"
        self.environment = {**os.environ, "PATH": self.path, "HOME": str(scratch)}

    def start(self, name, arguments):
        """A program that ends with the test."""
        log = open(self.scratch / f"{name}.log", "w")
        process = subprocess.Popen(
            arguments, stdout=log, stderr=log, cwd=self.scratch, env=self.environment
        )
        self.ends.callback(log.close)
        self.ends.callback(process.wait, 60)
        self.ends.callback(process.terminate)
        return process

    def log_of(self, name):
        return (self.scratch / f"{name}.log").read_text()

    def run(self, arguments, **more):
        return subprocess.run(
            arguments,
            capture_output=True,
            text=True,
            cwd=self.scratch,
            env=self.environment,
            **more,
        )

    def must(self, arguments):
        done = self.run(arguments)
        check(done.returncode == 0, f"{arguments}: {done.returncode}: {done.stderr}")
        return done.stdout

    def redis(self):
        command = ["redis-server", "--bind", ADDRESSES[0], "--protected-mode", "no"]
        self.start("redis", [*command, "--save", "", "--appendonly", "no"])
        wait_until(lambda: accepts(ADDRESSES[0], REDIS_PORT), "Redis listens")

    def sentinels(self):
        for address in ADDRESSES:
            file = self.scratch / f"sentinel-{address}.conf"
            file.write_text(
                f"bind {address}\nport {SENTINEL_PORT}\nprotected-mode no\n"
                f"dir {self.scratch}\nsentinel monitor drip {ADDRESSES[0]} {REDIS_PORT} 2\n"
            )
            self.start(f"sentinel-{address}", ["redis-sentinel", file])
        for address in ADDRESSES:
            wait_until(
                lambda: accepts(address, SENTINEL_PORT), f"the Sentinel at {address} listens"
            )

    def what_a_node_needs(self):
        """Certificate and tokens, as docs/security.md makes them."""
        self.must(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1"
            f" -subj /CN=shaper -addext subjectAltName=IP:{ADDRESSES[1]}"
            " -keyout dripd.key -out dripd.crt".split()
        )
        shutil.copy(self.scratch / "dripd.crt", self.scratch / "ca.crt")
        token = self.must("dripctl token create ops --role admin --file tokens.toml".split())
        (self.scratch / "token").write_text(token)


def the_first_node(page, block):
    """Its command, and that the others can dial what it tells them."""
    lines = block.splitlines()
    dripd = [shlex.split(line) for line in lines if line.startswith("dripd ")]
    dripctl = [shlex.split(line) for line in lines if line.startswith("dripctl ")]
    check(len(dripd) == 1 and len(dripctl) == 1, block)
    process = page.start("dripd", dripd[0])

    def serves():
        check(process.poll() is None, f"dripd has ended: {page.log_of('dripd')}")
        return page.run(dripctl[0]).returncode == 0

    wait_until(serves, "the command of the page is answered")
    known = []

    def is_member():
        known[:] = json.loads(page.must([*dripctl[0], "--json"])).get("nodes", [])
        return len(known) == 1

    wait_until(is_member, "the node is a member")
    host, port = known[0]["address"].rsplit(":", 1)
    check(accepts(host, int(port)), f"nothing listens where others are sent: {known[0]}")
    # Its own flags, without the subcommand.
    return process, dripctl[0][3:]


def the_buckets(page, block, flags):
    for line in block.splitlines():
        # The leader takes its first change after one lease.
        command = [*shlex.split(line), *flags]
        wait_until(lambda: page.run(command).returncode == 0, f"done: {line}")
    shares = json.loads(page.must(["dripctl", "--json", "cluster", "shares", *flags]))
    check([one["bucket_id"] for one in shares["buckets"]] == ["cust-7"], f"split: {shares}")
    api = json.loads(page.must(["dripctl", "--json", "bucket", "show", "api", *flags]))
    check("EXACT" in json.dumps(api), f"not exact: {api}")


def the_file(page, user, block):
    """A node by Sentinel with the page's Redis user and its file."""
    words = shlex.split(user.replace(">PASSWORD", f"'>{PASSWORD}'"))
    with socket.create_connection((ADDRESSES[0], REDIS_PORT)) as redis:
        redis.sendall(
            (
                "\r\n".join([f"*{len(words)}", *[f"${len(w)}\r\n{w}" for w in words]]) + "\r\n"
            ).encode()
        )
        reply = redis.recv(1000)
    check(reply == b"+OK\r\n", f"{user}: {reply}")
    page.sentinels()
    secret = pathlib.Path("/etc/drip/redis-password")
    secret.parent.mkdir(exist_ok=True)
    secret.write_text(PASSWORD + "\n")
    (page.scratch / "dripd.toml").write_text(block + "\n")
    server = f"unix:{page.scratch}/n2.sock"
    process = page.start(
        "n2", ["dripd", "--config", "dripd.toml", "--listen", server, "--node-id", "n2"]
    )

    def has_all():
        check(process.poll() is None, f"dripd has ended: {page.log_of('n2')}")
        return page.run(["dripctl", "--server", server, "bucket", "show", "cust-7"]).returncode == 0

    try:
        wait_until(has_all, "the second node has what the first was given")
    except Failure:
        print(page.log_of("n2"))
        raise
    status = json.loads(page.must(["dripctl", "--server", server, "--json", "cluster", "status"]))
    check(sorted(node["node_id"] for node in status["nodes"]) == ["n1", "n2"], f"{status}")


def in_namespaces(build, page_file):
    for command in (
        "mount --make-rprivate /",
        "mount -t tmpfs tmpfs /mnt",
        "mkdir /mnt/upper /mnt/work",
        "mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc",
        "ip link set lo up",
        *(f"ip address add {address}/32 dev lo" for address in ADDRESSES),
    ):
        subprocess.run(command.split(), check=True)
    blocks = blocks_of(page_file)
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch, contextlib.ExitStack() as ends:
        page = Page(build, pathlib.Path(scratch), ends)
        page.what_a_node_needs()
        page.redis()
        _, flags = the_first_node(page, block_with(blocks, "dripd --cluster"))
        the_buckets(page, block_with(blocks, "--scope cluster"), flags)
        the_file(page, block_with(blocks, "ACL SETUSER"), block_with(blocks, "[cluster]"))


def main():
    build, page = map(pathlib.Path, sys.argv[1:3])
    if len(sys.argv) == 4:
        in_namespaces(build, page)
        return
    if os.geteuid() != 0:
        stage.skip("not root")
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        stage.skip(f"not installed: {', '.join(missing)}")
    command = ["unshare", "--net", "--mount", sys.executable, __file__]
    done = subprocess.run([*command, str(build.resolve()), str(page), "inside"])
    sys.exit(done.returncode)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")
    print("passed")
