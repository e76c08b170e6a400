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

/// Reserves some file descriptors: a connection that would get one of the last is closed at once,
/// so that the daemon and the clients that are connected already are not affected.
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
  // Returns false if there was no connection or accepting it failed.
  bool accept_one(int listener);

  const std::vector<ListenSocket> sockets_;
  const std::unique_ptr<GrpcAcceptor> grpc_;
  FileDescriptor wake_;  // An eventfd that is readable when the thread is to end.
  int max_fd_ = 0;       // A connection with a higher descriptor is closed.
  std::thread thread_;
};

}  // namespace drip::control
