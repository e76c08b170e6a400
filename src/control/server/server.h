// SPDX-License-Identifier: BSD-3-Clause
// The gRPC server: where it listens, its limits, and its end.
#pragma once

#include <grpcpp/server.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "control/server/acceptor.h"

namespace drip::control {

struct ServerOptions {
  /// `HOST:PORT` or `unix:PATH`; see listen_on().
  std::vector<std::string> addresses = {"127.0.0.1:50051"};
  /// A bulk configuration of 65536 buckets takes about 10 MiB.
  int max_receive_bytes = 64 << 20;
  /// Calls at one time on one connection: each AwaitTurn is one.
  int max_concurrent_streams = 16384;
  /// Memory for all connections' buffers.
  std::size_t memory_bytes = std::size_t{512} << 20;
  std::chrono::milliseconds handshake_timeout{10'000};
};

class Server {
 public:
  /// Serves `services`, health and reflection until stop(). ALREADY_EXISTS, UNAVAILABLE or
  /// INVALID_ARGUMENT naming the address that cannot be listened on. The services outlive it.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Server>> start(
      const ServerOptions& options, std::span<grpc::Service* const> services);
  ~Server() { stop(std::chrono::milliseconds(0)); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// In the order of the addresses, as they are bound; 0 for a unix socket.
  [[nodiscard]] const std::vector<std::uint16_t>& ports() const { return ports_; }

  /// What the health service says from now on.
  void set_healthy(bool healthy);

  /// Accepts no more, lets calls end for up to `patience`, then cancels the rest and returns when
  /// they are done. Does nothing the second time.
  void stop(std::chrono::milliseconds patience);

 private:
  Server() = default;

  std::vector<std::uint16_t> ports_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace drip::control
