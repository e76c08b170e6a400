#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""drip-hugepages: how many, and what it leaves behind, on a machine of files. BUILD"""
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts/packaging/drip-hugepages"
PAGES = "sys/kernel/mm/hugepages/hugepages-2048kB"


def check(holds, what):
    if not holds:
        sys.exit(f"FAILED: {what}")


class Machine:
    def __init__(self, directory, have, free, config=""):
        self.root = pathlib.Path(directory)
        (self.root / PAGES).mkdir(parents=True, exist_ok=True)
        (self.root / PAGES / "nr_hugepages").write_text(f"{have}\n")
        (self.root / PAGES / "free_hugepages").write_text(f"{free}\n")
        (self.root / "etc/drip").mkdir(parents=True, exist_ok=True)
        (self.root / "etc/drip/dripd.toml").write_text(config)
        self.boot = self.root / "etc/sysctl.d/80-drip.conf"

    def run(self, *arguments):
        return subprocess.run(
            [SCRIPT, "--root", self.root, *arguments], capture_output=True, text=True
        )

    def set_aside(self):
        return int((self.root / PAGES / "nr_hugepages").read_text())


def check_need(scratch):
    """The figures are those of docs/deploy.md."""
    table = (ROOT / "docs/deploy.md").read_text()
    for mbufs, pages in (("16384", 53), ("65535", 116), ("262143", 367)):
        row = next(line for line in table.splitlines() if line.startswith(f"| {mbufs}"))
        check(row.endswith(f"| {pages} |"), f"docs/deploy.md has another figure: {row}")
        done = Machine(scratch, 0, 0).run("--mbufs", mbufs, "show")
        check(f"needed {pages} " in done.stdout, f"{mbufs} buffers: {done}")
    for config, said in (
        ("", "of 65535 packet buffers with 2048"),
        ("[memory]\nmbufs = 20_000 # few\nmbuf_data = 4096\n", "of 20000 packet buffers with 4096"),
        ('[[ports]]\nname = "a"\nmtu = 9000\n[[ports]]\nmtu = 1500\n', "with 9022 bytes"),
        ("[other]\nmbufs = 9\n", "of 65535 packet buffers"),
    ):
        done = Machine(scratch, 0, 0, config).run("show")
        check(said in done.stdout, f"{config!r}: {done}")


def check_set_and_clear(scratch):
    machine = Machine(scratch, 10, 4)  # Six are another's.
    done = machine.run("set")
    check(done.returncode == 0, done)
    check(machine.set_aside() == 6 + 116, f"{machine.set_aside()} are set aside")
    check("vm.nr_hugepages = 122\n" in machine.boot.read_text(), machine.boot.read_text())
    machine = Machine(scratch, 500, 500)
    check(machine.run("set").returncode == 0 and machine.set_aside() == 500, "more were there")
    machine = Machine(scratch, 122, 116)
    done = machine.run("clear")
    check(done.returncode == 0 and machine.set_aside() == 6, f"{done}, {machine.set_aside()}")
    check(not machine.boot.exists(), "the next boot sets them aside")


def check_usage(scratch):
    machine = Machine(scratch, 0, 0)
    for arguments, said in (
        (["--mbufs", "12", "show"], "--mbufs: 12 is not allowed; allowed: 1024 to 67108864"),
        (["--mbuf-data", "x", "show"], "--mbuf-data: 'x' is not allowed; allowed: 256 to 16384"),
        (["--mbufs"], "--mbufs: a value is missing"),
        (["--config", "/nowhere", "show"], "--config: '/nowhere' cannot be read"),
        (["grow"], "'grow' is not allowed; allowed: show, set, clear"),
        ([], "a subcommand is missing; allowed: show, set, clear"),
    ):
        done = machine.run(*arguments)
        check(done.returncode == 2 and said in done.stderr, f"{arguments}: {done}")
    check(machine.set_aside() == 0 and not machine.boot.exists(), "a wrong line changed something")


def main():
    for test in (check_need, check_set_and_clear, check_usage):
        with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
            test(scratch)


if __name__ == "__main__":
    main()
