#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Free hugepages that another process has reserved: dripd starts without them and says so."""
import pathlib
import subprocess
import sys
import tempfile

from stage import Failure, check, skip  # Finds scripts/lib.
import hugepages
from daemon import Daemon

PAGES = 64  # More than MBUFS take, less than would do for two.
PAGE_BYTES = 2 << 20
MBUFS = "8192"
COUNTS = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
WITHOUT = "no hugepages: packets lie in 4-KiB pages"

# Maps the pages, touches none, and has them until its input ends.
RESERVES = f"""
import mmap, sys
MAP_HUGETLB = 0x40000
flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_HUGETLB
pages = mmap.mmap(-1, {PAGES * PAGE_BYTES}, flags=flags)
print("reserved", flush=True)
sys.stdin.read()
"""


class Nowhere:
    """A port that receives nothing."""

    prefix, kinds, never_rests = [], ["null"], False

    def __init__(self, scratch):
        self.scratch = scratch

    def dripd_arguments(self):
        return ["--port", "a=net_null0,no-rx=1", *"--hairpin a --idle sleep --mbufs".split(), MBUFS]


def count(name):
    return int((COUNTS / name).read_text())


def start(build, link, flags=()):
    """Whether dripd started, and its log."""
    daemon = Daemon(pathlib.Path(build), link, link.scratch / "dripd.log", flags)
    try:
        return daemon.start(), daemon.log_path.read_text()
    finally:
        daemon.__exit__()


def test(build, link):
    command = [sys.executable, "-c", RESERVES]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as other:
        if other.stdout.readline() != "reserved\n":
            skip(f"{PAGES} hugepages cannot be mapped")
        check(count("free_hugepages") >= PAGES, "pages that nobody touched are not free")
        started, log = start(build, link)
        check(started, f"no start beside another's reservation:\n{log}")
        check(WITHOUT in log, f"the log does not say that there are no hugepages:\n{log}")
        started, log = start(build, link, ("--hugepages", "always"))
        check(not started, "started with hugepages that another has reserved")
        check("MiB are needed and 0 MiB are free" in log, f"it does not say why:\n{log}")
        other.stdin.close()
    started, log = start(build, link)
    check(started and WITHOUT not in log, f"pages that are free again are not used:\n{log}")


def main():
    try:
        with hugepages.reserved(PAGES) as got, tempfile.TemporaryDirectory(prefix="drip-") as path:
            if got < PAGES:
                skip(f"of {PAGES} hugepages only {got} can be reserved")
            if (others := count("free_hugepages") - count("resv_hugepages") - PAGES) > 0:
                skip(f"{others} more hugepages are free on this machine")
            test(sys.argv[1], Nowhere(pathlib.Path(path)))
    except OSError as error:
        skip(f"no hugepages can be reserved ({error})")
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")
    print("passed")


if __name__ == "__main__":
    main()
