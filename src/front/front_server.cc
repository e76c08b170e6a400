// SPDX-License-Identifier: BSD-3-Clause
#include "front/front_server.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <utility>

#include "control/listen/server_limits.h"
#include "control/listen/tls_credentials.h"

namespace drip::front {

absl::StatusOr<std::unique_ptr<FrontServer>> FrontServer::start(
    const Settings& settings, std::vector<FileDescriptor> sockets,
    const std::shared_ptr<grpc::Channel>& channel,
    const std::shared_ptr<const access::TlsSource>& tls) {
  std::unique_ptr<FrontServer> result(new FrontServer(std::move(sockets), channel));
  grpc::ServerBuilder builder;
  control::apply({settings.max_receive_bytes(), settings.concurrent_calls(),
                  static_cast<std::size_t>(settings.memory_bytes()),
                  std::chrono::milliseconds(settings.handshake_timeout_ms())},
                 builder);
  builder.RegisterCallbackGenericService(&result->proxy_);
  std::vector<std::unique_ptr<control::GrpcAcceptor>> acceptors;
  const auto add_acceptor = [&](std::shared_ptr<grpc::ServerCredentials> credentials) {
    acceptors.push_back(builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        std::move(credentials)));
    return acceptors.back().get();
  };
  control::GrpcAcceptor* const plain = add_acceptor(grpc::InsecureServerCredentials());
  control::GrpcAcceptor* with_tls = nullptr;
  if (tls != nullptr) {
    result->tls_credentials_ = control::tls_credentials(tls, settings.client_must_show());
    with_tls = add_acceptor(result->tls_credentials_);
  }
  result->server_ = builder.BuildAndStart();
  if (result->server_ == nullptr) {
    return absl::InternalError("gRPC did not start; see its log");
  }
  std::vector<control::Acceptor::Socket> accepting;
  for (std::size_t i = 0; i < result->sockets_.size(); ++i) {
    const bool is_tls = settings.listeners(static_cast<int>(i)).with_tls();
    accepting.push_back({result->sockets_[i].get(), is_tls ? with_tls : plain});
  }
  result->acceptor_ = std::make_unique<control::Acceptor>(
      std::move(accepting), std::move(acceptors), settings.connections_of_address());
  return result;
}

void FrontServer::stop(std::chrono::milliseconds patience) {
  if (server_ == nullptr) return;
  acceptor_.reset();
  sockets_.clear();
  server_->Shutdown(std::chrono::system_clock::now() + patience);
  server_->Wait();
  server_.reset();
}

}  // namespace drip::front
