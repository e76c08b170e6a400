// SPDX-License-Identifier: BSD-3-Clause
// The open streams of a node.
#pragma once

#include <grpcpp/support/status.h>

#include <map>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "control/rpc/calls/admitted.h"
#include "control/rpc/calls/open_calls.h"

namespace drip::control {

/// A call that goes on until the caller ends it.
class Stream {
 public:
  virtual ~Stream() = default;
  /// Ends the stream soon, with this status unless it is ending already. Thread safe.
  virtual void end(const grpc::Status& status) = 0;
};

/// Keeps all streams of a node, so that a stop can end them. Thread safe; outlives the streams.
class StreamSet {
 public:
  explicit StreamSet(const OpenCalls::Limits& limits) : calls_(limits) {}

  /// Keeps the stream until forget(), as an open call of its peer. An error is what the stream is
  /// to be ended with: UNAVAILABLE if the node is stopping, or that of OpenCalls.
  [[nodiscard]] absl::Status add(std::shared_ptr<Stream> stream, Admitted admitted);
  /// Destroys the stream unless somebody else has it.
  void forget(Stream& stream);
  /// Ends all streams with UNAVAILABLE. What a stream is answering at this moment is still
  /// answered.
  void stop();

  /// Ends the streams whose callers may not make their calls any more: a token that was revoked or
  /// has expired, a role that was changed.
  void end_refused(const access::AccessControl& access);

  /// Of the node, streams or not.
  [[nodiscard]] OpenCalls& calls() { return calls_; }

 private:
  struct Kept {
    std::shared_ptr<Stream> stream;
    Admitted admitted;
    OpenCalls::Place place;
  };

  OpenCalls calls_;
  Mutex mutex_;
  std::map<Stream*, Kept> streams_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace drip::control
