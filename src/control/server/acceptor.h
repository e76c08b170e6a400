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
  /// A listening socket, and who gets its connections: one with TLS, or one without.
  struct Listener {
    ListenSocket socket;
    GrpcAcceptor* grpc = nullptr;
  };
  /// REQUIRES: the server of the `acceptors` has started.
  Acceptor(std::vector<Listener> listeners, std::vector<std::unique_ptr<GrpcAcceptor>> acceptors);
  /// Ends the thread, then closes the sockets.
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

 private:
  void run();
  // Returns false if there was no connection or accepting it failed.
  bool accept_one(const Listener& listener);

  const std::vector<Listener> listeners_;
  const std::vector<std::unique_ptr<GrpcAcceptor>> acceptors_;
  FileDescriptor wake_;  // An eventfd that is readable when the thread is to end.
  int max_fd_ = 0;       // A connection with a higher descriptor is closed.
  std::thread thread_;
};

}  // namespace drip::control
