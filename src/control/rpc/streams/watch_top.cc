// SPDX-License-Identifier: BSD-3-Clause
// A stream reads a message, measures if it is time, and writes the answer before it reads the next
// one: so one of the three is pending at any time.
#include "control/rpc/streams/watch_top.h"

#include <optional>
#include <string>
#include <utility>

#include "base/errors.h"
#include "control/recorder/table_view.h"
#include "control/rpc/calls/rpc_status.h"

namespace drip::control {
namespace {

constexpr std::uint64_t kMaxRows = 500;
constexpr std::uint32_t kDefaultRows = 50;
constexpr std::uint64_t kMinAgeMs = 100;
constexpr std::uint64_t kMaxAgeMs = 3'600'000;
constexpr std::uint32_t kDefaultAgeMs = 1000;

absl::StatusOr<ViewOrder> read_order(v1::TopSort sort) {
  switch (sort) {
    case v1::TOP_SORT_ID:
      return ViewOrder::kId;
    case v1::TOP_SORT_UNSPECIFIED:
    case v1::TOP_SORT_RATE:
      return ViewOrder::kRate;
    case v1::TOP_SORT_USE:
      return ViewOrder::kUse;
    case v1::TOP_SORT_UNITS:
      return ViewOrder::kUnits;
    case v1::TOP_SORT_BACKLOG:
      return ViewOrder::kBacklog;
    case v1::TOP_SORT_SOJOURN_P50:
      return ViewOrder::kSojournP50;
    case v1::TOP_SORT_SOJOURN_P99:
      return ViewOrder::kSojournP99;
    case v1::TOP_SORT_LOSS:
      return ViewOrder::kLoss;
    default:
      return not_allowed("sort", std::to_string(sort), "0 to 8");
  }
}

absl::StatusOr<TableView> read_view(const v1::WatchTopRequest& request) {
  const absl::StatusOr<ViewOrder> order = read_order(request.sort());
  if (!order.ok()) return order.status();
  const std::uint32_t limit = request.limit() == 0 ? kDefaultRows : request.limit();
  absl::Status status =
      check_range("limit", std::uint64_t{limit}, std::uint64_t{1}, kMaxRows, ", or 0 for 50");
  if (!status.ok()) return status;
  TableView view;
  view.order = *order;
  view.reverse = request.reverse();
  view.tree = request.tree();
  view.id_contains = request.id_contains();
  view.offset = request.offset();
  view.limit = limit;
  return view;
}

absl::StatusOr<Duration> read_age(std::uint32_t age_ms) {
  const std::uint32_t age = age_ms == 0 ? kDefaultAgeMs : age_ms;
  absl::Status status = check_range("measure_after_ms", std::uint64_t{age}, kMinAgeMs, kMaxAgeMs,
                                    " ms, or 0 for 1000");
  if (!status.ok()) return status;
  return Duration{std::int64_t{age} * 1'000'000};
}

void write_wait(const BucketTable& table, std::uint32_t row, v1::TopBucket& message) {
  const Limit limit = table.limit_of(row);
  switch (limit.by) {
    case Limit::By::kNothing:
      return;
    case Limit::By::kItself:
      return message.set_waits_for(v1::TOP_WAIT_ITSELF);
    case Limit::By::kAncestor:
      message.set_waits_for_id(std::string(table.rows()[limit.ancestor].id()));
      return message.set_waits_for(v1::TOP_WAIT_ANCESTOR);
    case Limit::By::kSiblings:
      return message.set_waits_for(v1::TOP_WAIT_SIBLINGS);
    case Limit::By::kEgress:
      return message.set_waits_for(v1::TOP_WAIT_EGRESS);
    case Limit::By::kLease:
      return message.set_waits_for(v1::TOP_WAIT_LEASE);
  }
}

class TopStream final : public grpc::ServerBidiReactor<v1::WatchTopRequest, v1::WatchTopResponse>,
                        public Stream {
 public:
  TopStream(const ServicesContext& context, StreamSet& streams, access::CallerRef caller,
            std::shared_ptr<TopRecorder> recorder)
      : context_(context),
        streams_(streams),
        caller_(std::move(caller)),
        recorder_(std::move(recorder)) {}

  void begin() { StartRead(&request_); }

  void end(const grpc::Status& status) override {
    {
      MutexLock lock(mutex_);
      if (!ending_) end_status_ = status;
      ending_ = true;
      if (busy_ || std::exchange(finished_, true)) return;
    }
    Finish(end_status_);  // Which nothing changes any more.
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return end(grpc::Status::OK);  // The caller has said all.
    {
      MutexLock lock(mutex_);
      if (finished_) return;
      busy_ = true;
    }
    if (const absl::Status status = answer(); status.ok()) {
      StartWrite(&response_);
    } else {
      (void)rest(to_grpc(status));
    }
  }
  void OnWriteDone(bool ok) override {
    const grpc::Status status =
        ok ? grpc::Status::OK
           : grpc::Status(grpc::StatusCode::CANCELLED, "the caller disconnected");
    if (rest(status)) StartRead(&request_);
  }
  void OnDone() override { streams_.forget(*this); }

  // After a message was answered, or not. False if the stream has ended.
  [[nodiscard]] bool rest(const grpc::Status& status) {
    {
      MutexLock lock(mutex_);
      busy_ = false;
      if (!ending_ && !status.ok()) {
        ending_ = true;
        end_status_ = status;
      }
      if (!ending_) return true;
      if (std::exchange(finished_, true)) return false;
    }
    Finish(end_status_);
    return false;
  }

  absl::Status answer() {
    absl::StatusOr<TableView> view = read_view(request_);
    if (!view.ok()) return view.status();
    const absl::StatusOr<Duration> age = read_age(request_.measure_after_ms());
    if (!age.ok()) return age.status();
    view->id_prefix = caller_->prefix;
    MutexLock lock(recorder_->mutex);
    BucketRecorder& recorder = recorder_->recorder;
    const BucketRecord& record = recorder.record();
    if (record.steps == 0 || context_.engine.now() - record.time >= *age) recorder.step();
    const ViewedTable table = viewed(record.table, *view);
    response_.Clear();
    for (const ViewedRow& row : table.rows) {
      write_row(record.table, row, *response_.add_buckets());
    }
    response_.set_rows(table.total);
    response_.set_total_buckets(table.buckets);
    response_.set_time(record.epoch_ms(record.steps - 1));
    response_.set_measured_over_ns(static_cast<std::uint64_t>(record.span.ns));
    response_.set_processed_bps(table.bits_per_second);
    response_.set_processed_per_second(table.units_per_second);
    response_.set_lost_per_second(table.lost_per_second);
    response_.set_backlog(table.backlog);
    return absl::OkStatus();
  }

  void write_row(const BucketTable& table, const ViewedRow& viewed, v1::TopBucket& message) const {
    const BucketRow& row = table.rows()[viewed.row];
    const BucketSettings settings = row.settings();
    message.set_bucket_id(std::string(row.id()));
    message.set_depth(viewed.depth);
    message.set_continues(viewed.continues);
    message.set_inner(row.inner());
    message.set_processed_bps(row.bits_per_second);
    message.set_processed_per_second(row.units_per_second);
    message.set_ceiling_bps(settings.bits_per_second);
    message.set_ceiling_per_second(settings.units_per_second);
    if (settings.rate_is_leased) {
      SharedBuckets* const shared = context_.cluster.shared_buckets();
      if (const auto share = shared != nullptr ? shared->share_of(row.id()) : std::nullopt) {
        message.set_ceiling_bps(share->share.bits_per_second);
        message.set_ceiling_per_second(share->share.units_per_second);
      }
    }
    message.set_backlog(row.backlog_below);
    message.set_sojourn_p50_ns(row.sojourn_p50_ns);
    message.set_sojourn_p99_ns(row.sojourn_p99_ns);
    message.set_lost_per_second(row.lost_per_second);
    write_wait(table, viewed.row, message);
    // A tenant does not learn the names of others' buckets.
    if (!message.waits_for_id().starts_with(caller_->prefix)) message.clear_waits_for_id();
  }

  const ServicesContext& context_;
  StreamSet& streams_;
  const access::CallerRef caller_;
  const std::shared_ptr<TopRecorder> recorder_;
  v1::WatchTopRequest request_;
  v1::WatchTopResponse response_;

  Mutex mutex_;
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;  // A message is being answered.
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status end_status_;  // Set before finished_.
};

}  // namespace

std::shared_ptr<TopRecorder> TopRecorders::get() {
  MutexLock lock(mutex_);
  std::shared_ptr<TopRecorder> recorder = present_.lock();
  if (recorder == nullptr) {
    recorder = std::make_shared<TopRecorder>(context_);
    present_ = recorder;
  }
  return recorder;
}

grpc::ServerBidiReactor<v1::WatchTopRequest, v1::WatchTopResponse>* open_top_stream(
    const ServicesContext& context, StreamSet& streams, TopRecorders& recorders,
    const Admitted& admitted) {
  auto stream = std::make_shared<TopStream>(context, streams, admitted.caller, recorders.get());
  if (const absl::Status status = streams.add(stream, admitted); status.ok()) {
    stream->begin();
  } else {
    stream->end(to_grpc(status));
  }
  return stream.get();
}

}  // namespace drip::control
