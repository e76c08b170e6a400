#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What --state promises, with a real dripd that is killed, restarted, and has no room left."""
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from stage import check, skip  # Finds scripts/lib.
from daemon import Daemon

BOUND_SECONDS = 60
KILLS = 10
WRITERS = 3
HOURLY = ["--rate", "1/h", "--capacity", "1"]


class NoPorts:
    kinds, never_rests = ["none"], False

    def __init__(self, scratch, prefix=()):
        self.scratch, self.prefix = scratch, list(prefix)

    def dripd_arguments(self):
        return []


def daemon_of(build, link, state, flags=()):
    return Daemon(build, link, link.scratch / "dripd.log", ["--state", str(state), *flags])


def started(daemon):
    return daemon.start_or_fail()


def kill(daemon):
    daemon.process.send_signal(signal.SIGKILL)
    daemon.process.wait(BOUND_SECONDS)
    daemon.log.close()


def log_of(daemon):
    return pathlib.Path(daemon.log_path).read_text()


def wait_for(what, message):
    deadline = time.monotonic() + BOUND_SECONDS
    while not what():
        check(time.monotonic() < deadline, message)
        time.sleep(0.05)


class Writer(threading.Thread):
    """Changes things of its own, and notes what was acknowledged, until dripd is gone."""

    def __init__(self, daemon, number, known):
        super().__init__()
        self.daemon, self.number, self.known = daemon, number, known
        self.pending = None
        self.random = random.Random()

    def run(self):
        while True:
            name = f"w{self.number}-{self.random.randrange(6)}"
            rate = self.random.randrange(1, 1000)
            kinds = ["set", "rule", "list"] + ["delete"] * (name in self.known)
            kind = self.random.choice(kinds)
            if kind == "set":
                self.pending = (name, rate)
                words = ["bucket", "set", name, "--rate", str(rate), "--capacity", "5"]
            elif kind == "delete":
                self.pending = (name, None)
                words = ["bucket", "delete", name]
            elif kind == "rule":
                self.pending = ("rule " + name, rate)
                words = ["rule", "add", name, "--dport", str(rate), "--proto", "udp", "--drop"]
            else:
                self.pending = ("list " + name, rate)
                words = ["list", "set", name, f"192.0.2.{rate % 256}/32"]
            if not self.daemon.try_ctl(*words):
                return
            self.known[self.pending[0]] = self.pending[1]
            self.pending = None


def found(daemon):
    """Everything that the node has, as writers note it."""
    have = {}
    for bucket in daemon.ctl("bucket", "list").get("buckets", []):
        have[bucket["config"]["bucket_id"]] = round(float(bucket["config"]["leak_rate"]))
    for rule in daemon.ctl("rule", "list").get("rules", []):
        ports = rule["rule"]["match"]["dst_port"]
        have["rule " + rule["rule"]["rule_id"]] = ports
    return have


def same(kind, wanted, have):
    if kind.startswith("rule "):
        return str(wanted) in str(have)
    return wanted == have


def acknowledged_changes_survive_kills(build, scratch):
    link = NoPorts(scratch)
    known = [{} for _ in range(WRITERS)]
    changes = 0
    pending = []
    for round_number in range(KILLS):
        daemon = started(daemon_of(build, link, scratch / "kills"))
        have = found(daemon)
        in_flight = dict(pending)
        for noted in known:
            for name, wanted in noted.items():
                if name.startswith("list "):
                    continue
                if name in in_flight and same(name, in_flight[name], have.get(name)):
                    noted[name] = in_flight[name]  # It was stored, and the answer was lost.
                    continue
                check(
                    same(name, wanted, have.get(name)),
                    f"kill {round_number}: {name} was acknowledged as {wanted} and is "
                    f"{have.get(name)}",
                )
                changes += 1
            for name in [name for name, wanted in noted.items() if wanted is None]:
                del noted[name]
        writers = [Writer(daemon, number, noted) for number, noted in enumerate(known)]
        for writer in writers:
            writer.start()
        time.sleep(random.uniform(0.2, 2))
        kill(daemon)
        for writer in writers:
            writer.join()
        pending = [writer.pending for writer in writers if writer.pending]
        for writer in writers:
            if writer.pending:
                writer.known.setdefault(writer.pending[0], None)
    print(f"kills {KILLS}, acknowledged changes found again {changes}")
    check(changes > KILLS, "no change was made")


