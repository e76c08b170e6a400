// SPDX-License-Identifier: BSD-3-Clause
// The gRPC server of the control process.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/server.h>

#include <chrono>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "access/tls_files.h"
#include "base/file_descriptor.h"
#include "control/listen/acceptor.h"
#include "front/link/link.pb.h"
#include "front/proxy/call_proxy.h"

namespace drip::front {

class FrontServer {
 public:
  /// Accepts on `sockets`, one for each of settings.listeners, and passes on calls by the channel.
  /// `tls`: null if there is none. INTERNAL if gRPC does not start.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<FrontServer>> start(
      const Settings& settings, std::vector<FileDescriptor> sockets,
      const std::shared_ptr<grpc::Channel>& channel,
      const std::shared_ptr<const access::TlsSource>& tls);

  /// Accepts no more, waits up to `patience` for calls, then cancels the others. A second call does
  /// nothing.
  void stop(std::chrono::milliseconds patience);
  ~FrontServer() { stop(std::chrono::milliseconds(0)); }
  FrontServer(const FrontServer&) = delete;
  FrontServer& operator=(const FrontServer&) = delete;

 private:
  FrontServer(std::vector<FileDescriptor> sockets, const std::shared_ptr<grpc::Channel>& channel)
      : sockets_(std::move(sockets)), proxy_(channel) {}

  std::vector<FileDescriptor> sockets_;
  CallProxy proxy_;
  std::shared_ptr<grpc::ServerCredentials> tls_credentials_;  // Null without TLS.
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<control::Acceptor> acceptor_;
};

}  // namespace drip::front
