// SPDX-License-Identifier: BSD-3-Clause
// Builds, starts and stops grpc::Server.
#include "control/server/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <iterator>
#include <utility>

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

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::start(const ServerOptions& options,
                                                      std::span<grpc::Service* const> services) {
  std::unique_ptr<Server> result(new Server());
  std::vector<ListenSocket> sockets;
  for (const std::string& address : options.addresses) {
    absl::StatusOr<std::vector<ListenSocket>> bound = listen_on(address);
    if (!bound.ok()) return bound.status();
    result->ports_.push_back(bound->front().port());
    std::move(bound->begin(), bound->end(), std::back_inserter(sockets));
  }
  // Both apply to servers that are built afterwards.
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();

  grpc::ServerBuilder builder;
  set_limits(options, builder);
  for (grpc::Service* const service : services) builder.RegisterService(service);
  std::unique_ptr<GrpcAcceptor> acceptor = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
      grpc::InsecureServerCredentials());
  result->server_ = builder.BuildAndStart();
  if (result->server_ == nullptr) return absl::InternalError("gRPC did not start; see its log");
  result->acceptor_ = std::make_unique<Acceptor>(std::move(sockets), std::move(acceptor));
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
