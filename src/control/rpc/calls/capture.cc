// SPDX-License-Identifier: BSD-3-Clause
// A stream repeats two steps: write a message with what was copied, sleep on an alarm if that was
// all. One step is pending at any time, and only a step ends the stream; a cancel or a stop just
// cuts the sleep short.
#include "control/rpc/calls/capture.h"

#include <grpcpp/alarm.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "base/errors.h"
#include "base/text.h"
#include "control/rpc/calls/audited_change.h"
#include "control/rpc/calls/rpc_status.h"

namespace drip::control {
namespace {

// The ring holds what comes meanwhile.
constexpr std::chrono::milliseconds kPause{50};

class CaptureStream final : public grpc::ServerWriteReactor<v1::CaptureResponse>, public Stream {
 public:
  CaptureStream(const ServicesContext& context, StreamSet& streams, access::AuditRecord about)
      : context_(context), streams_(streams), about_(std::move(about)) {}

  void begin(const access::Caller& caller, CapturePlace& place, const v1::CaptureRequest& request) {
    about_.target = "bucket " + request.bucket_id();
    absl::Status status = access::check_covers(caller, "bucket_id", request.bucket_id());
    if (status.ok()) {
      auto session = CaptureSession::begin(context_.engine, context_.buckets, place, request);
      status = session.status();
      if (status.ok()) session_ = *std::move(session);
    }
    audit("begun", status);
    if (!status.ok()) return Finish(to_grpc(status));
    StartWrite(&message_);  // Nothing yet: it has begun.
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
    if (!ok) return finish({grpc::StatusCode::CANCELLED, "the caller disconnected"});
    if (message_.end() != v1::CAPTURE_END_UNSPECIFIED) return finish(grpc::Status::OK);
    more_ ? step() : sleep();
  }

  void step() {
    grpc::Status status;
    if (is_ending(status)) return finish(status);
    more_ = session_->read(message_);
    StartWrite(&message_);
  }
  void sleep() {
    MutexLock lock(mutex_);
    // A new alarm each time: the one before may still be inside its callback.
    alarm_ = std::make_unique<grpc::Alarm>();
    alarm_->Set(std::chrono::system_clock::now() + kPause, [this](bool) { step(); });
    if (ending_) alarm_->Cancel();
  }
  [[nodiscard]] bool is_ending(grpc::Status& status) {
    MutexLock lock(mutex_);
    status = end_status_;
    return ending_;
  }
  void finish(const grpc::Status& status) {
    const std::uint64_t frames = session_->frames();
    session_.reset();  // Another one may begin as soon as the caller knows that this one is over.
    audit(joined("ended, ", frames, " frames sent"), absl::OkStatus());
    Finish(status);
  }

  void audit(const std::string& what, const absl::Status& status) const {
    if (context_.audit == nullptr) return;
    access::AuditRecord record = about_;
    record.time = std::chrono::system_clock::now();
    if (status.ok()) {
      record.after = joined("\"", what, "\"");
    } else {
      record.result = absl::StatusCodeToString(status.code());
      record.error = message_of(status);
    }
    context_.audit->record(record);
  }

  const ServicesContext& context_;
  StreamSet& streams_;
  access::AuditRecord about_;
  // Of the steps only, one at a time.
  std::unique_ptr<CaptureSession> session_;
  v1::CaptureResponse message_;
  bool more_ = true;

  Mutex mutex_;
  std::unique_ptr<grpc::Alarm> alarm_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status end_status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

grpc::ServerWriteReactor<v1::CaptureResponse>* open_capture_stream(
    const ServicesContext& context, StreamSet& streams, CapturePlace& place,
    const Admitted& admitted, std::string_view peer, const v1::CaptureRequest& request) {
  auto stream =
      std::make_shared<CaptureStream>(context, streams, record_of(admitted, std::string(peer)));
  if (const absl::Status status = streams.add(stream, peer, admitted); status.ok()) {
    stream->begin(*admitted.caller, place, request);
  } else {
    stream->Finish(to_grpc(status));
  }
  return stream.get();
}

}  // namespace drip::control
