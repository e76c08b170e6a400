// SPDX-License-Identifier: BSD-3-Clause
// Very many buckets: configured, listed, watched; what they take.
#include <chrono>
#include <string>

#include "bench/control/control.h"
#include "bench/control/grpc_load.h"
#include "drip/v1/shaper.grpc.pb.h"
#include "fmt/format.h"

namespace drip::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kBucketsACall = 4096;
constexpr std::uint32_t kCapacity = 4;  // A ring of one cache line.
constexpr std::uint32_t kRingBytes = 64;

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

absl::Status to_status(const grpc::Status& status) {
  return status.ok() ? absl::OkStatus() : absl::UnavailableError(status.error_message());
}

absl::Status configure(v1::ShaperService::Stub& shaper, std::uint32_t buckets, double rate) {
  for (std::uint32_t next = 0; next < buckets;) {
    v1::ConfigureBucketsRequest request;
    for (; next < buckets && request.buckets_size() < static_cast<int>(kBucketsACall); ++next) {
      v1::BucketConfig& bucket = *request.add_buckets();
      bucket.set_bucket_id(fmt::format("customer-{:07}", next));
      bucket.set_capacity(kCapacity);
      bucket.set_leak_rate(rate);
    }
    grpc::ClientContext context;
    v1::ConfigureBucketsResponse response;
    if (auto status = shaper.ConfigureBuckets(&context, request, &response); !status.ok()) {
      return to_status(status);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::uint64_t> list_all(v1::ShaperService::Stub& shaper) {
  std::uint64_t listed = 0;
  v1::ListBucketsRequest request;
  request.set_page_size(1000);
  do {
    grpc::ClientContext context;
    v1::ListBucketsResponse response;
    if (auto status = shaper.ListBuckets(&context, request, &response); !status.ok()) {
      return to_status(status);
    }
    listed += static_cast<std::uint64_t>(response.buckets_size());
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return listed;
}

// How long after the first round of a watch for backlogged buckets, of which there are none, the
// second one comes; it asks for one each second.
absl::StatusOr<double> watch_interval(v1::ShaperService::Stub& shaper) {
  grpc::ClientContext context;
  v1::WatchBucketsRequest request;
  request.mutable_filter()->set_backlogged(true);
  const auto reader = shaper.WatchBuckets(&context, request);
  v1::WatchBucketsResponse response;
  if (!reader->Read(&response)) return to_status(reader->Finish());
  const auto first = response.monotonic_ns();
  if (!reader->Read(&response)) return to_status(reader->Finish());
  context.TryCancel();
  return static_cast<double>(response.monotonic_ns() - first) * 1e-9;
}

}  // namespace

absl::Status measure_bulk(const ControlOptions& options, Report& report) {
  const auto dripd = ChildServer::start_dripd(
      options.dripd, {"--max-buckets", fmt::format("{}", options.buckets), "--ring-memory", "4gb"});
  if (!dripd.ok()) return dripd.status();
  v1::ShaperService::Stub shaper(connect(dripd->address()));
  report.row({{"case", "bulk"}, {"buckets", options.buckets}});
  if (auto listed = list_all(shaper); !listed.ok()) return listed.status();

  const ProcessUse before = dripd->use();
  auto began = Clock::now();
  if (auto status = configure(shaper, options.buckets, 100); !status.ok()) return status;
  const ProcessUse after = dripd->use();
  report.figure("create_s", seconds_since(began));
  report.figure("create_server_cpu_s", after.cpu_seconds - before.cpu_seconds);
  const double per_bucket = static_cast<double>(after.resident_bytes - before.resident_bytes) /
                            static_cast<double>(options.buckets);
  report.figure("rss_bytes", per_bucket);
  report.figure("rss_less_ring_bytes", per_bucket - kRingBytes);

  began = Clock::now();
  if (auto status = configure(shaper, options.buckets, 200); !status.ok()) return status;
  report.figure("change_s", seconds_since(began));

  began = Clock::now();
  const auto listed = list_all(shaper);
  if (!listed.ok()) return listed.status();
  report.figure("list_s", seconds_since(began));
  if (*listed != options.buckets) return absl::InternalError("not all buckets were listed");

  const auto interval = watch_interval(shaper);
  if (!interval.ok()) return interval.status();
  report.figure("watch_interval_s", *interval);
  report.figure("rss_end_bytes",
                static_cast<double>(dripd->use().resident_bytes - before.resident_bytes) /
                    static_cast<double>(options.buckets));
  report.end_row();
  return absl::OkStatus();
}

}  // namespace drip::bench
