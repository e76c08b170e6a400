// SPDX-License-Identifier: BSD-3-Clause
// What connections and their calls may take of a gRPC server.
#pragma once

#include <grpcpp/server_builder.h>

#include <chrono>
#include <cstddef>

namespace drip::control {

struct ServerLimits {
  /// Of one message. A configuration of 65536 buckets takes about 10 MiB.
  int max_receive_bytes = 64 << 20;
  /// Of one connection. gRPC holds back calls over this, on the client's side and until they time
  /// out.
  int concurrent_calls = 1 << 17;
  /// Memory for the buffers of all connections.
  std::size_t memory_bytes = std::size_t{512} << 20;
  std::chrono::milliseconds handshake_timeout{10'000};
};

void apply(const ServerLimits& limits, grpc::ServerBuilder& builder);

}  // namespace drip::control
