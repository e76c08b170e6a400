// SPDX-License-Identifier: BSD-3-Clause
// The open streams of a node.
#pragma once

#include <grpcpp/support/status.h>

#include <map>
#include <memory>

#include "base/mutex.h"

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
  /// Keeps the stream until forget(). False: the node is stopping and the stream is to be ended.
  [[nodiscard]] bool add(std::shared_ptr<Stream> stream);
  /// Destroys the stream unless somebody else has it.
  void forget(Stream& stream);
  /// Ends all streams with UNAVAILABLE. What a stream is answering at this moment is still
  /// answered.
  void stop();

 private:
  Mutex mutex_;
  std::map<Stream*, std::shared_ptr<Stream>> streams_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace drip::control
