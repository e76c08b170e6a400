// SPDX-License-Identifier: BSD-3-Clause
// A thread that accepts connections and hands them to gRPC.
#pragma once

#include <grpcpp/server_builder.h>

#include <memory>
#include <thread>
#include <vector>

#include "control/server/listen_socket.h"

namespace drip::control {

using GrpcAcceptor = grpc::experimental::ExternalConnectionAcceptor;

/// Keeps some file descriptors free: a connection that would take one of the last is closed at
/// once, so that the callers already connected, and the rest of the daemon, go on.
class Acceptor {
 public:
  /// REQUIRES: `grpc`'s server has started.
  Acceptor(std::vector<ListenSocket> sockets, std::unique_ptr<GrpcAcceptor> grpc);
  /// Ends the thread, then closes the sockets.
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

 private:
  void run();
  // False: there was none, or it failed.
  bool accept_one(int listener);

  const std::vector<ListenSocket> sockets_;
  const std::unique_ptr<GrpcAcceptor> grpc_;
  FileDescriptor wake_;  // An eventfd; readable when the thread is to end.
  int most_fd_ = 0;      // A connection with a higher descriptor is closed.
  std::thread thread_;
};

}  // namespace drip::control
