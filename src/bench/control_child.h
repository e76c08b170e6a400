// SPDX-License-Identifier: BSD-3-Clause
// The processes that the control benchmark measures: a real dripd, and a server that does nothing.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace drip::bench {

/// What a process has used up to now.
struct ProcessUse {
  double cpu_seconds = 0;
  std::uint64_t resident_bytes = 0;
};

/// A server of our own in a process of its own; ends it with the object. Movable, not copyable.
class ChildServer {
 public:
  /// Starts `dripd FLAGS` on a free port of 127.0.0.1 and waits until it serves. UNAVAILABLE with
  /// its log if it does not within 20 s.
  [[nodiscard]] static absl::StatusOr<ChildServer> start_dripd(
      const std::string& path, const std::vector<std::string>& flags);
  /// Starts a server of the same settings whose AllowRequest does nothing at all. REQUIRES: this
  /// process has not used gRPC yet, for the child is a fork of it.
  [[nodiscard]] static absl::StatusOr<ChildServer> start_empty();

  ChildServer(ChildServer&& other) noexcept;
  ChildServer& operator=(ChildServer&& other) noexcept;
  ~ChildServer();

  [[nodiscard]] const std::string& address() const { return address_; }
  [[nodiscard]] ProcessUse use() const;

 private:
  ChildServer(pid_t pid, std::string address) : pid_(pid), address_(std::move(address)) {}

  pid_t pid_ = -1;
  std::string address_;
};

}  // namespace drip::bench