def at_most_one_an_hour(build, scratch):
    """A crash loop lets no more through than one process would, and a pause keeps its length."""
    link = NoPorts(scratch)
    admitted, attempts = 0, 0
    for round_number in range(KILLS):
        daemon = started(daemon_of(build, link, scratch / "hourly"))
        if round_number == 0:
            daemon.ctl("bucket", "set", "hourly", *HOURLY)
            daemon.ctl("bucket", "set", "three", "--rate", "1/h", "--capacity", "3")
        for _ in range(3):
            answer = daemon.run_ctl("request", "allow", "hourly")
            attempts += 1
            admitted += '"allowed": true' in answer.stdout or '"allowed":true' in answer.stdout
        kill(daemon)
    check(admitted == 1, f"{admitted} of {attempts} requests were admitted within an hour at 1/h")
    # Of three that may wait, no more than three were ever let in, killed in the middle of a call.
    three = 0
    for _ in range(KILLS):
        daemon = started(daemon_of(build, link, scratch / "hourly"))
        call = subprocess.Popen(
            [daemon.dripctl, "--server", daemon.server, "--json", "request", "allow", "three"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        time.sleep(random.uniform(0, 0.15))
        kill(daemon)
        out = call.communicate(timeout=BOUND_SECONDS)[0]
        three += '"allowed": true' in out or '"allowed":true' in out
    check(three <= 3, f"{three} were admitted, and 3 may wait")
    # The wait goes on from where it was: it is never an hour again.
    daemon = started(daemon_of(build, link, scratch / "hourly"))
    refused = daemon.ctl("bucket", "show", "hourly")
    state = refused.get("bucket", refused)
    check(int(state.get("queue_size", 0)) == 1, f"what waits was forgotten: {state}")
    daemon.ctl("bucket", "set", "hourly", "--capacity", "2")
    wait = int(daemon.ctl("request", "allow", "hourly", "--peek")["estimated_wait_ns"]) / 1e9
    check(3000 < wait < 3600, f"the next would wait for {wait} s")
    # A bucket that is deleted is forgotten with its schedule.
    daemon.ctl("bucket", "delete", "hourly", "--drop")
    daemon.ctl("bucket", "set", "hourly", *HOURLY)
    kill(daemon)
    daemon = started(daemon_of(build, link, scratch / "hourly"))
    check("true" in daemon.run_ctl("request", "allow", "hourly").stdout, "a new bucket is not free")
    kill(daemon)
    print(f"crash loop at 1/h: {admitted} of {attempts} admitted; {three} of 3")


def a_second_user_is_refused(build, scratch):
    first = started(daemon_of(build, NoPorts(scratch), scratch / "shared"))
    with tempfile.TemporaryDirectory(dir=scratch) as other:
        second = daemon_of(build, NoPorts(pathlib.Path(other)), scratch / "shared")
        check(not second.start(), "two dripd use one directory")
        second.__exit__()
        check(second.process.returncode == 1, f"exit code {second.process.returncode}")
        check(
            f"is in use by another dripd (process {first.process.pid}); each needs"
            in log_of(second),
            log_of(second),
        )
    first.__exit__()


def what_the_file_says(build, scratch):
    """A file that has not changed leaves live changes alone; one that has wins, as at SIGHUP."""
    file = scratch / "dripd.toml"

    def write(rate, more=""):
        file.write_text(f'[[buckets]]\nbucket_id = "web"\nleak_rate = {rate}\ncapacity = 9\n{more}')

    def start():
        return started(
            daemon_of(build, NoPorts(scratch), scratch / "file", ["--config", str(file)])
        )

    def rate():
        return float(daemon.bucket("web")["config"]["leak_rate"])

    write(10, '[[buckets]]\nbucket_id = "old"\nleak_rate = 1\ncapacity = 9\n')
    daemon = start()
    daemon.ctl("bucket", "set", "web", "--rate", "20")
    daemon.ctl("bucket", "set", "live", "--rate", "30", "--capacity", "3")
    revision = daemon.bucket("web")["revision"]
    kill(daemon)
    daemon = start()
    check(rate() == 20, f"the file undid a live change: {rate()}")
    check(daemon.bucket("web")["revision"] == revision, "the revision is another one")
    check("are those that were applied last" in log_of(daemon), log_of(daemon))
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: rate() == 10, "SIGHUP did not apply the file")
    kill(daemon)
    daemon = start()
    check(rate() == 10, "what SIGHUP did is forgotten")
    kill(daemon)
    write(40)
    daemon = start()
    check(rate() == 40, "a file that has changed was not applied")
    check(not daemon.try_ctl("bucket", "show", "old"), "what the file no longer has is there")
    check(daemon.bucket("live")["config"]["leak_rate"] == 30, "what calls made is gone")
    check(int(daemon.bucket("web")["revision"]) > int(revision), "the revision went back")
    kill(daemon)


def damaged_files_are_told_of(build, scratch):
    state = scratch / "damaged"
    for rate in (1, 2, 3):
        daemon = started(daemon_of(build, NoPorts(scratch), state))
        daemon.ctl("bucket", "set", "b", "--rate", str(rate), "--capacity", "3")
        wait_for(lambda: len(list(state.glob("snapshot.*"))) >= min(rate, 2), "no snapshot")
        kill(daemon)
    newest = max(state.glob("snapshot.*"), key=lambda path: int(path.suffix[1:]))
    content = bytearray(newest.read_bytes())
    content[8] += 1
    newest.write_bytes(content)
    daemon = started(daemon_of(build, NoPorts(scratch), state))
    check(daemon.bucket("b")["config"]["leak_rate"] == 3, "the last good files were not used")
    reason = f"{newest}: byte 8: version: 2 is not allowed: 1 to 1; a newer dripd has written it"
    check(reason in log_of(daemon), log_of(daemon))
    check(reason in str(daemon.ctl("node", "show")), "node show does not warn")
    kill(daemon)


def a_full_disk_changes_nothing_else(build, scratch):
    disk = scratch / "disk"
    disk.mkdir()
    mount = f'mount -t tmpfs -o size=4m none {disk} && exec "$@"'
    inside = ["unshare", "--mount", "sh", "-c", mount, "sh"]
    daemon = daemon_of(build, NoPorts(scratch, inside), disk / "state", ["--metrics", "0"])
    started(daemon)
    daemon.ctl("bucket", "set", "before", "--rate", "5", "--capacity", "3")
    root = pathlib.Path(f"/proc/{daemon.process.pid}/root{disk}")
    filler = root / "filler"
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    # What was set aside takes some changes; then they are refused, whole.
    number = 0
    answer = None

    def refused():
        nonlocal number, answer
        number += 1
        prefixes = (f"10.{i // 256}.{i % 256}.0/24" for i in range(3000))
        answer = daemon.run_ctl("list", "set", "big", *prefixes)
        if answer.returncode == 0:
            daemon.ctl("list", "delete", "big")
        return answer.returncode != 0

    wait_for(refused, "a disk that is full takes everything")
    check("No space left on device; nothing was changed" in answer.stderr, answer.stderr)
    check("RESOURCE_EXHAUSTED" in answer.stderr or "space" in answer.stderr, answer.stderr)
    check(not daemon.ctl("list", "list").get("lists"), "a list that was refused is there")
    warnings = str(daemon.ctl("node", "show"))
    check("No space left on device" in warnings, f"node show does not warn: {warnings}")
    check("No space left on device" in log_of(daemon), "the log does not tell")
    check("true" in daemon.run_ctl("request", "allow", "before").stdout, "requests are stopped")
    filler.unlink()

    def taken():
        return daemon.try_ctl("bucket", "set", "after", "--rate", "7", "--capacity", "3")

    wait_for(taken, "changes stay refused when there is room")
    check("No space left" not in str(daemon.ctl("node", "show")), "the warning stays")
    copy = scratch / "copy"
    shutil.copytree(root / "state", copy)
    kill(daemon)
    daemon = started(daemon_of(build, NoPorts(scratch), copy))
    check(set(found(daemon)) == {"before", "after"}, str(found(daemon)))
    kill(daemon)
    print(f"disk full: the list was refused at attempt {number}")


def a_directory_that_is_read_only_is_refused(build, scratch):
    disk = scratch / "read-only"
    disk.mkdir()
    mount = f'mount -t tmpfs -o ro none {disk} && exec "$@"'
    inside = ["unshare", "--mount", "sh", "-c", mount, "sh"]
    daemon = daemon_of(build, NoPorts(scratch, inside), disk / "state")
    check(not daemon.start(), "dripd starts without its state")
    daemon.__exit__()
    check(f"state: {disk}/state: Read-only file system" in log_of(daemon), log_of(daemon))


def main():
    if os.geteuid() != 0:
        skip("mounts need root")
    build = pathlib.Path(sys.argv[1])
    tests = [
        acknowledged_changes_survive_kills,
        at_most_one_an_hour,
        a_second_user_is_refused,
        what_the_file_says,
        damaged_files_are_told_of,
        a_full_disk_changes_nothing_else,
        a_directory_that_is_read_only_is_refused,
    ]
    for test in tests:
        if len(sys.argv) > 2 and sys.argv[2] != test.__name__:
            continue
        with tempfile.TemporaryDirectory(prefix="drip-state-") as scratch:
            print(f"== {test.__name__}", flush=True)
            test(build, pathlib.Path(scratch))


if __name__ == "__main__":
    main()
