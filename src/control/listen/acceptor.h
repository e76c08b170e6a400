// SPDX-License-Identifier: BSD-3-Clause
// A thread that accepts connections and hands them to gRPC.
#pragma once

#include <grpcpp/server_builder.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "base/file_descriptor.h"
#include "control/listen/connection_limit.h"

namespace drip::control {

using GrpcAcceptor = grpc::experimental::ExternalConnectionAcceptor;

/// Reserves some file descriptors: a connection that would get one of the last is closed at once,
/// so that the daemon and the clients that are connected already are not affected.
class Acceptor {
 public:
  /// A listening socket, and who gets its connections: one with TLS, or one without.
  struct Socket {
    int fd = -1;
    GrpcAcceptor* grpc = nullptr;
  };
  /// REQUIRES: the server of the `acceptors` has started. The sockets outlive this. `connections`:
  /// of one address, see ConnectionLimit; one that is over it is closed at once.
  Acceptor(std::vector<Socket> sockets, std::vector<std::unique_ptr<GrpcAcceptor>> acceptors,
           std::uint32_t connections);
  /// Ends the thread.
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

 private:
  void run();
  // Returns false if there was no connection or accepting it failed.
  bool accept_one(const Socket& socket);

  const std::vector<Socket> sockets_;
  const std::vector<std::unique_ptr<GrpcAcceptor>> acceptors_;
  ConnectionLimit limit_;
  // So that whoever is refused again and again does not fill the log.
  std::chrono::steady_clock::time_point next_log_{};
  FileDescriptor wake_;  // An eventfd that is readable when the thread is to end.
  int max_fd_ = 0;       // A connection with a higher descriptor is closed.
  std::thread thread_;
};

}  // namespace drip::control
