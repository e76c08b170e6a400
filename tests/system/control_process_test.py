#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""--control-process separate: the control process is killed, stopped, replaced and killed again and
again while packets go through dripd. None is lost, and clients are served again."""
import contextlib
import os
import pathlib
import signal
import statistics
import sys
import time

import stage
from stage import check, wait_until
from udp_stream import UdpStream

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "scripts/lib"))
from control_processes import control_processes

PACKETS_PER_SECOND = 2000
KILLS = 3
RUNS = 3  # Until one in which the ports missed nothing.
RECONNECT_SECONDS = 1.0  # And as long as a call takes on this machine, now.
BUCKET = ("bucket", "set", "a", "--rate", "60mbit", "--capacity", "1000")


def process_of(daemon):
    return daemon.ctl("node", "show").get("control_process", {})


def pid_of(daemon):
    return int(process_of(daemon).get("pid", 0))


def log_of(daemon):
    return pathlib.Path(daemon.log_path).read_text()


def seconds_until_served(daemon):
    """From now until a client that connects has its answer."""
    begin = time.monotonic()
    wait_until(lambda: daemon.try_ctl("node", "show"), "the API comes back", 20, step=0.01)
    return time.monotonic() - begin


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def kills(daemon):
    """Clients are served again within a second, and all that was set is as it was."""
    revision = daemon.bucket("a")["revision"]
    usual = statistics.median(seconds_until_served(daemon) for _ in range(5))
    gaps = []
    for _ in range(KILLS):
        pid = pid_of(daemon)
        os.kill(pid, signal.SIGKILL)
        gaps.append(seconds_until_served(daemon))
        check(pid_of(daemon) != pid, "the same process answers")
    print(
        f"served again after {', '.join(f'{1000 * gap:.0f}' for gap in gaps)} ms; "
        f"a call takes {1000 * usual:.0f} ms"
    )
    check(statistics.median(gaps) < RECONNECT_SECONDS + 2 * usual, f"too late: {gaps}")
    check(daemon.bucket("a")["revision"] == revision, "the bucket is another one")
    check(int(process_of(daemon)["restarts"]) == KILLS, str(process_of(daemon)))
    check(f"was killed by signal {signal.SIGKILL:d}" in log_of(daemon), log_of(daemon))


def a_hang(daemon):
    pid = pid_of(daemon)
    os.kill(pid, signal.SIGSTOP)
    begin = time.monotonic()
    wait_until(lambda: not is_alive(pid), "the process that hangs is killed", 30)
    print(f"a process that was stopped is killed after {time.monotonic() - begin:.1f} s")
    wait_until(lambda: daemon.try_ctl("node", "show"), "another one serves", 20)
    check(int(process_of(daemon)["hangs"]) == 1, str(process_of(daemon)))
    check("has not answered" in log_of(daemon), log_of(daemon))


def a_replacement(daemon):
    """Nobody is refused while one process takes over from the other."""
    old = pid_of(daemon)
    daemon.process.send_signal(signal.SIGUSR2)
    refused = []

    def is_replaced():
        if not daemon.try_ctl("bucket", "show", "a"):
            refused.append(time.monotonic())
        return pid_of(daemon) != old and not is_alive(old)

    wait_until(is_replaced, "it is replaced", 20, step=0)
    check(not refused, f"{len(refused)} calls failed")
    check(int(process_of(daemon)["replacements"]) == 1, str(process_of(daemon)))


def a_crash_loop(daemon):
    """Of processes that end one after the other each waits longer; then all is as before."""
    dripd = daemon.process.pid
    # Where dripd runs in a namespace, the program that starts it may be its parent.
    killed = set()

    def is_enough():
        for child in filter(is_alive, control_processes(dripd) - killed):
            with contextlib.suppress(ProcessLookupError):  # It ended meanwhile.
                os.kill(child, signal.SIGKILL)
                killed.add(child)
        return len(killed) >= 4

    wait_until(is_enough, "four are started, the last after a pause of 3 s", 40, step=0.005)
    seconds_until_served(daemon)
    check("started again in 1600 ms" in log_of(daemon), log_of(daemon))
    check(daemon.try_ctl(*BUCKET), "the bucket cannot be set")


def rights_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def what_it_has(daemon):
    """No capabilities, no files of the data path, none of its CPUs."""
    rights = rights_of(pid_of(daemon))
    check(int(rights["CapPrm"], 16) == 0, f"capabilities {rights['CapPrm']}")
    check(rights["NoNewPrivs"] == "1", "new privileges")
    nobody = pathlib.Path(f"/proc/{pid_of(daemon)}")
    links = [os.readlink(file) for file in (nobody / "fd").iterdir()]
    for link in links:
        check(
            link.startswith(("socket:", "anon_inode:[event", "pipe:", "/dev/null"))
            or link == str(daemon.log_path),
            f"it has {link} open",
        )
    check(not any("hugepages" in line for line in links), str(links))
    command = (nobody / "cmdline").read_bytes().split(b"\0")
    check(command[1:3] == [b"--link", b"3"], str(command))


def run_with_ends(build, kind, flags):
    """Everything that ends a control process, under traffic. Returns what the ports missed."""
    with stage.raised(build, kind, flags=flags) as (link, daemon):
        daemon.ctl(*BUCKET)
        daemon.ctl("rule", "add", "udp", "--proto", "udp", "--bucket", "a")
        what_it_has(daemon)
        with UdpStream(link, PACKETS_PER_SECOND) as stream:
            time.sleep(0.5)
            for step in (kills, a_hang, a_replacement, a_crash_loop):
                step(daemon)
            time.sleep(0.5)
            stream.stop_sending()
            daemon.balance()
            time.sleep(0.5)
        bucket = daemon.bucket("a")
        total, processed = (int(bucket[f"{what}_requests"]) for what in ("total", "processed"))
        ports = daemon.ctl("port", "list")["ports"]
        missed = sum(int(port.get("rx_missed", 0)) for port in ports)
        print(
            f"{kind}: {stream.sent} sent, {total} came to the bucket, {processed} left it, "
            f"{len(stream.received)} received; {missed} missed by the ports"
        )
        check(int(bucket.get("rejected_requests", 0)) == 0, "the load was too high")
        check(total == processed == len(set(stream.received)), "packets were lost in dripd")
        check(stream.sent == total + missed, "packets were lost before it")
        check(stream.received == sorted(stream.received), "packets were reordered")
        return missed


def test(build, kind):
    flags = ("--control-process", "separate")
    # A port misses packets too when the machine itself stands still: then it is tried again.
    missed = [run_with_ends(build, kind, flags)]
    while missed[-1] > 0 and len(missed) < RUNS:
        missed.append(run_with_ends(build, kind, flags))
    check(missed[-1] == 0, f"{missed} packets were missed in {len(missed)} runs")

    # What has no data process any more ends, and leaves its addresses to the next one.
    with stage.raised(build, kind, flags=flags) as (link, daemon):
        pid = pid_of(daemon)
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait()
        wait_until(lambda: not is_alive(pid), "the control process ends with dripd", 5)
        daemon.log.close()
        daemon.start_or_fail()


if __name__ == "__main__":
    stage.run(test)
