#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""pktgen.sh with a stand-in for Pktgen: the Lua scripts run, a run that fails takes no result with
it, and who has no Pktgen is told how to build it. BUILD"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "system"))
import stage
from stage import check

ROOT = pathlib.Path(__file__).parents[2]
STAND_IN = pathlib.Path(__file__).parent / "stand_in"
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
MOST_PPS = 5e6  # What the stand-in receives.
CASES = {
    "single_size": ["64 bytes", "128 bytes", "256 bytes", "512 bytes", "1024 bytes", "1518 bytes"],
    "imix": ["IMIX"],
    "many_flows": ["1024 flows"],
    "rfc2544": 9 * ["RFC 2544 trial, 64 bytes"] + ["RFC 2544 throughput, 64 bytes"],
    "spacing": ["rate and spacing"],
}


def pktgen_sh(build, out, *arguments, path=f"{STAND_IN}:{SYSTEM_PATH}", faults=""):
    environment = {
        **os.environ,
        "PATH": path,
        "STAND_IN_PPS": str(MOST_PPS),
        "STAND_IN_FAULTS": faults,
    }
    done = subprocess.run(
        [ROOT / "scripts/pktgen/pktgen.sh", "--build", build, "--out", out, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    print(done.stdout, done.stderr, sep="")
    if "not possible here" in done.stderr:
        stage.skip(done.stderr.strip().splitlines()[-1])
    return done


def result_in(out):
    check((out / "pktgen.md").stat().st_size > 0, "pktgen.md is not empty")
    return json.loads((out / "pktgen.json").read_text())


def check_all_succeed(build, out):
    done = pktgen_sh(build, out)
    check(done.returncode == 0, f"all runs succeed: {done.returncode}")
    result = result_in(out)
    check(result["failures"] == [], "no failures")
    check(len(result["balances"]) == len(CASES), "the balance of each run")
    rows = result["rows"]
    wanted = [case for cases in CASES.values() for case in cases]
    check([row["case"] for row in rows] == wanted, f"cases: {[row['case'] for row in rows]}")
    best = next(row for row in rows if row["case"].startswith("RFC 2544 throughput"))
    off = best["sent_pps"] / MOST_PPS - 1
    check(-0.015 < off <= 0 and best["lost"] == 0, f"the bisection ends at {best}")
    imix = next(row for row in rows if row["case"] == "IMIX")
    mean = (7 * 60 + 4 * 590 + 1514) / 12
    check(abs(imix["frame_bytes"] - mean) < 1e-3, f"mean frame of IMIX: {imix['frame_bytes']}")
    spacing = rows[-1]
    check(spacing["latency_packets"] > 0 and spacing["avg_us"] > 0, f"latency: {spacing}")


def check_failures_are_kept_apart(build, out):
    """A run of each kind of failure; rfc2544 fails at its fourth measurement."""
    faults = {
        "single_size": ("error@3", "this fault was asked for", 2),
        "imix": ("hang@1", "had not ended after 5 s", 0),
        "many_flows": ("exit@1", "exit code 3", 0),
        "rfc2544": ("kill@4", "SIGKILL", 3),
    }
    text = " ".join(f"{name}={fault}" for name, (fault, _, _) in faults.items())
    done = pktgen_sh(build, out, "--time-limit", "5", faults=text)
    check(done.returncode == 1, f"a failed run makes the exit status 1: {done.returncode}")
    result = result_in(out)
    failures = {failure["run"]: failure["why"] for failure in result["failures"]}
    check(set(failures) == set(faults), f"failures: {failures}")
    wanted = [case for name in CASES for case in CASES[name][: faults.get(name, (0, 0, None))[2]]]
    cases = [row["case"] for row in result["rows"]]
    check(cases == wanted, f"what was measured is kept: {cases}")
    page = (out / "pktgen.md").read_text()
    for name, (_, reason, _) in faults.items():
        check(reason in failures[name], f"{name}: '{reason}' is said: {failures[name]}")
        check(reason in page and reason in done.stderr, f"{name}: '{reason}' on page and stderr")
    # Of those that do not say themselves why, the end of what they wrote.
    check("stand-in for Pktgen" in failures["imix"], f"the log of imix: {failures['imix']}")


def check_missing(build, out):
    if shutil.which("pktgen", path=SYSTEM_PATH):
        print("There is a pktgen on this machine: what is said without one is not checked.")
        return
    done = pktgen_sh(build, out, path=SYSTEM_PATH)
    check(done.returncode == 3, f"without Pktgen the exit status is 3: {done.returncode}")
    commands = [line for line in done.stderr.splitlines() if line.startswith("    ")]
    check(len(commands) >= 3, f"commands: {commands}")
    guide = (ROOT / "docs/guide/pktgen.md").read_text()
    check("\n".join(commands) in guide, "the guide has the same commands")


def main():
    build = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        for number, step in enumerate(
            (check_missing, check_all_succeed, check_failures_are_kept_apart)
        ):
            step(build, pathlib.Path(scratch) / str(number))


if __name__ == "__main__":
    main()
