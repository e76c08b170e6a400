// SPDX-License-Identifier: BSD-3-Clause
// The streams of WatchBuckets.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <set>

#include "base/mutex.h"
#include "control/rpc/services_context.h"
#include "drip/v1/shaper.pb.h"

namespace drip::control {

class WatchStream;

/// All streams of a node, so that a stop can end them. Thread safe; outlives the streams.
class WatchStreams {
 public:
  explicit WatchStreams(const ServicesContext& context) : context_(context) {}

  /// The reactor of a new stream; it deletes itself when the call is done.
  [[nodiscard]] grpc::ServerWriteReactor<v1::WatchBucketsResponse>* open(
      const v1::WatchBucketsRequest& request);
  /// Ends all streams with UNAVAILABLE, and those that are opened later at once.
  void stop();

 private:
  friend class WatchStream;
  void forget(WatchStream& stream);

  const ServicesContext& context_;
  Mutex mutex_;
  std::set<WatchStream*> streams_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace drip::control
