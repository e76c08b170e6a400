// SPDX-License-Identifier: BSD-3-Clause
// What has become of the control processes of a node whose control is a process of its own.
#pragma once

#include <atomic>
#include <cstdint>

namespace drip::control {

/// Written by who watches them, read by any thread.
struct ControlProcessCounts {
  std::atomic<std::int64_t> pid{0};            ///< 0: there is none at present.
  std::atomic<std::uint64_t> restarts{0};      ///< After one that ended, or was killed.
  std::atomic<std::uint64_t> hangs{0};         ///< Of these, after one that did not answer.
  std::atomic<std::uint64_t> replacements{0};  ///< Those that were asked for.
};

}  // namespace drip::control
