// SPDX-License-Identifier: BSD-3-Clause
// Builds, starts and stops grpc::Server.
#include "control/server/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>

#include <limits>
#include <utility>

#include "control/listen/server_limits.h"
#include "control/listen/tls_credentials.h"

namespace drip::control {
namespace {

// What the process that passes on calls adds to the metadata of a client, which gRPC limits by
// itself to 8 KiB.
constexpr int kForwardedMetadataBytes = 64 << 10;

ServerLimits limits_of(const ServerOptions& options) {
  // So that open calls are never held back, there is room for all of the node and as many that are
  // answered at once.
  return {options.max_receive_bytes, static_cast<int>(2 * options.open_calls.node),
          options.memory_bytes, options.handshake_timeout};
}

void count_calls(CallCounts& counts, grpc::ServerBuilder& builder) {
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> creators;
  creators.push_back(counts.factory());
  builder.experimental().SetInterceptorCreators(std::move(creators));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::start(const ServerOptions& options,
                                                      std::span<grpc::Service* const> services) {
  std::unique_ptr<Server> result(new Server());
  const bool with_tls = options.tls != nullptr;
  absl::StatusOr<Listeners> listeners = open_listeners(
      options.addresses,
      {with_tls, with_tls && (options.tls->verifies_clients() || options.allow_tokens),
       options.insecure});
  if (!listeners.ok()) return listeners.status();
  result->listeners_ = *std::move(listeners);
  // Both apply to servers that are built afterwards.
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();

  grpc::ServerBuilder builder;
  ServerLimits limits = limits_of(options);
  if (options.forwarded) {
    // The other process limits messages and connections; all its calls are of one connection.
    limits.max_receive_bytes = -1;
    limits.concurrent_calls = std::numeric_limits<int>::max();
    builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kForwardedMetadataBytes);
  }
  apply(limits, builder);
  if (options.call_counts != nullptr) count_calls(*options.call_counts, builder);
  for (grpc::Service* const service : services) builder.RegisterService(service);
  if (options.others != nullptr) builder.RegisterCallbackGenericService(options.others);
  if (options.forwarded) {
    result->server_ = builder.BuildAndStart();
    if (result->server_ == nullptr) return absl::InternalError("gRPC did not start; see its log");
    return result;
  }
  std::vector<std::unique_ptr<GrpcAcceptor>> acceptors;
  const auto add_acceptor = [&](std::shared_ptr<grpc::ServerCredentials> credentials) {
    acceptors.push_back(builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        std::move(credentials)));
    return acceptors.back().get();
  };
  GrpcAcceptor* const plain = add_acceptor(grpc::InsecureServerCredentials());
  GrpcAcceptor* tls = nullptr;
  if (with_tls) {
    result->tls_credentials_ = tls_credentials(options.tls, !options.allow_tokens);
    tls = add_acceptor(result->tls_credentials_);
  }
  result->server_ = builder.BuildAndStart();
  if (result->server_ == nullptr) return absl::InternalError("gRPC did not start; see its log");
  std::vector<Acceptor::Socket> sockets;
  for (const Listener& listener : result->listeners_.sockets) {
    sockets.push_back({listener.socket.fd(), listener.with_tls ? tls : plain});
  }
  result->acceptor_ = std::make_unique<Acceptor>(std::move(sockets), std::move(acceptors),
                                                 options.connections_of_address);
  return result;
}

void Server::connect(FileDescriptor socket) {
  grpc::AddInsecureChannelFromFd(server_.get(), socket.release());
}

void Server::set_healthy(bool healthy) {
  server_->GetHealthCheckService()->SetServingStatus(healthy);
}

void Server::stop(std::chrono::milliseconds patience) {
  if (server_ == nullptr) return;
  acceptor_.reset();
  listeners_.sockets.clear();
  server_->GetHealthCheckService()->Shutdown();
  server_->Shutdown(std::chrono::system_clock::now() + patience);
  server_->Wait();
  server_.reset();
}

}  // namespace drip::control
