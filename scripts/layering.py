#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Checks who includes whom, that each file says its license, and that none has a path of one machine.

The rooms and what each may include are those of docs/architecture.md. The compiler sees only what a
library links; this sees every #include line.
"""

import pathlib
import re
import subprocess
import sys

# A room: the rooms it may include besides itself, and the libraries. A file belongs to the room of the
# deepest directory listed here; the tests are free to include all.
ROOMS = {
    "include/drip": (set(), set()),
    "src/base": (set(), {"absl", "fmt"}),
    "src/packet": ({"base", "drip"}, {"absl"}),
    "src/classifier": ({"packet", "base", "drip"}, {"absl"}),
    "src/engine": ({"classifier", "packet", "drip"}, {"absl"}),
    "src/datapath/clock": ({"engine", "base", "drip"}, set()),
    "src/datapath/flows": ({"engine", "packet", "drip"}, set()),
    "src/datapath/memory": ({"drip"}, {"absl", "fmt", "numa"}),
    "src/datapath/spread": ({"engine", "drip"}, set()),
    "src/datapath": (
        {
            "datapath/clock",
            "datapath/flows",
            "datapath/memory",
            "datapath/spread",
            "engine",
            "classifier",
            "packet",
            "drip",
        },
        {"absl"},
    ),
    "src/datapath/poll_engine": (
        {
            "datapath",
            "datapath/clock",
            "datapath/flows",
            "datapath/memory",
            "datapath/spread",
            "engine",
            "classifier",
            "packet",
            "base",
            "drip",
        },
        {"absl", "fmt", "numa"},
    ),
    "src/traffic": ({"engine", "packet", "drip"}, {"absl"}),
    "src/netdev": ({"base", "drip"}, {"absl", "fmt", "bpf"}),
    "src/dpdk": (
        {"datapath/poll_engine", "datapath", "engine", "netdev", "base", "drip"},
        {"absl", "fmt", "rte", "bpf"},
    ),
    "src/access/audit": ({"base"}, {"absl", "fmt", "json"}),
    "src/access": ({"base"}, {"absl", "fmt", "openssl", "toml"}),
    "src/state": ({"base"}, {"absl", "fmt", "openssl"}),
    "src/control/model": (
        {"engine", "classifier", "packet", "base", "drip"},
        {"absl", "fmt"},
    ),
    "src/control/config": (
        {"control/model", "engine", "classifier", "base", "drip"},
        {"absl", "fmt"},
    ),
    "src/control/placement": (
        {"control/config", "control/model", "engine", "packet", "drip"},
        {"absl"},
    ),
    "src/control/explain": (
        {"control/config", "control/model", "engine", "classifier", "packet", "base", "drip"},
        {"absl"},
    ),
    "src/control/requests": (
        {"control/config", "control/model", "engine", "base", "drip"},
        {"absl", "fmt"},
    ),
    "src/control/convert": (
        {"control/config", "control/model", "engine", "classifier", "base", "drip", "proto"},
        {"absl", "fmt", "grpc"},
    ),
    "src/control/state": (
        {
            "state",
            "control/convert",
            "control/requests",
            "control/config",
            "control/model",
            "engine",
            "base",
            "drip",
            "proto",
        },
        {"absl", "fmt", "grpc"},
    ),
    "src/control/traffic": (
        {"traffic", "control/config", "control/model", "engine", "packet", "base", "drip"},
        {"absl"},
    ),
    "src/control/recorder": (
        {
            "control/traffic",
            "traffic",
            "control/config",
            "control/model",
            "engine",
            "base",
            "drip",
        },
        {"absl"},
    ),
    "src/control/origin": ({"access", "base"}, {"grpc"}),
    "src/control/rpc/clients": ({"base", "drip"}, {"absl"}),
    "src/control/rpc/calls": (
        {
            "control/origin",
            "control/rpc/clients",
            "control/traffic",
            "traffic",
            "access",
            "access/audit",
            "state",
            "control/convert",
            "control/config",
            "control/explain",
            "control/model",
            "control/requests",
            "engine",
            "base",
            "drip",
            "proto",
        },
        {"absl", "fmt", "grpc"},
    ),
    "src/control/rpc/streams": (
        {
            "control/origin",
            "control/rpc/clients",
            "control/traffic",
            "traffic",
            "control/rpc/calls",
            "access",
            "access/audit",
            "state",
            "control/convert",
            "control/config",
            "control/model",
            "control/recorder",
            "control/requests",
            "engine",
            "base",
            "drip",
            "proto",
        },
        {"absl", "fmt", "grpc"},
    ),
    "src/control/rpc": (
        {
            "control/origin",
            "control/rpc/clients",
            "control/traffic",
            "traffic",
            "access",
            "access/audit",
            "state",
            "control/rpc/calls",
            "control/rpc/streams",
            "control/convert",
            "control/config",
            "control/model",
            "control/requests",
            "engine",
            "base",
            "drip",
            "proto",
        },
        {"absl", "fmt", "grpc"},
    ),
    "src/control/listen": ({"access", "base"}, {"absl", "fmt", "grpc"}),
    "src/control/server": (
        {
            "control/listen",
            "control/traffic",
            "traffic",
            "access",
            "access/audit",
            "state",
            "control/rpc",
            "control/rpc/calls",
            "control/rpc/streams",
            "control/convert",
            "control/config",
            "control/model",
            "control/placement",
            "control/requests",
            "control/state",
            "engine",
            "base",
            "drip",
            "proto",
        },
        {"absl", "fmt", "grpc"},
    ),
    "src/cluster/redis": ({"base"}, {"absl", "fmt", "redis", "openssl"}),
    "src/cluster/membership": (
        {"cluster/redis", "control/model", "base", "proto"},
        {"absl", "fmt", "grpc"},
    ),
    "src/cluster/config": (
        {
            "cluster/membership",
            "cluster/redis",
            "control/convert",
            "control/config",
            "control/model",
            "base",
            "drip",
            "proto",
        },
        {"absl", "fmt", "grpc"},
    ),
    "src/cluster/queue": (
        {"cluster/redis", "control/config", "control/model", "engine", "base", "drip"},
        {"absl", "fmt"},
    ),
    "src/cluster/shares/lease": ({"engine", "drip"}, set()),
    "src/cluster/shares/store": (
        {"cluster/redis", "cluster/shares/lease", "base"},
        {"absl"},
    ),
    "src/cluster/shares": (
        {
            "cluster/redis",
            "cluster/shares/lease",
            "cluster/shares/store",
            "control/config",
            "control/model",
            "engine",
            "base",
            "drip",
        },
        {"absl"},
    ),
    "src/cluster": (
        {
            "cluster/config",
            "cluster/queue",
            "cluster/shares",
            "cluster/membership",
            "cluster/redis",
            "control/config",
            "control/model",
            "base",
            "drip",
        },
        {"absl", "fmt"},
    ),
    "src/http": ({"access", "base"}, {"absl", "fmt", "civetweb"}),
    "src/metrics/families": (
        {"control/model", "engine", "drip"},
        {"absl", "prometheus"},
    ),
    "src/metrics": (
        {
            "access",
            "control/traffic",
            "traffic",
            "metrics/families",
            "http",
            "state",
            "control/server",
            "control/rpc/calls",
            "control/config",
            "control/model",
            "engine",
            "base",
            "drip",
        },
        {"absl", "fmt", "prometheus"},
    ),
    "src/front/link": ({"base"}, {"absl", "grpc"}),
    "src/front/proxy": ({"control/origin", "base", "proto"}, {"grpc"}),
    "src/front/http": ({"front/link", "http", "base"}, {"grpc"}),
    "src/front/supervisor": (
        {"front/link", "control/model", "access", "base"},
        {"absl"},
    ),
    "src/front": (
        {
            "front/link",
            "front/proxy",
            "front/http",
            "http",
            "control/listen",
            "access",
            "base",
        },
        {"absl", "fmt", "grpc"},
    ),
    "src/dpdk/telemetry": ({"base"}, {"absl", "rte"}),
    "src/telemetry": (
        {
            "control/traffic",
            "traffic",
            "dpdk/telemetry",
            "control/rpc/calls",
            "control/config",
            "control/model",
            "engine",
            "base",
            "drip",
        },
        {"absl"},
    ),
    "src/web": (
        {
            "control/traffic",
            "traffic",
            "http",
            "control/recorder",
            "control/rpc",
            "control/rpc/calls",
            "control/config",
            "control/model",
            "engine",
            "base",
            "drip",
        },
        {"absl", "fmt", "json"},
    ),
    "src/daemon": (
        {
            "front",
            "front/http",
            "front/link",
            "front/supervisor",
            "control/listen",
            "access",
            "access/audit",
            "state",
            "cluster",
            "cluster/membership",
            "http",
            "metrics",
            "telemetry",
            "web",
            "control/server",
            "control/model",
            "dpdk",
            "datapath/poll_engine",
            "datapath",
            "engine",
            "base",
            "drip",
            "proto",
        },
        {"absl", "fmt", "grpc", "numa", "redis", "cli11", "toml", "spdlog"},
    ),
    "src/cli/session": ({"base", "proto"}, {"absl", "fmt", "grpc", "cli11", "json", "toml"}),
    "src/cli/output": ({"base", "proto"}, {"absl", "fmt", "grpc", "json"}),
    "src/cli/fields": (
        {"cli/session", "cli/output", "base", "drip", "proto"},
        {"absl", "fmt", "grpc", "cli11", "json", "toml"},
    ),
    "src/cli/screen": (set(), {"ncurses"}),
    "src/cli/plot": ({"cli/screen", "base"}, {"fmt"}),
    "src/cli/top": (
        {"cli/screen", "cli/session", "cli/output", "base", "proto"},
        {"fmt", "grpc"},
    ),
    "src/cli/doctor": (set(), {"fmt"}),
    "src/cli/commands": (
        {
            "access",
            "cli/doctor",
            "cli/plot",
            "cli/screen",
            "cli/top",
            "cli/session",
            "cli/fields",
            "cli/output",
            "base",
            "drip",
            "proto",
        },
        {"absl", "fmt", "grpc", "cli11", "json"},
    ),
    "src/cli": ({"cli/commands", "cli/session", "cli/output"}, {"fmt", "cli11"}),
    "src/bench/link": ({"base"}, {"fmt", "cli11"}),
    "src/bench/report": (set(), {"absl", "fmt", "json"}),
    "src/bench/path": (
        {
            "bench/report",
            "control/config",
            "control/placement",
            "control/requests",
            "datapath/poll_engine",
            "datapath/flows",
            "datapath/memory",
            "datapath/clock",
            "datapath",
            "engine",
            "classifier",
            "packet",
            "base",
            "drip",
        },
        {"absl", "fmt", "rte", "json"},
    ),
    "src/bench/path/throttled": (
        {
            "bench/path",
            "bench/report",
            "datapath/poll_engine",
            "datapath/memory",
            "datapath/clock",
            "base",
            "drip",
        },
        {"absl", "fmt", "rte"},
    ),
    "src/bench/control": (
        {"bench/report", "control/server", "base", "drip", "proto"},
        {"absl", "fmt", "grpc", "cli11"},
    ),
    "src/bench/cluster": (
        {"bench/control", "bench/report", "base", "proto"},
        {"absl", "fmt", "grpc", "cli11"},
    ),
    "src/bench": (
        {
            "bench/path",
            "bench/control",
            "bench/cluster",
            "bench/report",
            "dpdk",
            "datapath/poll_engine",
            "datapath/clock",
            "drip",
        },
        {"absl", "fmt", "cli11"},
    ),
}
LIBRARIES = [
    ("rte", re.compile(r"(rte|cmdline)_\w+\.h$")),
    ("bpf", re.compile(r"(bpf|xdp)/")),
    ("absl", re.compile(r"absl/")),
    ("fmt", re.compile(r"fmt/")),
    ("numa", re.compile(r"numa(if)?\.h$")),
    ("grpc", re.compile(r"(grpc|grpcpp|google/protobuf)/")),
    ("redis", re.compile(r"hiredis/")),
    ("openssl", re.compile(r"openssl/")),
    ("cli11", re.compile(r"CLI/")),
    ("json", re.compile(r"nlohmann/")),
    ("toml", re.compile(r"toml\+\+/")),
    ("ncurses", re.compile(r"ncurses\.h$")),
    ("spdlog", re.compile(r"spdlog/")),
    ("prometheus", re.compile(r"prometheus/")),
    ("civetweb", re.compile(r"civetweb\.h$")),
    ("benchmark", re.compile(r"benchmark/")),
]
# Rooms that use nothing of the operating system: standard C++ and the libraries above.
PURE = {"include/drip", "src/packet", "src/classifier", "src/engine"}
# Text to address and back: functions of their arguments alone.
PURE_SYSTEM = {"src/packet": {"arpa/inet.h"}}
STANDARD = re.compile(r"[a-z_0-9]+$")

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)
CPP = {".h", ".cc", ".inl"}
LICENSED = CPP | {".proto", ".py", ".sh", ".lua"}
LICENSE_LINE = "SPDX-License-Identifier: BSD-3-Clause"
OUR_PLACES = re.compile(r"(?<![\w.])/(home|work|root|Users)/\w")


def files() -> list[pathlib.Path]:
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", "-z"],
        check=True,
        capture_output=True,
        text=True,
    )
    paths = (pathlib.Path(name) for name in listed.stdout.split("\0") if name)
    return sorted(path for path in paths if path.is_file())


def room_of(path: pathlib.PurePath) -> str | None:
    """The deepest room whose directory holds `path`."""
    for parent in path.parents:
        if parent.as_posix() in ROOMS:
            return parent.as_posix()
    return None


def name_of(room: str) -> str:
    """A room as ROOMS refers to it."""
    return room.removeprefix("src/") if room.startswith("src/") else "drip"


def target_of(path: pathlib.Path, name: str) -> str | None:
    """The room or library that `name` belongs to; None for the standard library and the system."""
    if name.startswith("drip/v1/"):
        return "proto"
    for root in ("src", "include"):
        room = room_of(pathlib.PurePath(root) / name)
        if room is not None and (pathlib.Path(root) / name).is_file():
            return name_of(room)
    if (path.parent / name).is_file() or name.endswith(("_lua.h", "_script.h")):
        return name_of(room_of(path))
    if name.endswith(".pb.h"):
        # Generated from the .proto beside the others of its room.
        room = room_of(pathlib.PurePath("src") / name)
        return None if room is None else name_of(room)
    for library, pattern in LIBRARIES:
        if pattern.match(name):
            return library
    return None


def include_errors(path: pathlib.Path, text: str) -> list[str]:
    room = room_of(path)
    if room is None:
        return []
    rooms, libraries = ROOMS[room]
    allowed = rooms | libraries | {name_of(room)}
    errors = []
    for match in INCLUDE.finditer(text):
        name = match[2]
        line = text.count("\n", 0, match.start(2)) + 1
        target = target_of(path, name)
        if target is None:
            if match[1] == '"':
                errors.append(f'{path}:{line}: "{name}" is no file of ours and no known library')
            elif (
                room in PURE
                and not STANDARD.match(name)
                and name not in PURE_SYSTEM.get(room, set())
            ):
                errors.append(f"{path}:{line}: {room} is pure, and <{name}> is not standard C++")
        elif target not in allowed:
            errors.append(f"{path}:{line}: {room} may not include {target} ({name})")
    return errors


def license_errors(path: pathlib.Path, text: str) -> list[str]:
    script = text.startswith("#!")
    if not (path.suffix in LICENSED or script or path.name.startswith("meson")):
        return []
    lines = text.splitlines()
    line = (lines[1:2] if script else lines[:1]) or [""]
    if LICENSE_LINE in line[0]:
        return []
    return [f"{path}:{2 if script else 1}: does not begin with '{LICENSE_LINE}'"]


def place_errors(path: pathlib.Path, text: str) -> list[str]:
    return [
        f"{path}:{number}: names a place on one machine: {line.strip()[:60]}"
        for number, line in enumerate(text.splitlines(), 1)
        if OUR_PLACES.search(line)
    ]


def main() -> int:
    errors = []
    checked = 0
    for path in files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue  # A picture, a pcap.
        checked += 1
        if path.suffix in CPP:
            errors += include_errors(path, text)
        errors += license_errors(path, text)
        errors += place_errors(path, text)
    print("\n".join(errors) if errors else f"Layering: {checked} files are as they should be.")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
