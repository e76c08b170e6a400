// SPDX-License-Identifier: BSD-3-Clause
// Sockets that listen, from addresses as text.
//
// They are our own and not gRPC's, so that an address that cannot be bound is refused with the
// system's reason, a unix socket is not taken from a daemon that lives, and running out of file
// descriptors does not make the node deaf for good.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/file_descriptor.h"

namespace drip::control {

/// One bound, listening, non-blocking socket. Removes its unix path in the end, if it is still its
/// own.
class ListenSocket {
 public:
  ListenSocket(FileDescriptor fd, std::uint16_t port, std::string unix_path);
  ListenSocket(ListenSocket&& other) noexcept;
  ListenSocket& operator=(ListenSocket&&) = delete;
  ~ListenSocket();

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// As it is bound; 0 for a unix socket.
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  FileDescriptor fd_;
  std::uint16_t port_ = 0;
  std::string unix_path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

/// Binds `HOST:PORT` (a name is bound at every address that it has; `[::1]:50051`; port 0 for any
/// free one, the same at every address) or `unix:PATH`. INVALID_ARGUMENT if it is neither;
/// ALREADY_EXISTS if another process listens there; UNAVAILABLE with the system's reason otherwise.
/// A unix socket on which nobody answers is replaced; a file that is no socket is not.
[[nodiscard]] absl::StatusOr<std::vector<ListenSocket>> listen_on(const std::string& address);

}  // namespace drip::control
