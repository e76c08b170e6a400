# SPDX-License-Identifier: BSD-3-Clause
"""The stage of a smoke test: two namespaces, dripd between them, and the balance in the end."""
import contextlib
import pathlib
import re
import socket
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "scripts/lib"))
import namespace_link
from daemon import Daemon
from priority import go_first
from stopping import unwind_when_stopped

SKIPPED = 77  # What meson takes for "not possible here".
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3} (debug|info|warning|error) .")


class Failure(Exception):
    """What the test found wrong."""


def skip(reason):
    print(reason)
    sys.exit(SKIPPED)


def check(holds, what):
    if not holds:
        raise Failure(what)


def wait_until(holds, what, seconds=10, step=0.05):
    """A machine that stands still, as a virtual one may for half a minute, is not waited for: from
    one look to the next a second counts at most."""
    waited = 0.0
    last = time.monotonic()
    while not holds():
        now = time.monotonic()
        waited += min(now - last, 1.0)
        last = now
        check(waited < seconds, f"not within {seconds} s: {what}")
        time.sleep(step)


def cannot(kind):
    """Why the test cannot be run here; empty if it can."""
    if reason := namespace_link.cannot():
        return reason
    if kind == "af_xdp":
        try:
            socket.socket(44, socket.SOCK_RAW).close()  # AF_XDP
        except OSError as error:
            return f"the kernel has no AF_XDP: {error}"
    return ""


@contextlib.contextmanager
def raised(build, kind, rate_bps=100e6, flags=(), **how):
    """Link (`how`: of namespace_link.Link) and dripd with `flags`, on devices of one kind. Whatever
    the test did, the balance must hold."""
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        scratch = pathlib.Path(scratch)
        with namespace_link.Link(scratch, rate_bps, [kind], **how) as link:
            log = scratch / "dripd.log"
            try:
                with Daemon(pathlib.Path(build), link, log, flags) as daemon:
                    yield link, daemon
                    balance = daemon.balance()
                    print(f"balance: {balance.text}")
                    check(balance.holds, f"the balance does not hold: {balance.text}")
                    check(balance.waiting == 0, f"packets wait though all is over: {balance.text}")
                for line in log.read_text().splitlines():
                    check(LOG_LINE.match(line), f"not a line of dripd's log: {line}")
            except (Failure, SystemExit):
                print(f"dripd's log:\n{log.read_text()}")
                raise


def run(test):
    """`test(build, kind)` with the arguments of the command line: BUILD KIND."""
    unwind_when_stopped()
    go_first()
    build, kind = sys.argv[1:3]
    if reason := cannot(kind):
        skip(reason)
    try:
        test(build, kind)
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")
    print("passed")
