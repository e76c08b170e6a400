// SPDX-License-Identifier: BSD-3-Clause
// One thread with poll(); what it passes on is little.
#include "holding_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <utility>

namespace drip {
namespace {

constexpr int kPollMs = 5;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// False if the other side is gone.
bool send_all(int socket, const std::string& text) {
  std::size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t count = send(socket, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return false;
    sent += static_cast<std::size_t>(count);
  }
  return true;
}

// Empty when the other side has closed.
std::string receive(int socket) {
  std::array<char, 65536> buffer{};
  const ssize_t count = recv(socket, buffer.data(), buffer.size(), 0);
  return {buffer.data(), count > 0 ? static_cast<std::size_t>(count) : 0};
}

void close_it(int& socket) {
  if (socket >= 0) close(socket);
  socket = -1;
}

}  // namespace

HoldingProxy::HoldingProxy(std::uint16_t server_port) : server_port_(server_port) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener_, 16) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no port for the proxy");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

HoldingProxy::~HoldingProxy() {
  stopped_ = true;
  thread_.join();
  for (Connection& connection : connections_) {
    close_it(connection.client);
    close_it(connection.server);
  }
  close_it(listener_);
}

void HoldingProxy::hold_at(const std::string& text) {
  const std::lock_guard lock(mutex_);
  hold_at_ = text;
}

void HoldingProxy::let_go() {
  const std::lock_guard lock(mutex_);
  hold_at_.clear();
  holds_ = false;
}

void HoldingProxy::accept_one() {
  const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(server_port_);
  if (client < 0 ||
      connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    close(client);
    close(server);
    return;
  }
  const int yes = 1;
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  connections_.push_back({client, server, ""});
}

void HoldingProxy::from_client(Connection& connection) {
  const std::string text = receive(connection.client);
  if (text.empty()) return close_it(connection.client);
  {
    const std::lock_guard lock(mutex_);
    if (!hold_at_.empty() && text.find(hold_at_) != std::string::npos) holds_ = true;
  }
  connection.held += text;
}

void HoldingProxy::from_server(Connection& connection) {
  const std::string text = receive(connection.server);
  if (text.empty()) return close_it(connection.server);
  if (connection.client >= 0 && !send_all(connection.client, text)) close_it(connection.client);
}

void HoldingProxy::run() {
  while (!stopped_) {
    std::vector<pollfd> waited{{listener_, POLLIN, 0}};
    for (const Connection& connection : connections_) {
      waited.push_back({connection.client, POLLIN, 0});
      waited.push_back({connection.server, POLLIN, 0});
    }
    poll(waited.data(), waited.size(), kPollMs);
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      Connection& connection = connections_[i];
      if (waited[1 + 2 * i].revents != 0) from_client(connection);
      if (waited[2 + 2 * i].revents != 0) from_server(connection);
    }
    if (waited[0].revents != 0) accept_one();
    for (Connection& connection : connections_) {
      if (holds_) break;
      if (!connection.held.empty() && connection.server >= 0 &&
          !send_all(connection.server, std::exchange(connection.held, ""))) {
        close_it(connection.server);
      }
      // What it had said is there: the server may see the end of it, too.
      if (connection.client < 0) {
        shutdown(connection.server, SHUT_WR);
      } else if (connection.server < 0) {
        close_it(connection.client);
      }
    }
    std::erase_if(connections_, [](const Connection& connection) {
      return connection.client < 0 && connection.server < 0;
    });
  }
}

}  // namespace drip
