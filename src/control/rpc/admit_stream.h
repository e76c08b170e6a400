// SPDX-License-Identifier: BSD-3-Clause
// The streams of AllowRequests.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <map>
#include <memory>

#include "base/mutex.h"
#include "control/rpc/services_context.h"
#include "drip/v1/rate_limiter.pb.h"

namespace drip::control {

class AdmitStream;

/// All streams of a node, so that a stop can end them. Thread safe; outlives the streams.
class AdmitStreams {
 public:
  explicit AdmitStreams(const ServicesContext& context) : context_(context) {}

  /// The reactor of a new stream; it goes when the call is done.
  [[nodiscard]] grpc::ServerBidiReactor<v1::AllowRequestsRequest, v1::AllowRequestsResponse>*
  open();
  /// Ends all streams with UNAVAILABLE, and those that are opened later at once. What a stream is
  /// answering at this moment is still answered.
  void stop();

 private:
  friend class AdmitStream;
  void forget(AdmitStream& stream);

  const ServicesContext& context_;
  Mutex mutex_;
  std::map<AdmitStream*, std::shared_ptr<AdmitStream>> streams_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace drip::control
