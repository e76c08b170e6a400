// SPDX-License-Identifier: BSD-3-Clause
// Builds, starts and stops grpc::Server.
#include "control/server/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <utility>

#include "base/errors.h"
#include "control/server/listen_address.h"
#include "control/server/listen_socket.h"
#include "control/server/tls_credentials.h"

namespace drip::control {
namespace {

// The connection of a client that vanished is closed after this time and gRPC's timeout of 20 s.
constexpr int kKeepaliveMs = 60'000;

void set_limits(const ServerOptions& options, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(options.max_receive_bytes);
  // gRPC holds back what is over this, on the client's side and until it times out. So that open
  // calls never are, there is room for all of the node and as many that are answered at once.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             static_cast<int>(2 * options.open_calls.node));
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                             static_cast<int>(options.handshake_timeout.count()));
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  grpc::ResourceQuota quota("drip");
  quota.Resize(options.memory_bytes);
  builder.SetResourceQuota(quota);
  if (options.call_counts != nullptr) {
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> creators;
    creators.push_back(options.call_counts->factory());
    builder.experimental().SetInterceptorCreators(std::move(creators));
  }
}

struct Bound {
  ListenSocket socket;
  bool with_tls = false;
};

// Whoever reaches an open port of a shaper can let all traffic pass or stop it.
absl::Status check_exposure(const ServerOptions& options, const std::string& address, bool is_local,
                            bool with_tls) {
  if (is_local || options.insecure) return absl::OkStatus();
  if (!with_tls) {
    return not_allowed("listen", quoted(address),
                       "beyond this machine only with TLS (--tls-cert, --tls-key); --insecure "
                       "lets whoever reaches the address read and change everything");
  }
  if (!options.tls->verifies_clients() && !options.allow_tokens) {
    return not_allowed("listen", quoted(address),
                       "beyond this machine only where callers are known (--tls-client-ca or "
                       "--tokens); --insecure lets whoever reaches the address change everything");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::start(const ServerOptions& options,
                                                      std::span<grpc::Service* const> services) {
  std::unique_ptr<Server> result(new Server());
  std::vector<Bound> sockets;
  for (const std::string& text : options.addresses) {
    const absl::StatusOr<ListenAddress> address = parse_listen_address(text);
    if (!address.ok()) return address.status();
    absl::StatusOr<std::vector<ListenSocket>> bound = listen_on(*address);
    if (!bound.ok()) return bound.status();
    result->ports_.push_back(bound->front().port());
    for (ListenSocket& socket : *bound) {
      const bool with_tls = options.tls != nullptr && address->tls && !socket.is_unix();
      absl::Status status = check_exposure(options, text, socket.is_local(), with_tls);
      if (!status.ok()) return status;
      sockets.push_back({std::move(socket), with_tls});
    }
  }
  // Both apply to servers that are built afterwards.
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();

  grpc::ServerBuilder builder;
  set_limits(options, builder);
  for (grpc::Service* const service : services) builder.RegisterService(service);
  std::vector<std::unique_ptr<GrpcAcceptor>> acceptors;
  const auto add_acceptor = [&](std::shared_ptr<grpc::ServerCredentials> credentials) {
    acceptors.push_back(builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        std::move(credentials)));
    return acceptors.back().get();
  };
  GrpcAcceptor* const plain = add_acceptor(grpc::InsecureServerCredentials());
  GrpcAcceptor* with_tls = nullptr;
  if (options.tls != nullptr) {
    result->tls_credentials_ = tls_credentials(options.tls, !options.allow_tokens);
    with_tls = add_acceptor(result->tls_credentials_);
  }
  result->server_ = builder.BuildAndStart();
  if (result->server_ == nullptr) return absl::InternalError("gRPC did not start; see its log");
  std::vector<Acceptor::Listener> listeners;
  for (Bound& bound : sockets) {
    listeners.push_back({std::move(bound.socket), bound.with_tls ? with_tls : plain});
  }
  result->acceptor_ = std::make_unique<Acceptor>(std::move(listeners), std::move(acceptors),
                                                 options.connections_of_address);
  return result;
}

void Server::set_healthy(bool healthy) {
  server_->GetHealthCheckService()->SetServingStatus(healthy);
}

void Server::stop(std::chrono::milliseconds patience) {
  if (server_ == nullptr) return;
  acceptor_.reset();
  server_->GetHealthCheckService()->Shutdown();
  server_->Shutdown(std::chrono::system_clock::now() + patience);
  server_->Wait();
  server_.reset();
}

}  // namespace drip::control
