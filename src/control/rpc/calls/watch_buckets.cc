// SPDX-License-Identifier: BSD-3-Clause
// A stream repeats three steps: read the states, write them message by message, sleep on an alarm.
//
// Exactly one step is pending at any time, and only a step ends the stream; a cancel or a stop just
// cuts the sleep short. So nothing is finished twice, or used after its end.
#include "control/rpc/calls/watch_buckets.h"

#include <grpcpp/alarm.h>

#include <chrono>
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

class WatchStream final : public grpc::ServerWriteReactor<v1::WatchBucketsResponse>, public Stream {
 public:
  WatchStream(const ServicesContext& context, StreamSet& streams)
      : context_(context), streams_(streams) {}

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

  void end(const grpc::Status& status) override {
    MutexLock lock(mutex_);
    if (!ending_) end_status_ = status;
    ending_ = true;
    if (alarm_ != nullptr) alarm_->Cancel();
  }

 private:
  void OnCancel() override { end({grpc::StatusCode::CANCELLED, "the caller cancelled"}); }
  void OnDone() override { streams_.forget(*this); }
  void OnWriteDone(bool ok) override {
    if (!ok) return Finish({grpc::StatusCode::CANCELLED, "the caller disconnected"});
    if (is_ending()) return finish_ending();
    if (cursor_.empty()) return sleep();
    next_page();
  }

  [[nodiscard]] bool is_ending() {
    MutexLock lock(mutex_);
    return ending_;
  }
  void finish_ending() {
    grpc::Status status;
    {
      MutexLock lock(mutex_);
      status = end_status_;
    }
    Finish(status);
  }

  void write_states() {
    const EpochClock clock(context_.engine);
    message_.set_monotonic_ns(static_cast<std::int64_t>(clock.now().ns));
    message_.set_time(clock.epoch_ms(clock.now()));
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
    message_.clear_buckets();
    for (const BucketState& state : page->states) {
      write_bucket(state, clock, *message_.add_buckets());
    }
    cursor_ = page->last ? std::string() : page->states.back().id;
    StartWrite(&message_);
  }

  void sleep() {
    const auto now = std::chrono::system_clock::now();
    next_ += interval_;
    // A caller that reads too slowly misses intervals; it does not get them all at once later. Nor
    // does a step of the wall clock make it wait for more than one interval.
    if (next_ < now || next_ > now + interval_) next_ = now + interval_;
    MutexLock lock(mutex_);
    // A new alarm each time: the one before may still be inside its callback.
    alarm_ = std::make_unique<grpc::Alarm>();
    alarm_->Set(next_, [this](bool) { is_ending() ? finish_ending() : write_states(); });
    if (ending_) alarm_->Cancel();
  }

  const ServicesContext& context_;
  StreamSet& streams_;
  // Of the steps only, one at a time.
  milliseconds interval_{};
  BucketFilter filter_;
  std::string cursor_;
  std::chrono::system_clock::time_point next_;
  v1::WatchBucketsResponse message_;

  Mutex mutex_;
  std::unique_ptr<grpc::Alarm> alarm_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status end_status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

grpc::ServerWriteReactor<v1::WatchBucketsResponse>* open_watch_stream(
    const ServicesContext& context, StreamSet& streams, const Admitted& admitted,
    std::string_view peer, const v1::WatchBucketsRequest& request) {
  auto stream = std::make_shared<WatchStream>(context, streams);
  if (const absl::Status status = streams.add(stream, peer, admitted); status.ok()) {
    stream->begin(*admitted.caller, request);
  } else {
    stream->Finish(to_grpc(status));
  }
  return stream.get();
}

}  // namespace drip::control
