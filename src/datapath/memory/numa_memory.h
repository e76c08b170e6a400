// SPDX-License-Identifier: BSD-3-Clause
// Pages on a chosen NUMA node, for data of the polling threads.
#pragma once

#include <cstddef>
#include <utility>

namespace drip::datapath {

/// Puts memory on transparent huge pages where the kernel has them (Linux,
/// admin-guide/mm/transhuge.rst). To be called before it is touched.
void use_huge_pages(void* memory, std::size_t bytes);

/// Owns anonymous zeroed pages, in transparent huge pages where the kernel has them, bound to
/// `numa_node` by libnuma (-1: the node of the first access). Pages that are never touched take no
/// memory. Movable, not copyable.
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

  /// Has the kernel allocate the pages of [offset, offset + size) now, so that no polling thread
  /// faults at its first access. REQUIRES: that part is not in use yet and reads as zero.
  void populate(std::size_t offset, std::size_t size) const;
  /// The same for a part that may be in use: what is there stays. REQUIRES: it lies within one
  /// page.
  void touch(std::size_t offset) const;

  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace drip::datapath
