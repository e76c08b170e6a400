#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The API passes buf's rules and is compatible with the baseline; a change that breaks clients is
found. BUILD"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(*arguments):
    done = subprocess.run(
        [ROOT / "scripts/api_check.sh", *arguments], capture_output=True, text=True
    )
    if done.returncode == 77:
        print(done.stderr)
        sys.exit(77)
    return done


def check(holds, what):
    if not holds:
        sys.exit(f"FAILED: {what}")


def after(file, old, new):
    """What is found when a text of the API is another one."""
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        copy = pathlib.Path(scratch) / "drip/v1"
        copy.mkdir(parents=True)
        for proto in (ROOT / "include/drip/v1").glob("*.proto"):
            shutil.copy(proto, copy)
        text = (copy / file).read_text()
        check(old in text, f"{file} has no '{old}'")
        (copy / file).write_text(text.replace(old, new, 1))
        return run(scratch)


def main():
    done = run()
    check(done.returncode == 0, f"{done.stdout}{done.stderr}")
    for file, old, new, said in (
        ("rate_limiter.proto", "  string bucket_id = 1;", "  int64 bucket_id = 1;", "type"),
        ("rate_limiter.proto", "  string bucket_id = 1;", "  string bucket = 1;", "name"),
        ("rate_limiter.proto", "  string bucket_id = 1;", "  string bucket_id = 99;", "deleted"),
        ("rate_limiter.proto", "rpc AllowRequest(", "rpc AskRequest(", "AllowRequest"),
        (
            "bucket.proto",
            "message Bucket {",
            "message Bucket {\n  int32 badName = 9000;",
            "badName",
        ),
    ):
        done = after(file, old, new)
        check(done.returncode == 1 and said in done.stdout, f"{new!r} is not found: {done}")
    # A new field breaks nobody.
    done = after("bucket.proto", "message Bucket {", "message Bucket {\n  int32 good_name = 9000;")
    check(done.returncode == 0, f"a new field: {done}")


if __name__ == "__main__":
    main()
