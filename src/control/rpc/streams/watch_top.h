// SPDX-License-Identifier: BSD-3-Clause
// One stream of WatchTop, and the measurements that all of them share.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <memory>
#include <string_view>

#include "base/mutex.h"
#include "control/recorder/bucket_recorder.h"
#include "control/rpc/calls/services_context.h"
#include "control/rpc/streams/stream_set.h"
#include "drip/v1/top.pb.h"

namespace drip::control {

/// A recorder without histories that measures when somebody asks. Thread safe.
struct TopRecorder {
  explicit TopRecorder(const ServicesContext& context)
      : recorder(context.engine, context.buckets, context.configuration, nullptr, 0) {}
  Mutex mutex;
  BucketRecorder recorder ABSL_GUARDED_BY(mutex);
};

/// The recorder of a node: there is one while somebody watches. Thread safe.
class TopRecorders {
 public:
  explicit TopRecorders(const ServicesContext& context) : context_(context) {}
  [[nodiscard]] std::shared_ptr<TopRecorder> get();

 private:
  const ServicesContext& context_;
  Mutex mutex_;
  std::weak_ptr<TopRecorder> present_ ABSL_GUARDED_BY(mutex_);
};

/// The reactor of a new stream, which `streams` keeps until the call is done. If it may
/// not be opened it ends at once with the reason.
[[nodiscard]] grpc::ServerBidiReactor<v1::WatchTopRequest, v1::WatchTopResponse>* open_top_stream(
    const ServicesContext& context, StreamSet& streams, TopRecorders& recorders,
    const Admitted& admitted);

}  // namespace drip::control
