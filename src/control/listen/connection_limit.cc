// SPDX-License-Identifier: BSD-3-Clause
#include "control/listen/connection_limit.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>

namespace drip::control {
namespace {

// The bytes of the address at the other end; empty for a Unix socket. None if it is gone already.
std::optional<std::string> address_of(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return std::nullopt;
  const auto bytes = [](const auto& address) {
    return std::string(reinterpret_cast<const char*>(&address), sizeof address);
  };
  if (storage.ss_family == AF_INET) {
    sockaddr_in address{};
    std::memcpy(&address, &storage, sizeof address);
    return bytes(address.sin_addr);
  }
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 address{};
    std::memcpy(&address, &storage, sizeof address);
    return bytes(address.sin6_addr);
  }
  return std::string();
}

std::optional<ino_t> inode_of(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return std::nullopt;
  return status.st_ino;
}

}  // namespace

void ConnectionLimit::forget_closed(Connections& connections) {
  std::erase_if(connections, [](const Connection& connection) {
    return inode_of(connection.fd) != connection.inode;
  });
}

bool ConnectionLimit::admit(int fd) {
  if (most_ == 0) return true;
  const std::optional<std::string> address = address_of(fd);
  const std::optional<ino_t> inode = inode_of(fd);
  // gRPC will find out.
  if (!address || !inode) return true;
  if (by_address_.size() >= swept_at_) {
    for (auto one = by_address_.begin(); one != by_address_.end();) {
      forget_closed(one->second);
      one = one->second.empty() ? by_address_.erase(one) : std::next(one);
    }
    swept_at_ = std::max<std::size_t>(1024, 2 * by_address_.size());
  }
  Connections& connections = by_address_[*address];
  if (connections.size() >= most_) forget_closed(connections);
  if (connections.size() >= most_) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  connections.push_back({fd, *inode});
  return true;
}

}  // namespace drip::control
