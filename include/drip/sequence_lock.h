// SPDX-License-Identifier: BSD-3-Clause
// A sequence lock: one writer, any number of readers, who read again if they met a write.
#pragma once

#include <atomic>
#include <cstdint>

namespace drip {

/// The version counter of a sequence lock (Boehm, "Can seqlocks get along with programming language
/// memory models?", MSPC 2012). The data are atomics, accessed with relaxed order between the
/// calls:
///
///   writer:  lock.begin_write();
///            data.store(...);
///            lock.end_write();
///   reader:  do {
///              version = lock.begin_read();
///              copy = data.load(...);
///            } while (!lock.is_valid(version));
///
/// The writer never waits. A reader that must not wait for a writer bounds its tries.
class SequenceLock {
 public:
  // ---- The writer
  void begin_write() {
    version_.store(version_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
  }
  void end_write() {
    const std::uint32_t next = version_.load(std::memory_order_relaxed) + 1;
    // Version 0 means that nothing was ever written, so it is skipped when the counter wraps.
    version_.store(next == 0 ? 2 : next, std::memory_order_release);
  }

  // ---- Readers
  [[nodiscard]] std::uint32_t begin_read() const {
    return version_.load(std::memory_order_acquire);
  }
  /// Whether no write has touched the data since begin_read() returned `version`.
  [[nodiscard]] bool is_valid(std::uint32_t version) const {
    std::atomic_thread_fence(std::memory_order_acquire);
    return version % 2 == 0 && version_.load(std::memory_order_relaxed) == version;
  }
  /// Whether the data are still those of `version`, without ordering: for a reader with a copy.
  [[nodiscard]] bool is_current(std::uint32_t version) const {
    return version_.load(std::memory_order_relaxed) == version;
  }
  /// Whether a write has ever begun.
  [[nodiscard]] bool written() const { return version_.load(std::memory_order_relaxed) != 0; }

 private:
  std::atomic<std::uint32_t> version_{0};  // Odd during a write.
};

}  // namespace drip
