// SPDX-License-Identifier: BSD-3-Clause
// One thread with poll(); what it passes on is little.
#include "nodes/holding_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

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

// False if the peer has closed.
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

}  // namespace

HoldingProxy::HoldingProxy(std::uint16_t server_port)
    : server_port_(server_port), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener_.get(), 16) != 0 ||
      getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no port for the proxy");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

HoldingProxy::~HoldingProxy() {
  stopped_ = true;
  thread_.join();
}

void HoldingProxy::hold_at(const std::string& text) {
  const std::lock_guard lock(mutex_);
  hold_at_ = text;
}

void HoldingProxy::release_held() {
  const std::lock_guard lock(mutex_);
  hold_at_.clear();
  holds_ = false;
}

void HoldingProxy::break_after(const std::string& text) {
  const std::lock_guard lock(mutex_);
  break_after_ = text;
  breaks_ = true;
}

void HoldingProxy::accept_one() {
  FileDescriptor client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  FileDescriptor server(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(server_port_);
  if (!client ||
      connect(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return;
  }
  const int yes = 1;
  setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  setsockopt(server.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  connections_.push_back({std::move(client), std::move(server), "", false});
}

void HoldingProxy::from_client(Connection& connection) {
  const std::string text = receive(connection.client.get());
  if (text.empty()) return connection.client.reset();
  {
    const std::lock_guard lock(mutex_);
    if (!hold_at_.empty() && text.find(hold_at_) != std::string::npos) holds_ = true;
    if (!break_after_.empty() && text.find(break_after_) != std::string::npos) {
      connection.breaks = true;
      break_after_.clear();
    }
  }
  connection.held += text;
}

void HoldingProxy::from_server(Connection& connection) {
  const std::string text = receive(connection.server.get());
  if (connection.breaks) {
    connection.client.reset();
    breaks_ = false;
  }
  if (text.empty()) return connection.server.reset();
  if (connection.client && !send_all(connection.client.get(), text)) connection.client.reset();
}

void HoldingProxy::run() {
  while (!stopped_) {
    std::vector<pollfd> waited{{listener_.get(), POLLIN, 0}};
    for (const Connection& connection : connections_) {
      waited.push_back({connection.client.get(), POLLIN, 0});
      waited.push_back({connection.server.get(), POLLIN, 0});
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
      if (!connection.held.empty() && connection.server &&
          !send_all(connection.server.get(), std::exchange(connection.held, ""))) {
        connection.server.reset();
      }
      // All that it sent has been passed on: the server may see its end, too.
      if (!connection.client) {
        shutdown(connection.server.get(), SHUT_WR);
      } else if (!connection.server) {
        connection.client.reset();
      }
    }
    std::erase_if(connections_, [](const Connection& connection) {
      return !connection.client && !connection.server;
    });
  }
}

}  // namespace drip
