# SPDX-License-Identifier: BSD-3-Clause
"""Runs one of the Lua scripts in a Pktgen of its own and reads its results."""
import dataclasses
import json
import os
import pathlib
import re
import signal
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import terminal
from node import TESTER_CPU

LOG_LINES = 20  # Of the log, in the description of a failure.
# Escape sequences of a terminal (ECMA-48), and control characters other than the line feed.
CONTROL = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|[@-Z\\-_0-9])|[\x00-\x09\x0b-\x1f]")


@dataclasses.dataclass
class Outcome:
    """What a script measured before its end, and why it failed; empty if it did not."""

    rows: list
    failure: str


def command(script, scratch):
    devices = [
        part
        for i, side in enumerate(("in", "out"))
        for part in (
            "--vdev",
            f"net_virtio_user{i},path={scratch / side}.sock,queue_size=1024,speed=10000",
        )
    ]
    lcores = f"0@{TESTER_CPU},1@{TESTER_CPU}"
    return [
        *("pktgen", "--lcores", lcores, "--no-pci", "--no-telemetry", "--in-memory"),
        *("--single-file-segments", "-m", "3400", f"--file-prefix=drip-pktgen-{os.getpid()}"),
        *devices,
        *("--", "-P", "-m", "1.[0-1]", "-f", str(script)),
    ]


def run(name, scratch, seconds, flows, limit_s):
    """Runs the script `name` for at most `limit_s` seconds against dripd's sockets in `scratch`."""
    results, log = scratch / f"{name}.jsonl", scratch / f"{name}.log"
    environment = {
        **os.environ,
        "DRIP_RESULTS": str(results),
        "DRIP_SECONDS": str(seconds),
        "DRIP_FLOWS": str(flows),
        "LUA_PATH": f"{HERE}/?.lua;;",
        "TERM": "xterm",
    }
    try:
        status = terminal.run(command(HERE / f"{name}.lua", scratch), environment, log, limit_s)
    except OSError as error:
        return Outcome([], f"Pktgen does not start: {error}")
    rows, errors = read(results)
    if errors:
        return Outcome(rows, "\n".join(errors))
    reason = bad_end(status, limit_s) or ("" if rows else "Pktgen ended without a result")
    return Outcome(rows, f"{reason}\n{tail(log)}" if reason else "")


def read(results):
    """Results and errors, by the lines of the file, which is not there if the script never ran."""
    rows, errors = [], []
    for line in results.read_text().splitlines() if results.exists() else []:
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            errors.append(f"unreadable result ({error}): {line}")
            continue
        if "error" in row:
            errors.append(f"the script failed: {row['error']}")
        else:
            rows.append(row)
    return rows, errors


def bad_end(status, limit_s):
    if status is None:
        return f"Pktgen had not ended after {limit_s:g} s and was stopped"
    if status < 0:
        return f"Pktgen was ended by {signal.Signals(-status).name}"
    return f"Pktgen ended with exit code {status}" if status > 0 else ""


def tail(log):
    lines = CONTROL.sub("", log.read_text(errors="replace")).split("\n")
    last = [line.rstrip() for line in lines if line.strip()][-LOG_LINES:]
    return "\n".join(["the end of its output:", *last] if last else ["it has written nothing"])
