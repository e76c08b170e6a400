#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the commands of docs/operations.md, in their order and in one shell, in namespaces of
network, mounts and processes of its own: BUILD PAGE"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import stage
from stage import Failure, check

MONITORING = "/usr/local/share/drip/monitoring"
NEEDED = "ip iperf3 ethtool ping tcpdump jq curl prometheus promtool".split()
END = "== end of block"
FAILED = "== failed: "
# What the output of the block that has this text must match.
EXPECTED = {
    "dripctl node show": r"shaper-1",
    "ping -c 3": r"3 received",
    "dripctl explain '10.99.0.1:4000>10.99.0.2:5002/udp'": r"(?s)goes to +bucket cust-2.*now +admitted",
    # How much each gets depends on the machine's load: the shares are tree_test's to check.
    "top --tree --once": r"(?s)uplink +\S+bit.* 20mbit.*cust-1 +\S+bit .*cust-2 +\S+bit ",
    "--rate 4mbit": r"(?s)uplink.*cust-2.*BACKLOG.*bit +4mbit +\S+%",
    "http://127.0.0.1:8080/": r"<title>.*[Dd]rip",
    "promtool query instant": r"(?s)SUCCESS.*cust-1.*cust-2",
    "DripPortDown": r'(?s)"firing".* down',
    "link set eth0 up\nuntil": r"(?s)true.*cust-1 +\S+bit ",
    "bucket show cust-2": r"sojourn",
    "dripctl rule list": r"(?s)goes to +bucket cust-1.*cust-2",
    "dripctl lcore list": r"LATE P99",
    "tcpdump -r lost.pcap": r"(?s)20 frames of bucket cust-2 captured.*(\.5002: UDP.*){3}",
    "wait %dripd": r"stopped; 0 units",
}


def blocks_of(page):
    """Of commands: those that are indented, without the ones that say that they are not run."""
    block, skipped, before = [], False, ""
    for line in [*page.read_text().splitlines(), "end"]:
        if line.startswith("    ") or (not line and block):
            block.append(line[4:])
            continue
        if block:
            text = "\n".join(block).rstrip() + "\n"
            if not skipped:
                yield text
            block, skipped = [], False
        if line.startswith("<!-- not run: "):
            skipped = True
        elif line:
            skipped = False
        before = line
    check(before == "end", "the page has an end")


def run_blocks(build, page, scratch):
    """In the namespaces."""
    root = pathlib.Path(__file__).parents[2]
    for command in (
        "mount --make-rprivate /",
        "mount -t tmpfs tmpfs /run",  # Where `ip netns` has its names.
        "mount -t proc proc /proc",
        "mount -t sysfs sysfs /sys",
        "ip link set lo up",
    ):
        subprocess.run(command.split(), check=True)
    path = f"{build}/src/daemon:{build}/src/cli:{os.environ['PATH']}"
    shell = subprocess.Popen(
        ["bash", "--norc", "-m"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=scratch,
        env={**os.environ, "PATH": path, "HOME": str(scratch), "LANG": "C.UTF-8"},
    )
    shell.stdin.write(f"set -e\ntrap 'echo; echo \"{FAILED}$BASH_COMMAND\"' ERR\n")
    seen = set()
    for block in blocks_of(page):
        print(f"\n{block}", flush=True)
        commands = block.replace(MONITORING, str(root / "scripts/packaging/monitoring"))
        shell.stdin.write(f"{commands}\necho; echo '{END}'\n")
        shell.stdin.flush()
        output = []
        for line in shell.stdout:
            if line.rstrip() == END:
                break
            print(f"  | {line}", end="", flush=True)
            output.append(line)
            # The page's background programs keep the pipe open.
            check(not line.startswith(FAILED), f"a command failed of\n{block}")
        else:
            raise Failure(f"a command failed of\n{block}")
        for text, expected in EXPECTED.items():
            if text in block:
                seen.add(text)
                check(re.search(expected, "".join(output)), f"no {expected} of {text}")
    shell.stdin.close()
    shell.wait(60)
    unseen = set(EXPECTED) - seen
    check(not unseen, f"not on the page: {unseen}")


def main():
    build, page = map(pathlib.Path, sys.argv[1:3])
    if len(sys.argv) == 4:  # In the namespaces, of which this is the first process.
        run_blocks(build, page, sys.argv[3])
        return
    if os.geteuid() != 0:
        stage.skip("not root")
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        stage.skip(f"not installed: {', '.join(missing)}")
    if reason := stage.cannot("af_xdp"):
        stage.skip(reason)
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        # What is left of the page's processes ends with their namespace.
        command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child"]
        inner = [sys.executable, __file__, str(build.resolve()), str(page), scratch]
        done = subprocess.run([*command, *inner])
        if done.returncode != 0:
            for log in ("dripd.log", "prometheus.log"):
                if (path := pathlib.Path(scratch, "shaper", log)).exists():
                    print(f"{log}:\n{path.read_text()}")
            sys.exit(done.returncode)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")
    print("passed")
