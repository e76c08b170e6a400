// SPDX-License-Identifier: BSD-3-Clause
#include "control/listen/server_limits.h"

#include <grpcpp/resource_quota.h>

namespace drip::control {
namespace {

// The connection of a client that vanished is closed after this time and gRPC's timeout of 20 s.
constexpr int kKeepaliveMs = 60'000;

}  // namespace

void apply(const ServerLimits& limits, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(limits.max_receive_bytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, limits.concurrent_calls);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                             static_cast<int>(limits.handshake_timeout.count()));
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  grpc::ResourceQuota quota("drip");
  quota.Resize(limits.memory_bytes);
  builder.SetResourceQuota(quota);
}

}  // namespace drip::control
