// SPDX-License-Identifier: BSD-3-Clause
// Admissions a second through one Redis, what one takes, and how close departures from a shared
// queue are to its estimates.
#include "bench/cluster/cluster.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <mutex>
#include <random>
#include <thread>

#include "CLI/CLI.hpp"
#include "base/quantile.h"
#include "bench/cluster/cluster_group.h"
#include "bench/control/grpc_load.h"
#include "bench/report/report.h"
#include "drip/v1/rate_limiter.grpc.pb.h"
#include "fmt/format.h"

namespace drip::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Limiter = v1::RateLimiterService::Stub;

struct ClusterOptions {
  std::string dripd = "dripd";
  std::string redis_server = "redis-server";
  int runs = 3;
  double seconds = 3;
  std::string json_path;
};

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

// Leaks faster than anyone asks.
v1::ConfigureBucketRequest fast_bucket(v1::Sharing sharing) {
  v1::ConfigureBucketRequest request;
  request.set_bucket_id("fast");
  request.set_capacity(1 << 20);
  request.set_leak_rate(1e7);
  request.set_scope(v1::SCOPE_CLUSTER);
  request.set_sharing(sharing);
  // Client, nodes and Redis want more than this machine has: what is measured is how much they do.
  request.set_decide_within_ns(5'000'000'000);
  return request;
}

struct Run {
  double per_second = 0;
  double p50_us = 0;
  double p99_us = 0;
  double redis_us = 0;  // Of its CPU, for each unit.
  std::string error;
};

Run unary(const ClusterGroup& group, const ChildRedis& redis, unsigned outstanding,
          double seconds) {
  const UnaryMethod<Limiter, v1::AllowRequestRequest, v1::AllowRequestResponse> method{
      &Limiter::AsyncAllowRequest};
  const auto fill = [](unsigned, std::uint64_t, v1::AllowRequestRequest& message) {
    message.set_bucket_id("fast");
  };
  std::vector<LoadResult> results(group.nodes().size());
  std::vector<std::thread> threads;
  const double cpu_before = redis.cpu_seconds();
  for (std::size_t i = 0; i < results.size(); ++i) {
    threads.emplace_back([&, i] {
      results[i] = load(group.nodes()[i], method, {1, outstanding}, seconds, fill);
    });
  }
  for (std::thread& thread : threads) thread.join();
  LoadResult sum;
  Run run;
  for (const LoadResult& result : results) {
    sum += result;
    run.per_second += result.per_second();
  }
  std::ranges::sort(sum.latencies_ns);
  run.p50_us = sum.latency_us(0.50);
  run.p99_us = sum.latency_us(0.99);
  run.redis_us = (redis.cpu_seconds() - cpu_before) * 1e6 / static_cast<double>(sum.calls);
  run.error = sum.first_error;
  return run;
}

// One stream to each node; a message's latency is that of its answer.
Run stream(const ClusterGroup& group, const ChildRedis& redis, int entries, bool named,
           double seconds) {
  std::mutex mutex;
  std::vector<double> latencies_us;
  std::uint64_t admitted = 0;
  Run run;
  const double cpu_before = redis.cpu_seconds();
  const auto began = Clock::now();
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < group.nodes().size(); ++i) {
    threads.emplace_back([&, i] {
      Limiter stub(connect(group.nodes()[i].address()));
      grpc::ClientContext context;
      const auto calls = stub.AllowRequests(&context);
      v1::AllowRequestsRequest request;
      for (int entry = 0; entry < entries; ++entry) request.add_entries();
      request.mutable_entries(0)->set_bucket_id("fast");
      v1::AllowRequestsResponse response;
      std::uint64_t number = 0;
      while (seconds_between(began, Clock::now()) < seconds) {
        for (int entry = 0; named && entry < entries; ++entry) {
          request.mutable_entries(entry)->set_request_id(fmt::format("{}-{}", i, number++));
        }
        const auto asked = Clock::now();
        if (!calls->Write(request) || !calls->Read(&response)) break;
        const std::lock_guard lock(mutex);
        latencies_us.push_back(seconds_between(asked, Clock::now()) * 1e6);
        for (const v1::AllowRequestsResult& result : response.results()) {
          admitted += result.admitted();
          if (result.code() != 0) run.error = result.error();
        }
      }
      calls->WritesDone();
      const grpc::Status status = calls->Finish();
      const std::lock_guard lock(mutex);
      if (!status.ok()) run.error = status.error_message();
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::ranges::sort(latencies_us);
  run.p50_us = quantile(latencies_us, 0.50);
  run.p99_us = quantile(latencies_us, 0.99);
  run.per_second = static_cast<double>(admitted) / seconds_between(began, Clock::now());
  run.redis_us = (redis.cpu_seconds() - cpu_before) * 1e6 / static_cast<double>(admitted);
  return run;
}

struct Rows {
  Samples per_second, p50_us, p99_us, redis_us;
};

struct Shape {
  const char* name;
  int entries;  // 0: a unary call.
  bool named;
  unsigned outstanding;
};
constexpr std::array<Shape, 4> kShapes = {{{"unary", 0, false, 1},
                                           {"unary", 0, false, 64},
                                           {"stream, named", 256, true, 1},
                                           {"stream, unnamed", 1024, false, 1}}};

absl::Status measure_admits(const ClusterOptions& options, std::size_t nodes, v1::Sharing sharing,
                            Report& report) {
  const auto redis = ChildRedis::start(options.redis_server);
  if (!redis.ok()) return redis.status();
  const auto group = ClusterGroup::start(options.dripd, **redis, nodes);
  if (!group.ok()) return group.status();
  if (auto status = group->configure(fast_bucket(sharing)); !status.ok()) return status;
  std::array<Rows, kShapes.size()> rows;
  for (int turn = 0; turn < options.runs; ++turn) {
    for (std::size_t i = 0; i < kShapes.size(); ++i) {
      const Shape& shape = kShapes[i];
      const Run run = shape.entries == 0
                          ? unary(*group, **redis, shape.outstanding, options.seconds)
                          : stream(*group, **redis, shape.entries, shape.named, options.seconds);
      if (!run.error.empty()) return absl::UnavailableError(run.error);
      rows[i].per_second.add(run.per_second);
      rows[i].p50_us.add(run.p50_us);
      rows[i].p99_us.add(run.p99_us);
      rows[i].redis_us.add(run.redis_us);
    }
  }
  for (std::size_t i = 0; i < kShapes.size(); ++i) {
    report
        .row({{"case", "admits"},
              {"sharing", sharing == v1::SHARING_EXACT ? "exact" : "split"},
              {"nodes", nodes},
              {"calls", kShapes[i].name},
              {"entries", std::max(kShapes[i].entries, 1)},
              {"outstanding_a_node", kShapes[i].outstanding}})
        .figure("admits_per_second", rows[i].per_second)
        .figure("p50_us", rows[i].p50_us)
        .figure("p99_us", rows[i].p99_us)
        .figure("redis_us_an_admit", rows[i].redis_us)
        .end_row();
  }
  return absl::OkStatus();
}

// Seconds from the beginning, by this process's clock.
struct Passage {
  double asked = 0, told = 0, estimated = 0, left = 0;
};

// Requests as they come by chance, to each node in turn, at nine tenths of the rate.
absl::StatusOr<std::vector<Passage>> pass(const ClusterGroup& group, double rate, double seconds) {
  std::mutex mutex;
  std::vector<Passage> passages;
  std::string error;
  std::vector<std::unique_ptr<Limiter>> stubs;
  for (const ChildServer& node : group.nodes()) {
    stubs.push_back(std::make_unique<Limiter>(connect(node.address())));
  }
  std::mt19937_64 random(1);
  std::exponential_distribution<double> gap(0.9 * rate);
  std::vector<std::thread> threads;
  const auto began = Clock::now();
  const auto now = [began] { return seconds_between(began, Clock::now()); };
  for (double next = gap(random); next < seconds; next += gap(random)) {
    std::this_thread::sleep_until(
        began + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(next)));
    threads.emplace_back([&, number = threads.size()] {
      Limiter& stub = *stubs[number % stubs.size()];
      Passage passage;
      v1::AllowRequestRequest allow;
      allow.set_bucket_id("slow");
      allow.set_request_id(fmt::format("r{}", number));
      v1::AllowRequestResponse place;
      grpc::ClientContext allow_context;
      passage.asked = now();
      grpc::Status status = stub.AllowRequest(&allow_context, allow, &place);
      passage.told = now();
      // The wait ends where the service begins.
      passage.estimated =
          passage.told + static_cast<double>(place.estimated_wait_ns()) * 1e-9 + 1 / rate;
      v1::AwaitTurnRequest turn;
      turn.set_bucket_id("slow");
      turn.set_request_id(allow.request_id());
      v1::AwaitTurnResponse departed;
      grpc::ClientContext turn_context;
      if (status.ok()) status = stub.AwaitTurn(&turn_context, turn, &departed);
      passage.left = now();
      const std::lock_guard lock(mutex);
      if (!status.ok()) error = status.error_message();
      passages.push_back(passage);
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (!error.empty()) return absl::UnavailableError(error);
  return passages;
}

absl::Status measure_waits(const ClusterOptions& options, std::size_t nodes, Report& report) {
  constexpr double kRate = 200;
  const auto redis = ChildRedis::start(options.redis_server);
  if (!redis.ok()) return redis.status();
  const auto group = ClusterGroup::start(options.dripd, **redis, nodes);
  if (!group.ok()) return group.status();
  v1::ConfigureBucketRequest bucket = fast_bucket(v1::SHARING_EXACT);
  bucket.set_bucket_id("slow");
  bucket.set_leak_rate(kRate);
  if (auto status = group->configure(bucket); !status.ok()) return status;
  Samples promise_p50, promise_p99, ideal_p50, ideal_p99, sojourn_p50;
  for (int turn = 0; turn < options.runs; ++turn) {
    auto passages = pass(*group, kRate, options.seconds);
    if (!passages.ok()) return passages.status();
    // By the virtual schedule, had each arrived in the middle of its call.
    std::ranges::sort(*passages, {}, [](const Passage& p) { return p.asked + p.told; });
    double start = -1;
    std::vector<double> off_estimate, off_ideal, sojourn;
    for (const Passage& passage : *passages) {
      const double arrival = (passage.asked + passage.told) / 2;
      start = start < 0 ? arrival : std::max(arrival, start + 1 / kRate);
      off_estimate.push_back((passage.left - passage.estimated) * 1e6);
      off_ideal.push_back((passage.left - start - 1 / kRate) * 1e6);
      sojourn.push_back((passage.left - arrival) * 1e6);
    }
    for (auto* const values : {&off_estimate, &off_ideal, &sojourn}) std::ranges::sort(*values);
    promise_p50.add(quantile(off_estimate, 0.50));
    promise_p99.add(quantile(off_estimate, 0.99));
    ideal_p50.add(quantile(off_ideal, 0.50));
    ideal_p99.add(quantile(off_ideal, 0.99));
    sojourn_p50.add(quantile(sojourn, 0.50));
  }
  report.row({{"case", "waits"}, {"sharing", "exact"}, {"nodes", nodes}, {"rate", kRate}})
      .figure("left_after_promise_p50_us", promise_p50)
      .figure("left_after_promise_p99_us", promise_p99)
      .figure("left_after_ideal_p50_us", ideal_p50)
      .figure("left_after_ideal_p99_us", ideal_p99)
      .figure("sojourn_p50_us", sojourn_p50)
      .end_row();
  return absl::OkStatus();
}

absl::Status measure(const ClusterOptions& options, Report& report) {
  for (const v1::Sharing sharing : {v1::SHARING_EXACT, v1::SHARING_SPLIT}) {
    for (const std::size_t nodes : {1U, 3U}) {
      if (auto status = measure_admits(options, nodes, sharing, report); !status.ok()) {
        return status;
      }
    }
  }
  for (const std::size_t nodes : {1U, 3U}) {
    if (auto status = measure_waits(options, nodes, report); !status.ok()) return status;
  }
  return report.write(options.json_path);
}

}  // namespace

int run_cluster(std::vector<std::string> arguments) {
  ClusterOptions options;
  CLI::App app("Buckets that several dripds share through a real Redis, all on this machine.",
               "drip-bench cluster");
  app.add_option("--dripd", options.dripd, "the daemon to measure")->capture_default_str();
  app.add_option("--redis-server", options.redis_server, "the Redis to use")->capture_default_str();
  app.add_option("--runs", options.runs, "of each figure (1 to 99)")
      ->check(CLI::Range(1, 99))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "of each run (0.1 to 600)")
      ->check(CLI::Range(0.1, 600.0))
      ->capture_default_str();
  app.add_option("--json", options.json_path, "also write the figures to this file");
  std::ranges::reverse(arguments);  // As CLI11 wants them.
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  Report report("cluster");
  report.context("runs", options.runs);
  report.context("seconds", options.seconds);
  const absl::Status status = measure(options, report);
  if (status.ok()) return 0;
  fmt::print(stderr, "drip-bench cluster: {}\n", std::string(status.message()));
  return 1;
}

}  // namespace drip::bench
