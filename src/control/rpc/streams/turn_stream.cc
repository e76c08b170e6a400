// SPDX-License-Identifier: BSD-3-Clause
// A stream reads messages, awaits each entry, and writes results as they come. At most one message
// is being written; results that come meanwhile go together into the next one. Nothing is read
// while many results wait to be written, so a caller who does not read them is not read from
// either.
#include "control/rpc/streams/turn_stream.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "base/mutex.h"
#include "base/text.h"
#include "control/convert/convert_bucket.h"
#include "control/rpc/calls/await_turn.h"
#include "control/rpc/calls/read_request.h"
#include "control/rpc/calls/rpc_status.h"
#include "control/rpc/calls/unary_call.h"
#include "control/rpc/streams/admit_message.h"

namespace drip::control {
namespace {

// Of one message: far below what a client receives by default.
constexpr std::size_t kMostResults = 1024;

class TurnStream final
    : public grpc::ServerBidiReactor<v1::AwaitTurnsRequest, v1::AwaitTurnsResponse>,
      public Stream,
      public std::enable_shared_from_this<TurnStream> {
 public:
  TurnStream(const ServicesContext& context, StreamSet& streams, const Admitted& admitted,
             grpc::CallbackServerContext* call)
      : context_(context),
        streams_(streams),
        caller_(admitted.caller),
        call_(call),
        share_(admitted.client, ClientUse::kWaitingRequests) {}

  void begin() { advance(); }

  /// Ends the stream once the results that are there have been written; its requests stay in their
  /// queues. Thread safe.
  void end(const grpc::Status& status) override {
    end_waits(status, false);
    advance();
  }

 private:
  struct Wait {
    std::shared_ptr<AwaitedTurn> turn;  // Null until await() has returned.
    bool release = false;
  };
  using Waits = std::unordered_map<std::uint64_t, Wait>;

  void OnReadDone(bool ok) override {
    if (ok) {
      const int count = request_.entries_size();
      if (count < 1 || count > kMaxBatchEntries) {
        end_waits(to_grpc(not_allowed("entries", joined(count),
                                      joined("1 to ", kMaxBatchEntries, " in a message"))),
                  true);
      } else {
        take(request_);
      }
    }
    {
      MutexLock lock(mutex_);
      reading_ = false;
      read_all_ = read_all_ || !ok;
    }
    advance();
  }
  void OnWriteDone(bool ok) override {
    if (!ok) end_waits({grpc::StatusCode::CANCELLED, "the caller disconnected"}, true);
    {
      MutexLock lock(mutex_);
      writing_ = false;
      if (!ok) results_.clear();
    }
    advance();
  }
  void OnCancel() override {
    end_waits(cancelled_status(*call_), true);
    {
      MutexLock lock(mutex_);
      results_.clear();
    }
    advance();
  }
  void OnDone() override { streams_.forget(*this); }

  void take(const v1::AwaitTurnsRequest& message) {
    const Duration left = time_left(*call_);
    std::string bucket_id;
    for (const v1::AwaitTurnsEntry& entry : message.entries()) {
      if (!entry.bucket_id().empty()) bucket_id = entry.bucket_id();
      absl::StatusOr<Admissible> admissible =
          bucket_id.empty() ? absl::StatusOr<Admissible>(missing(
                                  "bucket_id", "the first entry of a message names its bucket"))
                            : read_request(context_, *caller_, entry, bucket_id);
      if (!admissible.ok()) {
        answer(entry.tag(), admissible.status());
        continue;
      }
      admissible->request.terms.limits.departure = left;
      await(entry, *admissible);
    }
  }

  absl::Status room_for_another() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (waits_.size() >= kMaxTurnsOfAStream) {
      return absl::ResourceExhaustedError(
          joined("entries: ", kMaxTurnsOfAStream, " wait on this stream, as many as may"));
    }
    return share_.resize(waits_.size() + 1);
  }

