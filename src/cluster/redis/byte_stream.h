// SPDX-License-Identifier: BSD-3-Clause
// A connection that carries bytes, each call with a deadline.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace drip::cluster {

using Deadline = std::chrono::steady_clock::time_point;

[[nodiscard]] inline Deadline deadline_in(std::chrono::nanoseconds span) {
  return std::chrono::steady_clock::now() + span;
}

/// Not thread safe. Unusable after a call that failed.
///
/// DEADLINE_EXCEEDED if the deadline passed, UNAVAILABLE if the peer closed or reset it.
class ByteStream {
 public:
  virtual ~ByteStream() = default;

  /// Writes all of it.
  [[nodiscard]] virtual absl::Status write(std::string_view bytes, Deadline deadline) = 0;
  /// Waits for data; returns the number of bytes, at least 1.
  [[nodiscard]] virtual absl::StatusOr<std::size_t> read(std::span<char> into,
                                                         Deadline deadline) = 0;
};

}  // namespace drip::cluster
