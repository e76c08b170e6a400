// SPDX-License-Identifier: BSD-3-Clause
// Opens listening sockets for addresses given as text.
//
// gRPC could open them itself. Drip does it so that the error for an address that cannot be bound
// has the system's reason, that a Unix socket is not taken from a running daemon, and that the
// server recovers after it ran out of file descriptors.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/file_descriptor.h"
#include "control/listen/listen_address.h"

namespace drip::control {

/// One bound, listening, non-blocking socket. The destructor removes the path of a Unix socket,
/// unless another process has bound it since.
class ListenSocket {
 public:
  ListenSocket(FileDescriptor fd, std::uint16_t port, std::string unix_path);
  ListenSocket(ListenSocket&& other) noexcept;
  ListenSocket& operator=(ListenSocket&&) = delete;
  ~ListenSocket();

  [[nodiscard]] int fd() const { return fd_.get(); }
  /// The bound port; 0 for a Unix socket.
  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// Whether only processes of this machine can connect: a Unix socket, 127.0.0.0/8, ::1.
  [[nodiscard]] bool is_local() const;
  [[nodiscard]] bool is_unix() const { return !unix_path_.empty(); }

 private:
  FileDescriptor fd_;
  std::uint16_t port_ = 0;
  std::string unix_path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

/// Binds `HOST:PORT`, such as `[::1]:50051`, or `unix:PATH`. A name is bound at each of its
/// addresses. Port 0 is any free port, the same one at each address. A Unix socket on which no
/// process listens is replaced; another file is not. Nobody can connect to a Unix socket before it
/// has its mode, group and owner. INVALID_ARGUMENT for any other text; ALREADY_EXISTS if another
/// process listens there; otherwise UNAVAILABLE with the system's reason.
[[nodiscard]] absl::StatusOr<std::vector<ListenSocket>> listen_on(const ListenAddress& address);

}  // namespace drip::control