  void await(const v1::AwaitTurnsEntry& entry, const Admissible& admissible) {
    std::uint64_t key = 0;
    absl::Status status;
    {
      MutexLock lock(mutex_);
      if (ending_) return;
      status = room_for_another();
      if (status.ok()) {
        key = next_key_++;
        waits_[key].release = entry.release_on_cancel();
      }
    }
    if (!status.ok()) return answer(entry.tag(), status);
    BucketEntry& bucket = *admissible.bucket;
    std::shared_ptr<AwaitedTurn> turn =
        bucket.queues().await(bucket, admissible.request,
                              [self = shared_from_this(), key,
                               tag = entry.tag()](const absl::StatusOr<TurnResult>& result) {
                                {
                                  MutexLock lock(self->mutex_);
                                  if (self->waits_.erase(key) == 0)
                                    return;  // The stream has ended.
                                  // Less is never refused.
                                  (void)self->share_.resize(self->waits_.size());
                                  self->push(tag, result);
                                }
                                self->advance();
                              });
    {
      MutexLock lock(mutex_);
      if (const auto wait = waits_.find(key); wait != waits_.end()) {
        wait->second.turn = std::move(turn);
        return;
      }
    }
    // It has been answered, or the stream has ended meanwhile: then nobody else cancels it.
    if (turn != nullptr) (void)turn->cancel(entry.release_on_cancel() && was_cancelled());
  }

  void answer(std::uint64_t tag, const absl::StatusOr<TurnResult>& result) {
    MutexLock lock(mutex_);
    push(tag, result);
  }
  void push(std::uint64_t tag, const absl::StatusOr<TurnResult>& result)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    v1::AwaitTurnsResult& message = results_.emplace_back();
    message.set_tag(tag);
    if (result.ok()) {
      write_turn(*result, *message.mutable_turn());
    } else {
      message.set_code(static_cast<int>(result.status().code()));
      message.set_error(std::string(result.status().message()));
    }
  }
  bool was_cancelled() {
    MutexLock lock(mutex_);
    return release_;
  }

  // The first call decides the status. With `release`, requests are released that are to be.
  void end_waits(const grpc::Status& status, bool release) {
    Waits waits;
    {
      MutexLock lock(mutex_);
      if (!ending_) end_status_ = status;
      ending_ = true;
      release_ = release_ || release;
      waits.swap(waits_);
      (void)share_.resize(0);
    }
    for (auto& [key, wait] : waits) {
      // If it has ended at this moment its result goes nowhere.
      if (wait.turn != nullptr) (void)wait.turn->cancel(release && wait.release);
    }
  }

  // gRPC may call back before its Start functions return, so they are called without the lock.
  void advance() {
    bool read = false;
    bool write = false;
    bool finish = false;
    {
      MutexLock lock(mutex_);
      if (finished_) return;
      if (!writing_ && !results_.empty()) {
        response_.Clear();
        for (std::size_t i = 0; i < kMostResults && !results_.empty(); ++i) {
          *response_.add_results() = std::move(results_.front());
          results_.pop_front();
        }
        write = writing_ = true;
      }
      const bool idle = !writing_ && results_.empty();
      finish = finished_ = idle && (ending_ || (read_all_ && waits_.empty()));
      read = !finished_ && !reading_ && !read_all_ && !ending_ && results_.size() < kMostResults;
      reading_ = reading_ || read;
    }
    if (write) StartWrite(&response_);
    if (read) StartRead(&request_);
    if (finish) Finish(end_status_);  // Which nothing changes any more.
  }

  const ServicesContext& context_;
  StreamSet& streams_;
  const access::CallerRef caller_;
  grpc::CallbackServerContext* const call_;
  v1::AwaitTurnsRequest request_;    // The reader's.
  v1::AwaitTurnsResponse response_;  // The writer's.

  Mutex mutex_;
  Waits waits_ ABSL_GUARDED_BY(mutex_);
  ClientShare share_ ABSL_GUARDED_BY(mutex_);  // As many as waits_.
  std::uint64_t next_key_ ABSL_GUARDED_BY(mutex_) = 1;
  std::deque<v1::AwaitTurnsResult> results_ ABSL_GUARDED_BY(mutex_);
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;  // Until all of the message has been taken.
  bool read_all_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  bool release_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status end_status_;  // Set before ending_.
};

}  // namespace

grpc::ServerBidiReactor<v1::AwaitTurnsRequest, v1::AwaitTurnsResponse>* open_turn_stream(
    const ServicesContext& context, StreamSet& streams, const Admitted& admitted,
    grpc::CallbackServerContext* call) {
  auto stream = std::make_shared<TurnStream>(context, streams, admitted, call);
  if (const absl::Status status = streams.add(stream, admitted); status.ok()) {
    stream->begin();
  } else {
    stream->end(to_grpc(status));
  }
  return stream.get();
}

}  // namespace drip::control
