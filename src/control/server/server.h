// SPDX-License-Identifier: BSD-3-Clause
// The gRPC server: its addresses, limits, start and stop.
#pragma once

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "access/tls_files.h"
#include "base/file_descriptor.h"
#include "control/listen/acceptor.h"
#include "control/listen/listeners.h"
#include "control/rpc/calls/open_calls.h"
#include "control/server/call_counts.h"

namespace drip::control {

struct ServerOptions {
  /// `HOST:PORT` or `unix:PATH`, with options; see parse_listen_address() and listen_on().
  std::vector<std::string> addresses = {"127.0.0.1:50051"};
  /// Of one message. A configuration of 65536 buckets takes about 10 MiB.
  int max_receive_bytes = 64 << 20;
  /// Calls that stay open: AwaitTurn and streams. More are refused.
  OpenCalls::Limits open_calls;
  /// Memory for the buffers of all connections.
  std::size_t memory_bytes = std::size_t{512} << 20;
  std::chrono::milliseconds handshake_timeout{10'000};
  /// Of one address; more are closed at once. 0: no limit.
  std::uint32_t connections_of_address = 4096;
  /// For TCP addresses, unless one says tls=off; null: none has TLS.
  std::shared_ptr<const access::TlsFiles> tls;
  /// Clients without a certificate are let in, to show a token instead.
  bool allow_tokens = false;
  /// Addresses beyond this machine may be without TLS, or without any way to know who calls.
  bool insecure = false;
  /// Counts the calls; outlives the server. Null: nobody counts.
  CallCounts* call_counts = nullptr;
  /// The addresses are opened, but another process accepts their connections and passes on the
  /// calls, see Server::connect().
  bool forwarded = false;
  /// Answers what is no method of the services; outlives the server. Null: UNIMPLEMENTED.
  grpc::CallbackGenericService* others = nullptr;
};

class Server {
 public:
  /// Serves `services`, which must outlive the server, and gRPC's health and reflection services
  /// until stop(). Errors are those of listen_on(); INVALID_ARGUMENT for an address beyond this
  /// machine without TLS, or where no caller has an identity, unless `insecure` is set.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Server>> start(
      const ServerOptions& options, std::span<grpc::Service* const> services);
  ~Server() { stop(std::chrono::milliseconds(0)); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// The bound ports in the order of the addresses; 0 for a Unix socket.
  [[nodiscard]] const std::vector<std::uint16_t>& ports() const { return listeners_.ports; }

  /// Where the connections come in that the other process accepts; for options.forwarded. Their
  /// backlogs keep connections while there is no such process.
  [[nodiscard]] std::span<const Listener> listeners() const { return listeners_.sockets; }
  /// Serves the process at the other end of the socket until that end is closed.
  void connect(FileDescriptor socket);

  /// Sets what the health service reports.
  void set_healthy(bool healthy);

  /// Accepts no more connections, waits up to `patience` for calls, then cancels the others and
  /// waits for their end. A second call does nothing.
  void stop(std::chrono::milliseconds patience);

 private:
  Server() = default;

  Listeners listeners_;
  std::shared_ptr<grpc::ServerCredentials> tls_credentials_;  // Null without TLS.
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace drip::control
