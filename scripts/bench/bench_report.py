#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Pages of all.sh's figures: bench_report.py OUT_DIR PAGE.MD. PAGE.MD is the summary; the long tables and
the plots go to a folder PAGE.

bench_report.py --note RESULT.JSON COMMAND... notes in a result file where it comes from."""
import json
import pathlib
import re
import shlex
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lib"))
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "pktgen"))
import control_report
import kernel_report
import machine
import peers
import scale_report
import targets
import testpmd_report
import throttled_report
from bench_plots import STAGES, plots
from figures import count_text, shown, text
from markdown import table


def duration_text(us):
    return f"{us / 1000:g} ms" if us >= 1000 else f"{us:g} us"


def cost(rows):
    parts = []
    for order in dict.fromkeys(row["order"] for row in rows):
        mine = {
            (row["path"], row["buckets"]): row["cycles"] for row in rows if row["order"] == order
        }
        counts = sorted({buckets for _, buckets in mine})
        lines = [
            [path, *(shown(mine[path, n]) if (path, n) in mine else "" for n in counts)]
            for path in STAGES
        ]
        for path in ("straight", "scheduled"):
            lines.append(
                [
                    f"{path} / librte_sched",
                    *(
                        text(mine[path, n]["median"] / mine["librte_sched", n]["median"])
                        if ("librte_sched", n) in mine
                        else ""
                        for n in counts
                    ),
                ]
            )
        parts.append(
            f"{order}, cycles a packet by number of buckets:\n\n"
            + table(["path", *map(count_text, counts)], lines)
        )
    return """### Cost of a packet, nothing throttled

64-byte frames, one core. *straight*: admit and depart of a bucket whose packets leave at the start of
their service; *scheduled*: admit, timing wheel, depart, at the end of it; *librte_sched*: enqueue and
dequeue of a pipe for each bucket, one class in use. *source*: mbufs allocated, written, freed;
*parse* and *classify* add these stages (a rule for each bucket); *whole*: dripd's loop with all of it.

""" + "\n".join(
        parts
    )


def trees(rows):
    counts = sorted({row["leaves"] for row in rows})
    parts = []
    for bottleneck, title in (
        ("root", "root at the bottleneck"),
        ("leaves", "leaves at the bottleneck"),
        ("idle", "nothing at the bottleneck, each packet leaves at once"),
    ):
        mine = [row for row in rows if row["bottleneck"] == bottleneck]
        # A shape is named by how it grows: 16 x 1024 x 4 at 64k leaves.
        lines = {}
        for row in mine:
            fan_outs = row["shape"].split(" x ")
            key = (row["path"], row["levels"], len(fan_outs) == 3 and fan_outs[1] == "64")
            lines.setdefault(key, {})[row["leaves"]] = row
        tables = []
        for (path, levels, _), by_leaves in sorted(lines.items()):
            largest = by_leaves[max(by_leaves)]
            tables.append(
                [
                    path,
                    str(levels),
                    largest["shape"],
                    *(shown(by_leaves[n]["cycles"]) if n in by_leaves else "" for n in counts),
                ]
            )
        head = ["path", "levels above", "shape, at most leaves", *map(count_text, counts)]
        parts.append(f"{title}, cycles a packet by number of leaves:\n\n" + table(head, tables))
    return """### Trees

One tree a core, 64-byte frames, all nodes with a ceiling; packets come for all leaves in turn, in bursts
of 32. Closed loops in virtual time: a packet that leaves is used again, so that all cycles are of work.
librte_sched has the same levels (port, subport, pipe, queue of the best-effort class) and none of its
rates binds; as its pipes go by the TSC, it has no loop with the leaves at the bottleneck.

