#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every command of Redis that a script of ours calls is one that the user of docs/cluster.md may
run, and one that a node tries when it joins: redis_commands_test.py ROOT"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
scripts = sorted((root / "src/cluster").rglob("*.lua"))
rights = root / "src/cluster/membership/check_rights.lua"
called = {}
for script in scripts:
    for command in re.findall(r"redis\.p?call\('(\w+)'", script.read_text()):
        called.setdefault(command.lower(), script.relative_to(root))
tried = {name.lower() for name in re.findall(r"(?:\{|try\()'([A-Z]+)'", rights.read_text())}
page = (root / "docs/cluster.md").read_text()
user = re.search(r"ACL SETUSER drip (?:.*\\\n)*.*", page)[0]
allowed = set(re.findall(r"\+([a-z]+)", user))

faults = []
for command, script in sorted(called.items()):
    if command not in allowed:
        faults.append(f"{script} calls {command}, which docs/cluster.md does not allow")
    if command not in tried:
        faults.append(f"{script} calls {command}, which {rights.relative_to(root)} does not try")
if len(called) < 20 or len(scripts) < 10:
    faults.append(f"only {len(called)} commands were found in {len(scripts)} scripts")
if faults:
    sys.exit("\n".join(["FAILED:", *faults]))
print(f"{len(called)} commands of {len(scripts)} scripts")
