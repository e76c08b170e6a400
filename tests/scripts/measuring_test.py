#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A measuring script in its quick form: its counts add up, it writes the files that it names, and its
report can be made again of the JSON. No time is judged. BUILD SCRIPT REPORT JSON MARKDOWN..."""
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "system"))
import stage

SCRIPTS = pathlib.Path(__file__).parents[2] / "scripts"


def main():
    build, script, report, *outputs = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="drip-") as out:
        done = subprocess.run(
            [SCRIPTS / script, "--quick", "--build", build, "--out", out],
            stderr=subprocess.PIPE,
            text=True,
        )
        print(done.stderr, end="", file=sys.stderr)
        if "not possible here" in done.stderr:
            stage.skip(done.stderr.strip().splitlines()[-1])
        if done.returncode != 0:
            sys.exit(f"FAILED: {script} returned {done.returncode}")
        for name in outputs:
            path = pathlib.Path(out) / name
            if not path.exists() or path.stat().st_size == 0:
                sys.exit(f"FAILED: there is no {name}")
        data, page = (pathlib.Path(out) / name for name in outputs[:2])
        made = subprocess.run([SCRIPTS / report, data], capture_output=True, text=True, check=True)
        if made.stdout != page.read_text():
            sys.exit(f"FAILED: {report} makes another page of {data.name}")
        result = json.loads(data.read_text())
    checks = result["checks"]
    wrong = [check["what"] for check in checks if not check["holds"]]
    if not checks or wrong:
        sys.exit(f"FAILED: {wrong or 'nothing was checked'}")
    print(f"{len(checks)} counts add up")


if __name__ == "__main__":
    main()