""" + "\n".join(
        parts
    )


def queues(rows):
    shapes = list(dict.fromkeys((row["leaves"], row["flows"], row["waiting"]) for row in rows))
    by_path = {(row["path"], row["leaves"], row["flows"], row["waiting"]): row for row in rows}
    lines = []
    for shape in shapes:
        lines.append(
            [
                *(f"{n:,}" for n in shape),
                *(shown(by_path[path, *shape]["cycles"]) for path in ("fifo", "fair", "codel")),
                *(shown(by_path[path, *shape]["more"]) for path in ("fair", "codel")),
            ]
        )
    head = ["leaves", "flows of each", "waiting in each", "fifo", "fair", "with COBALT"]
    return f"""### Queues of a leaf

Cycles that a packet takes out of the queue of its leaf and into it again, in bursts of 32 leaves: *fifo*
the ring of a flat bucket, *fair* a queue for each flow, *with COBALT* its AQM, which has nothing to do.

{table([*head, "fair, more than fifo", "with COBALT, more"], lines)}"""


def spread(rows):
    shaped = [row for row in rows if "used_percent" in row]
    free = [row for row in rows if "times_one" in row]
    return f"""### Spread roots

A root of 10 Gbit/s with 64 leaves a core, 1514-byte frames and 24 bytes of overhead. To each of two
cores come 0 to 10 Gbit/s, others each 10 ms, to both together never less than the root's rate; to
one core comes the sum. *Stalled*: the part of the time in which the machine withheld a polling
thread for more than 20 us at once; what a root is late by it makes up for, up to `max_catchup`, as
long as there are packets. *Beyond the rate*: the most packets that were ever out ahead of it, in any
time, of both cores together, by the TSC at which they were given to the port; 100 us are 81 of them,
and a thread that is withheld between a departure and the port gives it later. *Shares*: looks at
what both cores hold, twice in a row the same; how many of these were more than the rate; in how many
a second they were others than before.

{table(["cores", "max_catchup", "of the rate used", "stalled", "packets beyond the rate",
        "looks at shares", "of these beyond", "changed, a second"],
       [[str(row["cores"]), duration_text(row["max_catchup_us"]), shown(row["used_percent"]) + " %",
         shown(row["stalled_percent"]) + " %", shown(row["packets_beyond"]),
         *(shown(row[key]) if key in row else "" for key in (
             "shares_seen", "shares_beyond", "changes_a_second"))] for row in shaped])}

Nothing throttled, 64-byte frames, as fast as it goes; *by CPU time*: the cores times the packets for
each microsecond of CPU time that the machine gave the threads, over those of one core.

{table(["cores", "Mpps", "times one core", "packets a us of CPU time", "by CPU time"],
       [[str(row["cores"]), shown(row["mpps"]), text(row["times_one"]),
         shown(row["packets_a_cpu_us"]), text(row["times_one_by_cpu"])] for row in free])}"""


def precision(rows):
    return f"""### Departures of one backlogged bucket

Distance of each gap from the ideal gap, in ns; *calm*: without the gaps that a stall of the machine
touched (a loop of more than 1 us, measured in the same loop). Rate against CLOCK_MONOTONIC_RAW, between
the first and the last calm departure. *Excess*: the most units that were ever out ahead of the leaky
bucket's curve, which is what was made up for after a stall. *Beside*: other buckets, busy with 2 Mpps
together while 4 are offered.

{table(["path", "rate", "beside", "p50", "p99", "p99.9", "max", "calm p50", "calm p99", "calm p99.9",
        "rate off by ppm", "excess units", "gaps"],
       [[row["path"], row["rate"], count_text(row["beside"]), *(text(row[key]) for key in (
           "p50_ns", "p99_ns", "p999_ns", "max_ns", "calm_p50_ns", "calm_p99_ns", "calm_p999_ns",
           "rate_error_ppm", "excess_units", "gaps"))] for row in rows])}"""


def memory(rows):
    parts = {
        "bucket": "the bucket itself",
        "wheel": "wheel",
        "record": "the engine's record of it",
        "registry": "name, settings, indexes",
        "idle": "**idle, less its ring**",
        "ring": "ring of 4",
        "history": "histograms, once it is used",
        "wheel_full": "more of the wheel, once it is full",
        "full": "**full**",
    }
    return f"""### Memory

