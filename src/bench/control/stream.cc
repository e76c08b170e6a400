// SPDX-License-Identifier: BSD-3-Clause
// AllowRequests: how many units one core of the server admits, by what a message holds.
#include <array>
#include <chrono>
#include <string>
#include <thread>

#include "bench/control/control.h"
#include "bench/control/grpc_load.h"
#include "drip/v1/rate_limiter.grpc.pb.h"
#include "fmt/format.h"

namespace drip::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned kBuckets = 64;

struct Shape {
  const char* entries;
  int entries_a_message;
  std::uint32_t count;
  bool named;
};

struct Outcome {
  std::uint64_t admitted = 0;
  std::uint64_t refused = 0;
  double seconds = 0;
  double server_cpu_seconds = 0;
  std::string error;
};

// Each entry is for another bucket than the one before it.
void fill(const Shape& shape, std::uint64_t message, v1::AllowRequestsRequest& request) {
  for (int i = 0; i < shape.entries_a_message; ++i) {
    const auto number = message * static_cast<std::uint64_t>(shape.entries_a_message) +
                        static_cast<std::uint64_t>(i);
    v1::AllowRequestsEntry& entry =
        request.entries_size() > i ? *request.mutable_entries(i) : *request.add_entries();
    if (shape.named) entry.set_request_id(fmt::format("request-{}", number));
    if (message > 0) continue;
    entry.set_bucket_id(fmt::format("customer-{}", number % kBuckets));
    entry.set_count(shape.count);
  }
}

Outcome run(const ChildServer& dripd, const Shape& shape, double seconds) {
  Outcome outcome;
  v1::RateLimiterService::Stub stub(connect(dripd.address()));
  grpc::ClientContext context;
  const auto stream = stub.AllowRequests(&context);
  const double cpu_before = dripd.use().cpu_seconds;
  const auto began = Clock::now();
  const auto end =
      began + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  std::thread writer([&] {
    v1::AllowRequestsRequest request;
    for (std::uint64_t message = 0; Clock::now() < end; ++message) {
      fill(shape, message, request);
      if (!stream->Write(request)) return;
    }
    stream->WritesDone();
  });
  v1::AllowRequestsResponse response;
  while (stream->Read(&response)) {
    for (const v1::AllowRequestsResult& result : response.results()) {
      outcome.admitted += result.admitted();
      outcome.refused += shape.count - result.admitted();
      if (result.code() != 0) outcome.error = result.error();
    }
  }
  writer.join();
  const grpc::Status status = stream->Finish();
  if (!status.ok()) outcome.error = status.error_message();
  outcome.seconds = std::chrono::duration<double>(Clock::now() - began).count();
  outcome.server_cpu_seconds = dripd.use().cpu_seconds - cpu_before;
  return outcome;
}

}  // namespace

absl::Status measure_stream(const ControlOptions& options, Report& report) {
  const auto dripd = ChildServer::start_dripd(options.dripd, {});
  if (!dripd.ok()) return dripd.status();
  // They leak faster than anyone asks.
  if (auto status = configure_customers(*dripd, kBuckets, 65536, 1e7); !status.ok()) {
    return status;
  }
  constexpr std::array<Shape, 5> kShapes = {{{"unnamed", 1, 1, false},
                                             {"unnamed", 32, 1, false},
                                             {"unnamed", 1024, 1, false},
                                             {"named", 1024, 1, true},
                                             {"unnamed", 64, 100, false}}};
  std::array<Samples, kShapes.size()> per_second;
  std::array<Samples, kShapes.size()> per_core_second;
  std::array<Samples, kShapes.size()> refused;
  for (int turn = 0; turn < options.runs; ++turn) {
    for (std::size_t step = 0; step < kShapes.size(); ++step) {
      const std::size_t i = (step + static_cast<std::size_t>(turn)) % kShapes.size();
      const Outcome outcome = run(*dripd, kShapes[i], options.seconds);
      if (!outcome.error.empty()) return absl::UnavailableError(outcome.error);
      const auto admitted = static_cast<double>(outcome.admitted);
      per_second[i].add(admitted / outcome.seconds);
      per_core_second[i].add(admitted / outcome.server_cpu_seconds);
      refused[i].add(static_cast<double>(outcome.refused));
    }
  }
  for (std::size_t i = 0; i < kShapes.size(); ++i) {
    report
        .row({{"case", "stream"},
              {"entries", kShapes[i].entries},
              {"entries_a_message", kShapes[i].entries_a_message},
              {"units_an_entry", kShapes[i].count}})
        .figure("admits_per_second", per_second[i])
        .figure("admits_per_server_core_second", per_core_second[i])
        .figure("refused", refused[i])
        .end_row();
  }
  return absl::OkStatus();
}

}  // namespace drip::bench
