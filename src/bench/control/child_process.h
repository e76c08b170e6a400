// SPDX-License-Identifier: BSD-3-Clause
// A process that a benchmark starts, watches and ends.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace drip::bench {

/// What a process has used up to now.
struct ProcessUse {
  double cpu_seconds = 0;
  std::uint64_t resident_bytes = 0;
};

/// Ends its process with the object, by SIGTERM and after 10 s by SIGKILL. Movable, not copyable.
class ChildProcess {
 public:
  /// Runs words[0], a path or a name to be found in PATH, with the other words as arguments.
  /// `output` and `errors` become its standard output and error; -1: those of this process.
  [[nodiscard]] static absl::StatusOr<ChildProcess> start(std::vector<std::string> words,
                                                          int output, int errors);
  /// Owns a child that the caller has forked.
  explicit ChildProcess(pid_t pid) : pid_(pid) {}
  ChildProcess(ChildProcess&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  ChildProcess& operator=(ChildProcess&& other) noexcept {
    std::swap(pid_, other.pid_);
    return *this;
  }
  ~ChildProcess();

  [[nodiscard]] ProcessUse use() const;
  /// True once it has ended, or if there is none.
  [[nodiscard]] bool has_ended();

 private:
  pid_t pid_;
};

}  // namespace drip::bench
