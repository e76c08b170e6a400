// SPDX-License-Identifier: BSD-3-Clause
// AllowRequest against a method that does nothing, on the same machine and the same threads.
#include <array>
#include <string>

#include "bench/control/control.h"
#include "bench/control/grpc_load.h"
#include "drip/v1/rate_limiter.grpc.pb.h"
#include "fmt/format.h"

namespace drip::bench {
namespace {

using Limiter = v1::RateLimiterService::Stub;

constexpr unsigned kBuckets = 1000;

struct Rows {
  Samples per_second, cpu_us, p50_us, p99_us, ratio;
};

void record(const LoadResult& result, Rows& rows) {
  rows.per_second.add(result.per_second());
  rows.cpu_us.add(result.server_cpu_us());
  rows.p50_us.add(result.latency_us(0.50));
  rows.p99_us.add(result.latency_us(0.99));
}

void write(const char* method, LoadShape shape, const Rows& rows, Report& report) {
  report
      .row({{"case", "allow"},
            {"method", method},
            {"connections", shape.connections},
            {"outstanding", shape.outstanding}})
      .figure("calls_per_second", rows.per_second)
      .figure("p50_us", rows.p50_us)
      .figure("p99_us", rows.p99_us)
      .figure("server_cpu_us", rows.cpu_us);
  if (!rows.ratio.empty()) report.figure("of_empty", rows.ratio);
  report.end_row();
}

}  // namespace

absl::Status measure_allow(const ControlOptions& options, const ChildServer& empty,
                           Report& report) {
  const auto dripd = ChildServer::start_dripd(options.dripd, {"--max-buckets", "65536"});
  if (!dripd.ok()) return dripd.status();
  // Rates and capacities under which nothing is rejected and what was admitted leaks at about the
  // pace at which it comes.
  if (auto status = configure_customers(*dripd, kBuckets, 4096, 1000); !status.ok()) {
    return status;
  }
  const UnaryMethod<Limiter, v1::AllowRequestRequest, v1::AllowRequestResponse> method{
      &Limiter::AsyncAllowRequest};
  const auto nothing = [](unsigned, std::uint64_t, v1::AllowRequestRequest&) {};
  const auto request = [](unsigned connection, std::uint64_t number,
                          v1::AllowRequestRequest& message) {
    message.set_bucket_id(fmt::format("customer-{}", (connection * 37 + number) % kBuckets));
  };
  for (const LoadShape shape : {LoadShape{1, 1}, LoadShape{1, 64}, LoadShape{2, 64}}) {
    Rows do_nothing;
    Rows allow;
    for (int run = 0; run < options.runs; ++run) {
      // The order changes from run to run, so that a drift of the machine falls on both.
      LoadResult results[2];
      for (int step = 0; step < 2; ++step) {
        const int which = (run + step) % 2;
        results[which] = which == 0 ? load(empty, method, shape, options.seconds, nothing)
                                    : load(*dripd, method, shape, options.seconds, request);
        if (results[which].failed > 0) return absl::UnavailableError(results[which].first_error);
      }
      record(results[0], do_nothing);
      record(results[1], allow);
      allow.ratio.add(results[1].per_second() / results[0].per_second());
    }
    write("empty", shape, do_nothing, report);
    write("AllowRequest", shape, allow, report);
  }
  return absl::OkStatus();
}

}  // namespace drip::bench
