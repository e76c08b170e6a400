// SPDX-License-Identifier: BSD-3-Clause
// The processes that the control benchmark measures: a real dripd, and a server that does nothing.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/control/child_process.h"

namespace drip::bench {

/// A server in a process of its own, which ends with the object.
class ChildServer {
 public:
  /// Starts `dripd FLAGS` on a free port of 127.0.0.1 and waits until it serves. UNAVAILABLE with
  /// its log if it does not within 20 s.
  [[nodiscard]] static absl::StatusOr<ChildServer> start_dripd(
      const std::string& path, const std::vector<std::string>& flags);
  /// Starts a server of the same settings whose AllowRequest does nothing at all. REQUIRES: this
  /// process has not used gRPC yet, for the child is a fork of it.
  [[nodiscard]] static absl::StatusOr<ChildServer> start_empty();

  [[nodiscard]] const std::string& address() const { return address_; }
  [[nodiscard]] ProcessUse use() const { return process_.use(); }

 private:
  ChildServer(ChildProcess process, std::string address)
      : process_(std::move(process)), address_(std::move(address)) {}

  ChildProcess process_;
  std::string address_;
};

}  // namespace drip::bench
