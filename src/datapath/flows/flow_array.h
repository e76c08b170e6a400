// SPDX-License-Identifier: BSD-3-Clause
// An array that grows without moving its elements.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace drip::datapath {

/// Control grows it while another thread uses elements below the former size: it learns of new ones
/// through its mailbox. So elements stay where they are, in parts of which the first is mostly the
/// only one.
template <class T>
class FlowArray {
 public:
  [[nodiscard]] std::uint32_t size() const { return size_; }

  /// Adds elements up to `size`; fewer than there are has no effect.
  void grow(std::uint32_t size) {
    if (size <= size_) return;
    if (size > room()) {
      assert(used_ < kParts);
      // At least half as many again, so that the number of parts stays small.
      const std::uint32_t begin = room();
      const std::uint32_t count = std::max(size - begin, begin / 2);
      parts_[used_++] = {std::make_unique<T[]>(count), begin, begin + count};
    }
    size_ = size;
  }

  /// REQUIRES: index < size().
  [[nodiscard]] T& operator[](std::uint32_t index) {
    std::size_t part = 0;
    while (index >= parts_[part].end) [[unlikely]]++ part;
    return parts_[part].elements[index - parts_[part].begin];
  }
  [[nodiscard]] const T& operator[](std::uint32_t index) const {
    return const_cast<FlowArray&>(*this)[index];
  }

 private:
  // From one element to 2^20 by halves.
  static constexpr std::size_t kParts = 40;
  struct Part {
    std::unique_ptr<T[]> elements;
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
  };

  [[nodiscard]] std::uint32_t room() const { return used_ == 0 ? 0 : parts_[used_ - 1].end; }

  std::array<Part, kParts> parts_;
  std::size_t used_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace drip::datapath
