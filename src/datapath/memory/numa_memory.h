// SPDX-License-Identifier: BSD-3-Clause
// Page memory on a chosen NUMA node, for what the polling threads touch.
#pragma once

#include <cstddef>
#include <utility>

namespace drip::datapath {

/// Owns anonymous pages, zeroed, given in transparent huge pages where the kernel has them and
/// bound to `numa_node` (-1: wherever it is first touched) by libnuma. Pages that are never touched
/// cost no memory. Movable, not copyable.
class NumaMemory {
 public:
  NumaMemory() = default;
  /// Throws std::bad_alloc if the kernel refuses.
  NumaMemory(std::size_t bytes, int numa_node);
  ~NumaMemory();
  NumaMemory(NumaMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  NumaMemory& operator=(NumaMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  /// Has the kernel give the pages of [offset, offset + size) now, so that no polling thread has to
  /// wait for them at their first touch. REQUIRES: nobody else uses that part yet; it reads as
  /// zero.
  void populate(std::size_t offset, std::size_t size) const;

  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace drip::datapath
