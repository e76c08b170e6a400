// SPDX-License-Identifier: BSD-3-Clause
// A stream repeats three steps: read the states, write them message by message, sleep.
#include "control/rpc/streams/watch_buckets.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "control/convert/convert_bucket.h"
#include "control/convert/convert_page.h"
#include "control/model/epoch_clock.h"
#include "control/rpc/calls/rpc_status.h"
#include "control/rpc/calls/tenant.h"
#include "control/rpc/calls/unary_call.h"
#include "control/rpc/streams/paced_stream.h"

namespace drip::control {
namespace {

using std::chrono::milliseconds;

constexpr std::uint32_t kMinIntervalMs = 100;
constexpr std::uint32_t kMaxIntervalMs = 3'600'000;
constexpr std::uint32_t kDefaultIntervalMs = 1000;
// States of one moment go in several messages, so that each fits gRPC's default limit of 4 MiB.
constexpr std::size_t kStatesAMessage = 1000;

absl::StatusOr<milliseconds> read_interval(std::uint32_t interval_ms) {
  if (interval_ms == 0) return milliseconds{kDefaultIntervalMs};
  absl::Status status =
      check_range("interval_ms", std::uint64_t{interval_ms}, std::uint64_t{kMinIntervalMs},
                  std::uint64_t{kMaxIntervalMs}, " ms, or 0 for 1000");
  if (!status.ok()) return status;
  return milliseconds{interval_ms};
}

class WatchStream final : public PacedStream<v1::WatchBucketsResponse> {
 public:
  WatchStream(const ServicesContext& context, StreamSet& streams, const ClientRef& client)
      : PacedStream(streams), context_(context), share_(client, ClientUse::kWatchedBuckets) {}

  void begin(const access::Caller& caller, const v1::WatchBucketsRequest& request) {
    const absl::StatusOr<milliseconds> interval = read_interval(request.interval_ms());
    if (!interval.ok()) return Finish(to_grpc(interval.status()));
    absl::StatusOr<BucketFilter> filter = read_filter(request.filter());
    if (!filter.ok()) return Finish(to_grpc(filter.status()));
    const absl::Status own = keep_to_own(caller, *filter);
    if (!own.ok()) return Finish(to_grpc(own));
    interval_ = *interval;
    filter_ = *std::move(filter);
    next_ = std::chrono::system_clock::now();
    write_states();
  }

 private:
  void written() override { cursor_.empty() ? sleep() : next_page(); }
  void woken() override { write_states(); }

  void write_states() {
    const EpochClock clock(context_.engine);
    message_.set_monotonic_ns(static_cast<std::int64_t>(clock.now().ns));
    message_.set_time(clock.epoch_ms(clock.now()));
    states_ = 0;
    next_page();
  }
  void next_page() {
    if (!filter_.include_flows) return write_page();
    // Flows take the configuration's lock.
    if (!context_.work.post([this] { write_page(); })) Finish(stopping_status());
  }
  // The states behind cursor_, which is empty after the last of them.
  void write_page() {
    const EpochClock clock(context_.engine);
    const absl::StatusOr<BucketPage> page =
        context_.listing.page(filter_, cursor_, kStatesAMessage);
    if (!page.ok()) return Finish(to_grpc(page.status()));
    if (const absl::Status status = count(*page); !status.ok()) return Finish(to_grpc(status));
    message_.clear_buckets();
    for (const BucketState& state : page->states) {
      write_bucket(state, clock, *message_.add_buckets());
    }
    cursor_ = page->last ? std::string() : page->states.back().id;
    StartWrite(&message_);
  }

  // A round may have more states than the one before, or fewer.
  absl::Status count(const BucketPage& page) {
    states_ += page.states.size();
    watched_ = page.last ? states_ : std::max(watched_, states_);
    absl::Status status = share_.resize(watched_);
    // Before the caller is told, who may begin another at once.
    if (!status.ok()) (void)share_.resize(0);
    return status;
  }

  void sleep() {
    const auto now = std::chrono::system_clock::now();
    next_ += interval_;
    // A caller that reads too slowly misses intervals; it does not get them all at once later. Nor
    // does a step of the wall clock make it wait for more than one interval.
    if (next_ < now || next_ > now + interval_) next_ = now + interval_;
    sleep_until(next_);
  }

  const ServicesContext& context_;
  milliseconds interval_{};
  BucketFilter filter_;
  std::string cursor_;
  std::size_t states_ = 0;   // Of this round so far.
  std::size_t watched_ = 0;  // Of a round.
  ClientShare share_;        // As many.
  std::chrono::system_clock::time_point next_;
  v1::WatchBucketsResponse message_;
};

}  // namespace

grpc::ServerWriteReactor<v1::WatchBucketsResponse>* open_watch_stream(
    const ServicesContext& context, StreamSet& streams, const Admitted& admitted,
    const v1::WatchBucketsRequest& request) {
  auto stream = std::make_shared<WatchStream>(context, streams, admitted.client);
  if (const absl::Status status = streams.add(stream, admitted); status.ok()) {
    stream->begin(*admitted.caller, request);
  } else {
    stream->Finish(to_grpc(status));
  }
  return stream.get();
}

}  // namespace drip::control
