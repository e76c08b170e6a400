// SPDX-License-Identifier: BSD-3-Clause
// A stream repeats two steps: write a message with what was copied, sleep if that was all.
#include "control/rpc/streams/capture.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "base/errors.h"
#include "base/text.h"
#include "control/rpc/calls/audited_change.h"
#include "control/rpc/calls/changed_value.h"
#include "control/rpc/calls/rpc_status.h"
#include "control/rpc/streams/paced_stream.h"

namespace drip::control {
namespace {

// The ring holds what comes meanwhile.
constexpr std::chrono::milliseconds kPause{50};

class CaptureStream final : public PacedStream<v1::CaptureResponse> {
 public:
  CaptureStream(const ServicesContext& context, StreamSet& streams, access::AuditRecord about)
      : PacedStream(streams), context_(context), about_(std::move(about)) {}

  void begin(const access::Caller& caller, CapturePlace& place, const v1::CaptureRequest& request) {
    about_.target = "bucket " + request.bucket_id();
    absl::Status status = access::check_covers(caller, "bucket_id", request.bucket_id());
    if (status.ok()) {
      auto session = CaptureSession::begin(context_.engine, context_.buckets,
                                           context_.configuration, place, request);
      status = session.status();
      if (status.ok()) session_ = *std::move(session);
    }
    audit("begun", status);
    if (!status.ok()) return Finish(to_grpc(status));
    StartWrite(&message_);  // Nothing yet: it has begun.
  }

 private:
  void written() override {
    more_ ? woken() : sleep_until(std::chrono::system_clock::now() + kPause);
  }
  void woken() override {
    more_ = session_->read(message_);
    if (message_.end() == v1::CAPTURE_END_UNSPECIFIED) return StartWrite(&message_);
    end_session();
    StartWriteAndFinish(&message_, {}, grpc::Status::OK);
  }
  void finish(const grpc::Status& status) override {
    end_session();
    Finish(status);
  }
  // Another one may begin as soon as the caller knows that this one is over.
  void end_session() {
    const std::uint64_t frames = session_->frames();
    session_.reset();
    audit(joined("ended, ", frames, " frames sent"), absl::OkStatus());
  }

  void audit(const std::string& what, const absl::Status& status) const {
    access::AuditRecord record = about_;
    record.time = std::chrono::system_clock::now();
    if (status.ok()) {
      v1::ChangedValue value;
      value.set_note(what);
      record.after = value_of(value);
    } else {
      record.result = absl::StatusCodeToString(status.code());
      record.error = message_of(status);
    }
    context_.audit.record(record);
  }

  const ServicesContext& context_;
  access::AuditRecord about_;
  std::unique_ptr<CaptureSession> session_;
  v1::CaptureResponse message_;
  bool more_ = true;
};

}  // namespace

grpc::ServerWriteReactor<v1::CaptureResponse>* open_capture_stream(
    const ServicesContext& context, StreamSet& streams, CapturePlace& place,
    const Admitted& admitted, const v1::CaptureRequest& request) {
  auto stream = std::make_shared<CaptureStream>(context, streams, record_of(admitted));
  if (const absl::Status status = streams.add(stream, admitted); status.ok()) {
    stream->begin(*admitted.caller, place, request);
  } else {
    stream->Finish(to_grpc(status));
  }
  return stream.get();
}

}  // namespace drip::control
