// SPDX-License-Identifier: BSD-3-Clause
// A stream reads a message, has it admitted, and writes the answer while it reads the next one.
// Where Redis is asked its answer continues the stream, and no thread waits.
//
// At most one answer is being written and one more is ready: only then the next message is read. So
// a caller who does not read its answers is not read from either.
#include "control/rpc/streams/admit_stream.h"

#include <array>
#include <memory>
#include <utility>

#include "control/rpc/calls/rpc_status.h"
#include "control/rpc/calls/unary_call.h"
#include "control/rpc/streams/admit_message.h"

namespace drip::control {
namespace {

class AdmitStream final
    : public grpc::ServerBidiReactor<v1::AllowRequestsRequest, v1::AllowRequestsResponse>,
      public Stream {
 public:
  AdmitStream(const ServicesContext& context, StreamSet& streams, access::CallerRef caller)
      : message_(context, std::move(caller)), streams_(streams) {}

  void begin() { StartRead(&request_); }

  /// Ends the stream once the answer that is ready has been written. Thread safe.
  void end(const grpc::Status& status) override {
    {
      MutexLock lock(mutex_);
      if (!ending_) end_status_ = status;
      ending_ = true;
    }
    advance();
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return end(grpc::Status::OK);  // The caller has said all.
    {
      MutexLock lock(mutex_);
      deciding_ = true;
    }
    const absl::Status status = message_.run(request_, responses_[next_], [this] {
      {
        MutexLock lock(mutex_);
        deciding_ = false;
        ready_ = true;
      }
      advance();
    });
    if (status.ok()) return;
    {
      MutexLock lock(mutex_);
      deciding_ = false;
    }
    end(to_grpc(status));
  }
  void OnWriteDone(bool ok) override {
    {
      MutexLock lock(mutex_);
      writing_ = false;
      if (!ok && !ending_) end_status_ = {grpc::StatusCode::CANCELLED, "the caller disconnected"};
      ending_ = ending_ || !ok;
    }
    advance();
  }
  void OnDone() override { streams_.forget(*this); }

  // gRPC may call back before its Start functions return, so they are called without the lock.
  void advance() {
    bool finish = false;
    bool read = false;
    v1::AllowRequestsResponse* answer = nullptr;
    {
      MutexLock lock(mutex_);
      if (finished_ || writing_ || deciding_) return;
      if (ready_) {
        answer = &responses_[next_];
        next_ = 1 - next_;
        ready_ = false;
        writing_ = true;
        read = !ending_;
      } else {
        finish = finished_ = ending_;
      }
    }
    if (answer != nullptr) StartWrite(answer);
    if (read) StartRead(&request_);
    if (finish) Finish(end_status_);  // Which nothing changes any more.
  }

  AdmitMessage message_;
  StreamSet& streams_;
  v1::AllowRequestsRequest request_;  // The reader's.
  // message_ fills the one at next_; the other one is being written. next_ changes only while
  // nothing is being decided.
  std::array<v1::AllowRequestsResponse, 2> responses_;
  std::size_t next_ = 0;

  Mutex mutex_;
  bool deciding_ ABSL_GUARDED_BY(mutex_) = false;
  bool ready_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status end_status_;  // Set before ending_.
};

}  // namespace

grpc::ServerBidiReactor<v1::AllowRequestsRequest, v1::AllowRequestsResponse>* open_admit_stream(
    const ServicesContext& context, StreamSet& streams, const Admitted& admitted) {
  auto stream = std::make_shared<AdmitStream>(context, streams, admitted.caller);
  if (const absl::Status status = streams.add(stream, admitted); status.ok()) {
    stream->begin();
  } else {
    stream->end(to_grpc(status));
  }
  return stream.get();
}

}  // namespace drip::control
