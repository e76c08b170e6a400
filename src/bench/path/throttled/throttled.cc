// SPDX-License-Identifier: BSD-3-Clause
// The case `throttled`: which loads are put on which paths, and a row for each.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/path/cases.h"
#include "bench/path/throttled/replay.h"
#include "bench/path/throttled/search.h"
#include "fmt/format.h"

namespace drip::bench {
namespace {

// The machine's longer stalls take as long.
constexpr Duration kStall{200'000};

constexpr std::array kStarts = {Start::kStaggered, Start::kInStep};

// By its name as an argument, without blanks.
bool is_wanted(const std::vector<std::string>& wanted, std::string_view name) {
  std::string argument(name);
  std::ranges::replace(argument, ' ', '-');
  return wanted.empty() || std::ranges::find(wanted, argument) != wanted.end();
}

// The row of one path under one load; figures are added by who has them.
Report& begin_row(const Load& load, std::string_view what, Path path) {
  const Bench& bench = load.bench;
  return bench.report.row({{"case", what},
                           {"path", name_of(path)},
                           {"start", is_tree(path) ? "any" : name_of(load.start)},
                           {"order", BucketOrder::name(load.traffic.kind())},
                           {"frames", bench.options.frames},
                           {"buckets", load.traffic.buckets()}});
}

void add_counts(Report& report, const Load& load, const Counts& counts) {
  report.series("counts", {{"allowed_pps", load.allowed_pps},
                           {"arrived", counts.arrived},
                           {"received", counts.received},
                           {"missed", counts.missed},
                           {"ring_growth", counts.ring_growth},
                           {"received_ever", counts.received_ever},
                           {"left_ever", counts.left_ever},
                           {"dropped_ever", counts.dropped_ever},
                           {"waiting", counts.waiting},
                           {"seconds_ever", counts.seconds_ever}});
}

absl::Status run_load(const Load& load, Path path) {
  Samples departed, error, missed, busy, cycles, burst, long_loops, stalled;
  Outcome outcome;
  for (int run = 0; run < load.bench.options.repeat; ++run) {
    auto subject = make_subject(path, load);
    if (!subject.ok()) return subject.status();
    outcome = measure(**subject, load);
    departed.add(outcome.departed_pps / 1e6);
    error.add(100 * outcome.error);
    missed.add(100 * outcome.missed_share);
    busy.add(100 * outcome.busy_share);
    cycles.add(outcome.busy_cycles);
    burst.add(outcome.burst);
    long_loops.add(outcome.long_loops);
    stalled.add(100 * outcome.stalled_share);
  }
  Report& report = begin_row(load, "load", path);
  report.figure("offered_mpps", 2 * load.allowed_pps / 1e6)
      .figure("departed_mpps", departed)
      .figure("error_percent", error)
      .figure("missed_percent", missed)
      .figure("busy_percent", busy)
      .figure("busy_cycles", cycles)
      .figure("burst", burst)
      .figure("long_loops", long_loops)
      .figure("stalled_percent", stalled);
  add_counts(report, load, outcome.counts);
  report.end_row();
  return absl::OkStatus();
}

absl::Status run_loads(const Load& load, const std::vector<Path>& paths) {
  for (const double offered : load.bench.options.offered_mpps) {
    for (const Path path : paths) {
      Load one = load;
      one.allowed_pps = offered * 1e6 / 2;
      if (absl::Status status = run_load(one, path); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

absl::Status run_most(const Load& load, const std::vector<Path>& paths) {
  struct Found {
    Samples departed, error, missed, polls;
  };
  std::vector<Found> found(paths.size());
  for (int run = 0; run < load.bench.options.repeat; ++run) {
    for (std::size_t i = 0; i < paths.size(); ++i) {
      const absl::StatusOr<Most> most = search(paths[i], load);
      if (!most.ok()) return most.status();
      const Outcome& outcome = most->outcome;
      found[i].departed.add(outcome.departed_pps / 1e6);
      found[i].error.add(100 * outcome.error);
      found[i].missed.add(100 * outcome.missed_share);
      found[i].polls.add(outcome.polls_per_second / 1e6);
    }
  }
  for (std::size_t i = 0; i < paths.size(); ++i) {
    begin_row(load, "most", paths[i])
        .figure("departed_mpps", found[i].departed)
        .figure("error_percent", found[i].error)
        .figure("missed_percent", found[i].missed)
        .figure("million_polls", found[i].polls)
        .end_row();
  }
  return absl::OkStatus();
}

absl::Status run_replays(Path path, const Load& load) {
  const double us = 1e6 / load.bench.tsc_hz();
  for (const double offered : load.bench.options.offered_mpps) {
    Load one = load;
    one.allowed_pps = offered * 1e6 / 2;
    for (const Duration stall : {Duration{0}, kStall}) {
      const auto times = replay_loops(path, one, load.bench.options.seconds, stall);
      if (!times.ok()) return times.status();
      begin_row(one, "loops", path)
          .figure("offered_mpps", offered)
          .figure("stall_us", static_cast<double>(stall.ns) / 1000)
          .figure("loops", static_cast<double>(times->loops))
          .figure("longest_us", times->longest * us)
          .figure("p999_us", times->p999 * us)
          .figure("p50_us", times->p50 * us)
          .figure("withheld", times->withheld)
          .figure("left", static_cast<double>(times->left))
          .figure("missed", static_cast<double>(times->missed))
          .end_row();
    }
  }
  return absl::OkStatus();
}

// All that is wanted of one start. Trees begin in any way, so they are measured with one only.
absl::Status run_start(const Load& load, bool with_trees) {
  const BenchOptions& options = load.bench.options;
  std::vector<Path> paths;
  std::string refused;
  for (const Path path : kPaths) {
    if (is_tree(path) && !with_trees) continue;
    if (!is_wanted(options.paths, name_of(path))) continue;
    if (const std::string_view why = why_not(path, load.traffic); !why.empty()) {
      refused = fmt::format("--path {} with --buckets {}: {}", name_of(path),
                            load.traffic.buckets(), why);
      continue;
    }
    paths.push_back(path);
  }
  if (paths.empty() && !refused.empty()) return absl::InvalidArgumentError(refused);
  // The loops take a build of all buckets for each replay: only where they are asked for.
  const auto does = [&](std::string_view part) {
    return options.only.empty() ? part != "loops" : options.only == part;
  };
  if (does("load")) {
    if (absl::Status status = run_loads(load, paths); !status.ok()) return status;
  }
  if (does("most")) {
    if (absl::Status status = run_most(load, paths); !status.ok()) return status;
  }
  for (const Path path : {Path::kWhole, Path::kTree}) {
    if (!does("loops") || std::ranges::find(paths, path) == paths.end()) continue;
    if (absl::Status status = run_replays(path, load); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status run_throttled(const Bench& bench) {
  const auto frames = FrameSizes::of(bench.options.frames);
  if (!frames.ok()) return frames.status();
  const auto kind = bench.options.order == BucketOrder::name(BucketOrder::Kind::kZipf)
                        ? BucketOrder::Kind::kZipf
                        : BucketOrder::Kind::kRoundRobin;
  for (const std::uint32_t buckets : bench.options.buckets) {
    const Traffic traffic(kind, buckets);
    // No more than it takes: a larger pool is a larger walk through memory for each packet.
    auto pool = PacketPool::create(traffic.most_waiting() + kMorePackets, *frames);
    if (!pool.ok()) return pool.status();
    bool with_trees = true;
    for (const Start start : kStarts) {
      if (!is_wanted(bench.options.starts, name_of(start))) continue;
      if (auto status = run_start({bench, **pool, traffic, start, 0}, with_trees); !status.ok()) {
        return status;
      }
      with_trees = false;
    }
  }
  return absl::OkStatus();
}

}  // namespace drip::bench
