# SPDX-License-Identifier: BSD-3-Clause
"""Three nodes that share buckets through Redis with a replica and three Sentinels, while Redis and
nodes are killed, stopped, emptied, cut off and changed over."""
import contextlib
import signal
import subprocess
import time

from faults import draw_and_run
from journal import Growth
from request_load import RequestLoad

NODES, SENTINELS = 3, 3
EXACT_A_SECOND, SPLIT_A_SECOND, CAPACITY = 30, 60, 8
ROUND_SECONDS = 10
FIRST_PORT = 47_000


class Process:
    """A program that can be killed and started again."""

    def __init__(self, command, log):
        self.command, self.log = command, log
        self.start()

    def start(self):
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, process_group=0)

    def kill(self):
        self.process.kill()
        self.process.wait()

    @contextlib.contextmanager
    def standing(self):
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)


class Cluster:
    def __init__(self, soak, directory):
        self.soak, self.directory, self.stack = soak, directory, contextlib.ExitStack()
        self.redis, self.sentinels, self.nodes = {}, [], []

    def __enter__(self):
        try:
            self.begin()
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()

    def run(self, name, *command):
        process = Process([str(word) for word in command], self.directory / f"{name}.log")
        self.stack.callback(process.kill)
        return process

    def begin(self):
        first, second = FIRST_PORT, FIRST_PORT + 1
        for port in (first, second):
            where = self.directory / f"redis-{port}"
            where.mkdir()
            words = ["--bind", "127.0.0.1", "--port", port, "--dir", where, "--save", ""]
            words += ["--appendonly", "no", "--repl-diskless-sync-delay", "0"]
            if port == second:
                words += ["--replicaof", "127.0.0.1", first]
            self.redis[port] = self.run(f"redis-{port}", "redis-server", *words)
        for number in range(SENTINELS):
            port = FIRST_PORT + 10 + number
            file = self.directory / f"sentinel-{number}.conf"
            file.write_text(
                f"bind 127.0.0.1\nport {port}\ndir {self.directory}\n"
                f"sentinel monitor drip 127.0.0.1 {first} 2\n"
                "sentinel down-after-milliseconds drip 1500\n"
                "sentinel failover-timeout drip 6000\n"
            )
            self.sentinels.append(port)
            self.run(f"sentinel-{number}", "redis-server", file, "--sentinel")
        self.wait_until(lambda: self.master() is not None, "the Sentinels know a master")
        ends = ",".join(f"127.0.0.1:{port}" for port in self.sentinels)
        for number in range(NODES):
            server = f"unix:{self.directory}/n{number}.sock"
            words = [self.soak.build / "src/daemon/dripd", "--node-id", f"n{number}"]
            words += ["--listen", server, "--cluster", f"sentinel://{ends}/drip"]
            node = self.run(f"n{number}", *words)
            node.server, node.name = server, f"n{number}"
            self.nodes.append(node)
        for node in self.nodes:
            self.wait_until(lambda: self.ctl(node, "node", "show").returncode == 0, "node answers")
        sharing = {"exact": ("exact", EXACT_A_SECOND), "split": ("split", SPLIT_A_SECOND)}
        for bucket, (how, rate) in sharing.items():
            words = ["bucket", "set", bucket, "--rate", f"{rate}/s", "--capacity", str(CAPACITY)]
            words += ["--departure", "end", "--scope", "cluster", "--sharing", how]
            words += ["--on-failure", "closed"]
            self.wait_until(
                lambda: self.ctl(self.nodes[0], *words).returncode == 0, f"bucket {bucket} is set"
            )

    def ctl(self, node, *words):
        command = [self.soak.build / "src/cli/dripctl", "--server", node.server, "--json", *words]
        return subprocess.run(command, capture_output=True, text=True)

    def redis_cli(self, port, *words):
        command = ["redis-cli", "-h", "127.0.0.1", "-p", str(port), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.split()

    def master(self):
        """The port of the Redis that most Sentinels take for the master; None if none does."""
        told = []
        for port in self.sentinels:
            with contextlib.suppress(subprocess.TimeoutExpired):
                found = self.redis_cli(port, "SENTINEL", "get-master-addr-by-name", "drip")
                told += [int(found[1])] if len(found) == 2 and found[1].isdigit() else []
        best = max(set(told), key=told.count) if told else None
        return best if told.count(best) * 2 > len(self.sentinels) else None

    def wait_until(self, holds, what, seconds=60):
        return self.soak.wait_until(holds, what, seconds)


class Faults:
    def __init__(self, soak, cluster):
        self.soak, self.cluster, self.random = soak, cluster, soak.random
        self.fresh_queues = 0  # How often the queue in Redis may have begun anew.

    def one(self):
        draw_and_run(self, self.ALL, self.soak)

    def redis(self):
        return self.cluster.redis[self.cluster.master() or FIRST_PORT]

    def redis_is_killed(self):
        self.fresh_queues += 2
        redis = self.redis()
        redis.kill()
        time.sleep(self.random.uniform(0.1, 5))
        redis.start()

    def redis_stands_still(self):
        self.fresh_queues += 2  # The Sentinels may change over.
        with self.redis().standing():
            time.sleep(self.random.uniform(0.5, 3))

    def redis_is_emptied(self):
        self.fresh_queues += 1
        self.cluster.redis_cli(self.cluster.master() or FIRST_PORT, "FLUSHALL")

    def connections_are_cut(self):
        for _ in range(5):
            port = self.cluster.master() or FIRST_PORT
            self.cluster.redis_cli(port, "CLIENT", "KILL", "TYPE", "normal")
            time.sleep(0.2)

    def sentinels_change_over(self):
        self.fresh_queues += 1  # The replica may lack the last moments.
        self.cluster.redis_cli(self.cluster.sentinels[0], "SENTINEL", "FAILOVER", "drip")

    def a_node_is_killed(self):
        node = self.random.choice(self.cluster.nodes)
        node.kill()
        time.sleep(self.random.uniform(0, 2))
        node.start()

    def a_node_stands_still(self):
        with self.random.choice(self.cluster.nodes).standing():
            time.sleep(self.random.uniform(0.3, 3))

    ALL = [
        redis_is_killed,
        redis_stands_still,
        redis_is_emptied,
        connections_are_cut,
        sentinels_change_over,
        a_node_is_killed,
        a_node_stands_still,
    ]


def run(soak, seconds):
    journal = soak.journal
    end = time.monotonic() + seconds
    with Cluster(soak, soak.new_directory()) as cluster:
        growth = {node.name: Growth(journal, node.name) for node in cluster.nodes}
        number = 0
        while time.monotonic() < end or number == 0:
            number += 1
            journal.say(f" round {number}")
            one_round(soak, cluster)
            for node in cluster.nodes:
                code = node.process.poll()
                if journal.check(code is None, "dripd runs", f"{node.name}: exit code {code}"):
                    growth[node.name].look(node.process)


def one_round(soak, cluster):
    journal = soak.journal
    faults = Faults(soak, cluster)
    servers = [node.server for node in cluster.nodes]
    loads = {
        name: RequestLoad(soak.api, servers, name, soak.random, journal, clients=6)
        for name in ("exact", "split")
    }
    with contextlib.ExitStack() as stack:
        for load in loads.values():
            stack.enter_context(load)
        end = time.monotonic() + ROUND_SECONDS
        time.sleep(2)
        faults.one()
        time.sleep(max(0, end - time.monotonic()))
    turns, span = loads["exact"].take()
    most = EXACT_A_SECOND * span + 1 + CAPACITY * faults.fresh_queues
    journal.check(turns <= most, "exact: turns within the rate of all", f"{turns}, at most {most}")
    turns, span = loads["split"].take()
    # Each node lets out what it had begun to serve, and no more, when its share ends.
    most = SPLIT_A_SECOND * span + NODES
    journal.check(turns <= most, "split: turns within the rate of all", f"{turns}, at most {most}")
    for bucket in loads:
        soak.wait_until(
            lambda: all(
                cluster.ctl(node, "request", "await", bucket, "--timeout", "5s").returncode == 0
                for node in cluster.nodes
            ),
            f"all nodes serve {bucket} again",
        )
