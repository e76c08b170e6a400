# SPDX-License-Identifier: BSD-3-Clause
"""Starts a dripd, queries it through dripctl, stops it."""
import dataclasses
import json
import pathlib
import signal
import subprocess
import time

from meter import Meter


@dataclasses.dataclass
class Balance:
    holds: bool
    waiting: int
    text: str


class DaemonFailure(SystemExit):
    """dripd or dripctl failed. Ends the program with this message unless it is handled."""


class Daemon:
    START_SECONDS = 20

    def __init__(self, build, link, log, flags=()):
        self.dripd = build / "src/daemon/dripd"
        self.dripctl = build / "src/cli/dripctl"
        self.link, self.log_path, self.flags = link, log, flags
        self.server = f"unix:{link.scratch / 'dripd.sock'}"

    def __enter__(self):
        while True:
            if self.start():
                return self
            self.__exit__(None, None, None)
            why = pathlib.Path(self.log_path).read_text()
            kind = self.link.kinds[0]
            if not self.link.next_kind():
                raise DaemonFailure(f"dripd did not start:\n{why}")
            print(f"== {kind} does not start here, {self.link.kinds[0]} instead:\n{why}")

    def start_or_fail(self):
        """For a link of one kind only."""
        if not self.start():
            self.__exit__(None, None, None)
            raise DaemonFailure(f"dripd did not start:\n{pathlib.Path(self.log_path).read_text()}")
        return self

    def start(self):
        """Whether dripd serves; if not, it may still run."""
        self.log = open(self.log_path, "w")
        self.process = subprocess.Popen(
            [
                *self.link.prefix,
                str(self.dripd.resolve()),
                "--listen",
                self.server,
                *self.link.dripd_arguments(),
                *self.flags,
            ],
            stdout=self.log,
            stderr=self.log,
            process_group=0,
        )
        deadline = time.monotonic() + self.START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if (
                subprocess.run(
                    [self.dripctl, "--server", self.server, "node", "show"], capture_output=True
                ).returncode
                == 0
            ):
                return True
            time.sleep(0.1)
        return False

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()

    def run_ctl(self, *arguments):
        return subprocess.run(
            [self.dripctl, "--server", self.server, "--json", *arguments],
            capture_output=True,
            text=True,
        )

    def try_ctl(self, *arguments):
        """Whether dripctl succeeded."""
        return self.run_ctl(*arguments).returncode == 0

    def ctl(self, *arguments):
        """Runs dripctl with --json; returns what it printed."""
        done = self.run_ctl(*arguments)
        if done.returncode != 0:
            raise DaemonFailure(f"dripctl {' '.join(arguments)}: {done.stderr.strip()}")
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def bucket(self, name):
        state = self.ctl("bucket", "show", name)
        return state.get("bucket", state)

    def meter(self, bucket, received, offered):
        """A context manager, see Meter."""
        return Meter(
            [
                self.dripctl,
                "--server",
                self.server,
                "--json",
                "bucket",
                "watch",
                bucket,
                "--interval",
                f"{1000 * Meter.INTERVAL:.0f}ms",
            ],
            received,
            offered,
        )

    def balance(self):
        """Checks rx = tx + drops by reason + waiting, after traffic has ended."""
        for _ in range(50):
            lcores = self.ctl("lcore", "list")["lcores"]
            total = lambda field: sum(int(lcore.get(field, 0)) for lcore in lcores)
            drops = {}
            for lcore in lcores:
                for drop in lcore.get("drops", []):
                    drops[drop["reason"]] = drops.get(drop["reason"], 0) + int(drop["packets"])
            received, sent = total("rx_packets"), total("tx_packets")
            waiting = total("waiting_packets")
            holds = received == sent + sum(drops.values()) + waiting
            if holds and (waiting == 0 or self.link.never_rests):
                break
            time.sleep(0.1)
        reasons = ", ".join(f"{name} {count}" for name, count in drops.items() if count) or "none"
        return Balance(
            holds,
            waiting,
            f"rx {received} = tx {sent} + dropped {sum(drops.values())} "
            f"({reasons}) + waiting {waiting}",
        )
