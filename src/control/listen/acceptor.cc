// SPDX-License-Identifier: BSD-3-Clause
// The accept loop, and the limit on file descriptors.
#include "control/listen/acceptor.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
#include <utility>

#include "base/log.h"
#include "base/thread.h"

namespace drip::control {
namespace {

constexpr int kReservedDescriptors = 64;
constexpr std::chrono::seconds kLogPause{60};

// The highest descriptor that a connection may have.
int max_connection_fd() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
    return std::numeric_limits<int>::max();
  }
  const auto descriptors = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 1 << 30));
  return descriptors - std::min(kReservedDescriptors, descriptors / 4);
}

}  // namespace

Acceptor::Acceptor(std::vector<Socket> sockets,
                   std::vector<std::unique_ptr<GrpcAcceptor>> acceptors, std::uint32_t connections)
    : sockets_(std::move(sockets)),
      acceptors_(std::move(acceptors)),
      limit_(connections),
      wake_(eventfd(0, EFD_CLOEXEC)),
      max_fd_(max_connection_fd()),
      thread_(start_thread("drip-accept", [this] { run(); })) {}

Acceptor::~Acceptor() {
  eventfd_write(wake_.get(), 1);
  thread_.join();
}

bool Acceptor::accept_one(const Socket& socket) {
  FileDescriptor connection(accept4(socket.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!connection) {
    // Without descriptors or memory the connection stays pending, and poll() returns at once.
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  if (connection.get() > max_fd_) return true;
  if (!limit_.admit(connection.get())) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= next_log_) {
      next_log_ = now + kLogPause;
      log_warning("connections: {} were closed: their address has as many as one may have",
                  limit_.refused());
    }
    return true;
  }
  const int on = 1;
  // Fails on a Unix socket, which does not need it.
  setsockopt(connection.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  GrpcAcceptor::NewConnectionParameters parameters;
  parameters.listener_fd = socket.fd;
  parameters.fd = connection.release();
  socket.grpc->HandleNewConnection(&parameters);
  return true;
}

void Acceptor::run() {
  std::vector<pollfd> polled = {{wake_.get(), POLLIN, 0}};
  for (const Socket& socket : sockets_) polled.push_back({socket.fd, POLLIN, 0});
  for (;;) {
    if (poll(polled.data(), polled.size(), -1) < 0) continue;
    if (polled.front().revents != 0) return;
    for (std::size_t i = 0; i < sockets_.size(); ++i) {
      if (polled[i + 1].revents != 0) accept_one(sockets_[i]);
    }
  }
}

}  // namespace drip::control
