#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""`dripctl bucket watch --plot` in a real terminal (tmux) with a real dripd, and without one.
DRIPCTL DRIPD"""
import pathlib
import subprocess
import sys
import tempfile

from screen import Screen, skip_without_tmux, start_dripd, until

BUCKET = "web"
RATE = 2


def run(dripctl, listen, *words):
    return subprocess.run(
        [dripctl, "--server", listen, *words], capture_output=True, text=True, timeout=60
    )


def fill(dripctl, listen, count):
    """So many anonymous requests wait."""
    for _ in range(count):
        assert run(dripctl, listen, "request", "allow", BUCKET).returncode == 0


def plain_text(dripctl, listen):
    watch = ("bucket", "watch", BUCKET, "--plot", "--interval", "200ms")
    done = run(dripctl, listen, *watch, "--count", "3")
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) == 4, done
    assert lines[0].split() == "TIME RATE CEILING USE 0 TO THE CEILING BACKLOG LOST".split()
    assert all(f" {RATE}/s " in line and "|" in line for line in lines[1:]), lines
    assert done.stdout.isascii() and "\x1b" not in done.stdout, done.stdout
    for words, why in (
        (("bucket", "watch", "--plot"), "draws one bucket"),
        (("bucket", "watch", "a", "b", "--plot"), "draws one bucket"),
        (("bucket", "watch", BUCKET, "--plot", "--json"), "--json"),
    ):
        refused = run(dripctl, listen, *words)
        assert refused.returncode == 2 and why in refused.stderr, refused
    missing = run(dripctl, listen, "bucket", "watch", "none", "--plot", "--count", "1")
    assert missing.returncode == 4, missing


def on_screen(screen, dripctl, listen, process):
    before = screen.state()
    watch = f"{dripctl} --server {listen} bucket watch {BUCKET} --plot --interval 200ms"
    screen.type(f"clear; {watch}; echo exit=$?", "Enter")
    screen.see(rf"{BUCKET}  \S+/s of {RATE}/s \(\d+\.\d %\)  backlog \d+ of 5000")
    screen.see(r"[▁▂▃▄▅▆▇█]{3}")
    assert screen.state().startswith("1 0"), "on the alternate screen, without a cursor"
    for width, height in ((50, 12), (120, 30)):
        screen.tmux("resize-window", "-x", str(width), "-y", str(height))
        until(
            lambda: screen.text().rstrip("\n").split("\n")[-1].startswith("q quit")
            and len(screen.text().rstrip("\n").split("\n")) == height,
            lambda: f"{height} lines:\n{screen.text()}",
        )
    screen.type("q")
    screen.see(r"exit=0")
    assert screen.state() == before, screen.state()
    screen.type(f"clear; {watch}; echo exit=$?", "Enter")
    screen.see(r"█ units wait")
    process.kill()
    process.wait()
    shown = screen.see(r"exit=3")
    assert "dripctl: UNAVAILABLE: no answer from" in shown, shown


def main():
    dripctl, dripd = sys.argv[1:]
    skip_without_tmux()
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        scratch = pathlib.Path(scratch)
        process, listen = start_dripd(dripd, dripctl, scratch)
        try:
            settings = ("--rate", f"{RATE}/s", "--capacity", "5000")
            assert run(dripctl, listen, "bucket", "set", BUCKET, *settings).returncode == 0
            fill(dripctl, listen, 100)
            plain_text(dripctl, listen)
            screen = Screen(scratch)
            try:
                on_screen(screen, dripctl, listen, process)
            finally:
                screen.close()
        finally:
            process.kill()
            process.wait()
    print("passed")


if __name__ == "__main__":
    main()
