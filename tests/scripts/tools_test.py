#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The tools that developers call: what they say of suites and packages is true, and a summary of tests
names what failed and what was skipped. BUILD"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"


def run(*command):
    return subprocess.run(command, capture_output=True, text=True)


def check(holds, what):
    if not holds:
        sys.exit(f"FAILED: {what}")


def check_suites(build):
    help_text = run(SCRIPTS / "test.sh", "--help").stdout
    told = re.findall(r"^  ([a-z]+)  +\S", help_text, re.MULTILINE)
    tests = json.loads(run("meson", "introspect", build, "--tests").stdout)
    known = {suite.split(":")[-1] for test in tests for suite in test["suite"]}
    known |= {"guest", "packages"}  # Of builds with -Dguest_tests=true, -Dpackage_tests=true.
    check(set(told) == known, f"test.sh --help tells of the suites {told}, there are {known}")


def check_usage():
    for script in (
        "run.sh",
        "cluster.sh",
        "test.sh",
        "package.sh",
        "bench/all.sh",
        "bench/kernel.sh",
    ):
        done = run(SCRIPTS / script, "--help")
        check(done.returncode == 0 and script in done.stdout, f"{script} --help: {done}")
        done = run(SCRIPTS / script, "--no-such-option")
        check(done.returncode == 2 and done.stderr, f"{script} --no-such-option: {done}")
    # What only the program behind a script can judge is said in the script's name.
    done = run("/usr/bin/python3", SCRIPTS / "bench/queue_delay.py", "--rate", "x")
    told = "queue_delay.sh: argument --rate: invalid float value: 'x' (see queue_delay.sh --help)\n"
    check(done.returncode == 2 and done.stderr == told, f"--rate x: {done}")


def check_packages():
    done = run(SCRIPTS / "install_packages.sh", "no-such-group")
    check(done.returncode == 1 and "no-such-group" in done.stderr, f"unknown group: {done}")


def check_summary():
    skipped = "[ RUN ]\na.cc:1: Skipped\nno NIC\n\n[  SKIPPED ] Port.Opens (0 ms)\n"
    log = [
        {"name": "drip:unit / good", "result": "OK", "stdout": skipped},
        {"name": "drip:smoke+slow / bad", "result": "FAIL"},
        {"name": "drip:smoke / absent", "result": "SKIP", "stdout": "one\nnot root\n"},
    ]
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        path = pathlib.Path(scratch) / "testlog.json"
        check(run(SCRIPTS / "test_summary.py", path).returncode == 1, "no log is a failure")
        path.write_text("\n".join(map(json.dumps, log)))
        done = run(SCRIPTS / "test_summary.py", path)
        check(done.returncode == 1, "a failed test is a failure")
        for line in (
            "unit         1 passed",
            "smoke        1 failed, 1 skipped",
            "SKIPPED absent: not root",
            "SKIPPED good: Port.Opens: no NIC",
            "FAILED  bad (fail)",
        ):
            check(line in done.stdout, f"the summary has no line '{line}':\n{done.stdout}")
        path.write_text(json.dumps(log[0]))
        check(run(SCRIPTS / "test_summary.py", path).returncode == 0, "a good run is none")


def check_unit_file():
    """systemd understands every line of the unit file."""
    if shutil.which("systemd-analyze") is None:
        print("dripd.service is not checked: there is no systemd-analyze")
        return
    text = (SCRIPTS / "packaging/dripd.service").read_text()
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        path = pathlib.Path(scratch) / "dripd.service"
        path.write_text(text.replace("/usr/local/bin/dripd", "/bin/true"))
        done = run("systemd-analyze", "verify", "--man=no", path)
        wrong = [line for line in done.stderr.splitlines() if "dripd.service" in line]
        check(not wrong, f"dripd.service: {wrong}")


def main():
    check_suites(sys.argv[1])
    check_usage()
    check_packages()
    check_summary()
    check_unit_file()


if __name__ == "__main__":
    main()