Bytes a bucket, resident memory as the kernel counts it (`/proc/self/smaps_rollup`) before and after each
part was made; ids of 16 bytes. The wheel's slots, 80 KiB, are there whatever the number of buckets.

{table(["part", *(count_text(row["buckets"]) for row in rows)],
       [[title, *(f"{row[part]:,.0f}" for row in rows)] for part, title in parts.items()])}"""


def centres(rows):
    tables = []
    for row in rows:
        tables.append(
            f"{row['path']}, {count_text(row['buckets'])} buckets, {row['samples']:,} "
            "samples:\n\n"
            + table(
                ["file", "of the time"],
                [[f"`{name}`", f"{100 * share:.1f} %"] for name, share in row["files"]],
            )
        )
    return """### Where the time goes

`perf record -e cpu-clock` of `drip-bench cost`: the machine has no hardware counters. Each sample is put
to the source file of the innermost function there, inlined ones included; a wait for memory shows at the
instruction behind the load. `src/bench` and `librte_...` are the benchmark's source and sink. The largest
of each case:

""" + "\n".join(
        tables
    )


def control(rows):
    return (
        "### Control plane\n\nA real gRPC client against a real dripd on the loopback; `empty` is a "
        "gRPC method that does nothing, on a server with the same threads.\n\n"
        + control_report.markdown(rows)
    )


def note(path, command):
    """What a result file must say of where it comes from."""
    path = pathlib.Path(path)
    result = json.loads(path.read_text())
    if "command" not in result:
        about = machine.describe("")
        about["command"] = shlex.join([pathlib.Path(command[0]).name, *command[1:]])
        path.write_text(json.dumps({**about, **result}, indent=1) + "\n")


# The pages behind the first one: file, title, its parts as (result, section), and what it shows.
PAGES = (
    (
        "throttled",
        "Throttled load",
        tuple(
            (name, getattr(throttled_report, name))
            for name in ("throttled", "fair", "million", "zipf", "imix", "full", "loops")
        ),
        "twice the allowed load: what leaves, what is missed, the most that can leave, the longest "
        "loop",
    ),
    (
        "cost",
        "Cost of a packet",
        (("cost", cost), ("centres", centres)),
        "cycles a packet by stage and number of buckets, and where the time goes",
    ),
    (
        "trees",
        "Trees and queues",
        (
            ("trees", trees),
            ("tree_loops", throttled_report.tree_loops),
            ("spread", spread),
            ("queues", queues),
        ),
        "cycles a packet through trees beside librte_sched, the longest loop, one root on two cores, "
        "and fair queues beside FIFO",
    ),
    (
        "precision",
        "Precision of departures",
        (("precision", precision),),
        "gaps, long-run rate and excess of one backlogged bucket at nine rates",
    ),
    (
        "scale",
        "Several cores",
        (("scale", scale_report.scale), ("moves", scale_report.moves)),
        "throughput of one and of two polling cores by where packets come, and what a move takes",
    ),
    ("memory", "Memory", (("memory", memory),), "bytes a bucket, by part"),
    (
        "control",
        "Control plane",
        (("control", control),),
        "AllowRequest, AllowRequests, a million buckets, changes under load",
    ),
    (
        "kernel",
        "Beside tc",
        (("kernel", None),),
        "HTB and TBF over the same veth link: packets a second, CPU a packet, spacing",
    ),
    (
        "testpmd",
        "Traffic from dpdk-testpmd",
        (("testpmd", None),),
        "frame sizes, IMIX and flows over vhost-user, RFC 2544 and RFC 7640",
    ),
)
# Pages that other scripts make, where they are.
OTHERS = (
    (
        "queues",
        "Queues beside HTB + fq_codel and CAKE",
        "delay, goodput and fairness of FIFO, fair, and fair + codel, in a guest beside the peers and at "
        "100 Mbit/s on the host",
    ),
    ("observed", "Looked at under full load", "what metrics, page, captures and samples cost"),
    ("traffic", "Samples of traffic", "what `--traffic-samples` costs the worker"),
)
WHOLE_PAGES = {"kernel": kernel_report.markdown, "testpmd": testpmd_report.markdown}


def others(folder):
    there = [
        [f"[{title}]({folder.name}/{name}.md)", shows]
        for name, title, shows in OTHERS
        if (folder / f"{name}.md").exists()
    ]
    return (
        f"\n\nBy other scripts, each of which says how:\n\n{table(['page', 'shows'], there)}"
        if there
        else ""
    )


def section(name, write, result):
    if name in WHOLE_PAGES:
        body = WHOLE_PAGES[name](result)
        return body.replace("### ", "## ", 1)
    heading, rest = write(result["rows"]).split("\n", 1)
    pages = result.get("context", {}).get("hugepages")
    said = "" if pages is None else f" Hugepages: {'yes' if pages else 'no'}."
    return f"{heading[1:]}\n\n{machine.head(result)}{said}\n{rest}"


def was_measured(results, name):
    return name in results if name in WHOLE_PAGES else bool(results.get(name, {}).get("rows"))


def write_pages(results, folder, links):
    """The long tables, a file for each subject; what the first page says of each."""
    lines = []
    for page, title, parts, about in PAGES:
        sections = [
            section(name, write, results[name])
            if was_measured(results, name)
            else f"`{name}` was not measured."
            for name, write in parts
        ]
        plots_here = [f"![{text}]({file})" for where, text, file in links if where == page]
        head = [f"# {title}", f"Back to [the summary](../{folder.name}.md).", *plots_here]
        text_of_page = "\n\n".join(part.strip() for part in head + sections) + "\n"
        (folder / f"{page}.md").write_text(text_of_page)
        first = results.get(parts[0][0], {})
        when = f"{first['commit']}, {first['date'][:10]}" if first else "not measured"
        lines.append([f"[{title}]({folder.name}/{page}.md)", about, when])
    return lines


def write_targets(results, folder):
    lines = targets.lines(results)
    (folder / "targets.md").write_text(
        f"# Targets\n\nBack to [the summary](../{folder.name}.md).\n\n"
        + table(["what", "wanted", "reached", "", "what bounds it"], lines)
    )
    return lines


def without_places(command):
    """A command line without the files and directories of whoever ran it."""
    return re.sub(r" --(json|out|build|dripd) \S+|(?<= )\S*/(?=drip-bench)| \S+\.json", "", command)


def main():
    if sys.argv[1] == "--note":
        return note(sys.argv[2], sys.argv[3:])
    out, page = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    results = {path.stem: json.loads(path.read_text()) for path in sorted(out.glob("*.json"))}
    for result in results.values():
        result["command"] = without_places(result["command"])
    folder = page.parent / page.stem
    folder.mkdir(exist_ok=True)
    links = plots(results, folder)
    pages = write_pages(results, folder, links)
    all_targets = write_targets(results, folder)
    missed = [line for line in all_targets if line[3].startswith("**missed")]
    plot = next((file for where, _, file in links if where == "cost"), None)
    analysis = pathlib.Path(__file__).with_name("analysis.md").read_text()
    page.write_text(
        f"""# Benchmarks

Made by `scripts/bench/all.sh`. Every peer was measured in the same run as Drip, in turns with it;
figures are medians of interleaved runs, cycles are those of the TSC. Absolute figures of a shared
virtual machine move by a third from run to run: the ratios count. The pages below give machine,
commit, time, command and the range of every figure.

{table(["what", "Drip", "peer"], peers.lines(results))}
{f"![Cycles a packet by number of buckets]({folder.name}/{plot})" if plot else ""}

## Missed

Of {len(all_targets)} targets {len(missed)} were missed ([all of them]({folder.name}/targets.md)).

{table(["what", "wanted", "reached", "what bounds it"],
       [[*line[:3], line[4]] for line in missed])}
{analysis}
## All figures

{table(["page", "shows", "commit and day"], pages)}{others(folder)}"""
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
