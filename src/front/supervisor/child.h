// SPDX-License-Identifier: BSD-3-Clause
// One control process: from its start to its end.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "front/link/link.h"

namespace drip::front {

/// Is killed with the object. For one thread, the one that made it: the kernel kills the process
/// when that thread ends.
class Child {
 public:
  using Clock = std::chrono::steady_clock;

  /// Starts the program with the other end of the link as its only open file beside the standard
  /// ones. UNAVAILABLE with the system's reason.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Child>> start(const std::string& program);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] Link& link() { return link_; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] Clock::time_point started() const { return started_; }

  /// Whether it has ended; then how() says how.
  [[nodiscard]] bool has_ended();
  /// Kills it if it has not ended. "exited with 1", "was killed by signal 9 (Killed)".
  [[nodiscard]] std::string end();

  /// To be called in equal steps: asks whether it lives, if it has answered the last time. False if
  /// it has not for kMissed steps; steps rather than time, so that a machine that stood still does
  /// not count.
  [[nodiscard]] bool ask();
  void take_answer(std::uint64_t number) {
    if (number == asked_) missed_ = 0;
  }
  static constexpr int kMissed = 10;

 private:
  Child(pid_t pid, FileDescriptor socket)
      : pid_(pid), link_(std::move(socket)), started_(Clock::now()) {}

  pid_t pid_;  // -1: ended, and waited for.
  int status_ = 0;
  Link link_;
  const Clock::time_point started_;
  std::uint64_t asked_ = 0;
  int missed_ = 0;  // Steps since the question that has no answer.
};

}  // namespace drip::front
