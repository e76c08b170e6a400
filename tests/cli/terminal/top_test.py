#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""`dripctl top` in a real terminal (tmux) with a real dripd of 10,000 buckets: keys, a resize, and
that the terminal is as it was after q, Ctrl-C, Ctrl-Z, and when dripd goes away. DRIPCTL DRIPD
"""
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

from screen import Screen, skip_without_tmux, start_dripd, until

BUCKETS = 10_000


def configuration(scratch):
    config = scratch / "dripd.toml"
    config.write_text(
        '[[buckets]]\nbucket_id = "tree"\ninner = true\nleak_rate = 1000\n'
        '[[buckets]]\nbucket_id = "tree-leaf"\nparent_id = "tree"\nleak_rate = 0.5\n'
        "capacity = 100\n"
        + "".join(
            f'[[buckets]]\nbucket_id = "cust-{i:05}"\nleak_rate = 100\ncapacity = 4\n'
            for i in range(BUCKETS)
        )
    )
    return config


def screens(screen, dripctl, listen, dripd):
    def top(arguments=""):
        screen.type("clear; stty -g > $HOME/before; ", "Enter")
        screen.type(f"{dripctl} --server {listen} top {arguments}; echo exit=$?", "Enter")
        screen.see(r"BUCKET +RATE")

    def restored(code):
        shown = screen.see(rf"exit={code}\n")
        assert screen.state() == before, f"{screen.state()} is not {before}"
        screen.type("clear; stty -g | cmp - $HOME/before && echo as-before", "Enter")
        screen.see(r"(?m)^as-before$")
        return shown

    screen.see(r"\$")
    before = screen.state()
    top("--sort backlog --interval 200ms")
    screen.see(r"tree-leaf .* \d\d .*itself")
    shown = screen.see(rf"{BUCKETS + 2} buckets")
    assert "BACKLOG▼" in shown and "WAITS FOR" in shown, shown
    assert screen.state().startswith("1 0"), "on the alternate screen, without a cursor"
    # What has left: the tree; what is typed: a filter.
    screen.type("t")
    screen.see(r"└─ tree-leaf")
    screen.type("/", "CUST-0999")
    screen.see(r"ids that contain: CUST-0999_")
    screen.see(r"cust-09990")
    screen.type("Enter", "s", "r")
    shown = screen.see(r"P50▲")
    assert "tree-leaf" not in shown and "filter CUST-0999" in shown, shown
    screen.type("Escape")
    screen.see(rf"1-\d+ of {BUCKETS + 2}")
    screen.type("End")
    screen.see(rf"-{BUCKETS + 2} of {BUCKETS + 2}")
    screen.type("Space")
    screen.see(r"paused")
    screen.type("?")
    screen.see(r"reverse the order")
    screen.type("?", "Space")
    # A smaller terminal, then a larger one.
    for width, height in ((60, 12), (140, 40), (20, 3), (120, 30)):
        screen.tmux("resize-window", "-x", str(width), "-y", str(height))
        until(
            lambda: screen.text().rstrip("\n").split("\n")[-1].startswith("q quit")
            and len(screen.text().rstrip("\n").split("\n")) == height,
            lambda: f"{height} lines:\n{screen.text()}",
        )
        if width >= 60:
            title = screen.see(r"BUCKET")
            assert ("WAITS FOR" in title) == (width >= 110), title
    screen.type("q")
    restored(0)
    top()
    screen.type("C-c")
    restored(0)
    # Ctrl-Z gives the shell its terminal, and fg brings the screen back.
    top()
    screen.type("C-z")
    screen.see(r"Stopped")
    assert screen.state() == before, screen.state()
    screen.type("clear; fg; echo exit=$?", "Enter")
    screen.see(r"BUCKET +RATE")
    screen.type("q")
    restored(0)
    top()
    dripd.send_signal(signal.SIGKILL)
    dripd.wait()
    assert "dripctl: UNAVAILABLE: no answer from" in restored(3)


def plain_text(dripctl, listen):
    def run(*arguments):
        command = [dripctl, "--server", listen, "top", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    once = run("--once", "--interval", "500ms", "--rows", "3", "--filter", "tree")
    assert "\x1b" not in once and re.search(r"\ntree-leaf .* \d\d .* itself", once), once
    assert len(run("--count", "2", "--interval", "100ms", "--rows", "2").split("\n\n")) == 2
    tops = [json.loads(line) for line in run("--count", "2", "--json", "--tree").splitlines()]
    assert [len(top["buckets"]) for top in tops] == [50, 50]
    assert tops[1]["node"]["buckets"] == BUCKETS + 2 and tops[1]["rows"] == BUCKETS + 2
    assert tops[1]["measured_over_ns"] > 0


def main():
    dripctl, dripd = sys.argv[1:]
    skip_without_tmux()
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        scratch = pathlib.Path(scratch)
        flags = ("--config", configuration(scratch))
        process, listen = start_dripd(dripd, dripctl, scratch, *flags)
        try:
            allow = [dripctl, "--server", listen, "request", "allow", "tree-leaf"]
            for _ in range(99):
                subprocess.run(allow, check=True, capture_output=True)
            plain_text(dripctl, listen)
            screen = Screen(scratch)
            try:
                screens(screen, dripctl, listen, process)
            finally:
                screen.close()
        finally:
            process.kill()
            process.wait()
    print("top: keys, sizes, and a terminal that is as it was")


if __name__ == "__main__":
    main()
