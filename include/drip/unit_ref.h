// SPDX-License-Identifier: BSD-3-Clause
// A unit that waits in a bucket, in 8 bytes: its address, its wire bytes and its egress port.
#pragma once

#include <cassert>
#include <cstdint>

#include "drip/virtual_schedule.h"

namespace drip {

/// The number of egress ports that a UnitRef can tell apart.
inline constexpr std::uint16_t kMaxPorts = 31;

/// 16 bits wire bytes | 42 bits address, in units of 64 bytes | 5 bits egress port | 1 bit tag. The
/// length is kept here so that neither admission nor departure reads the packet, and the port so
/// that a packet can be sent without reading it. The tag is the caller's, to tell two kinds of
/// objects apart. Addresses are those of x86-64 and arm64 user space without the opt-in large
/// address spaces: below 2^48. Objects begin on cache lines, as rte_mbuf does; for those that do
/// not there is whole(), which leaves no room for port and tag. Does not own what it refers to.
class UnitRef {
 public:
  UnitRef() = default;

  /// REQUIRES: 64-byte aligned, below 2^48; wire_bytes <= kMaxWireBytes; egress < kMaxPorts.
  static UnitRef of(void* address, std::uint32_t wire_bytes, std::uint16_t egress) {
    assert(egress < kMaxPorts);
    return UnitRef(pack(address, wire_bytes, kAddressMask) | std::uint64_t{egress} << 1);
  }
  static UnitRef tagged(void* address, std::uint32_t wire_bytes) {
    return UnitRef(pack(address, wire_bytes, kAddressMask) | kTagBit);
  }
  /// For objects of any alignment. REQUIRES: below 2^48; wire_bytes <= kMaxWireBytes.
  static UnitRef whole(void* address, std::uint32_t wire_bytes) {
    return UnitRef(pack(address, wire_bytes, kWholeAddressMask));
  }
  /// A unit that was taken back while it waited: it keeps its ring slot and costs nothing.
  static UnitRef released() { return UnitRef(0); }

  [[nodiscard]] bool is_released() const { return bits_ == 0; }
  [[nodiscard]] bool is_tagged() const { return (bits_ & kTagBit) != 0; }
  [[nodiscard]] void* address() const {
    return reinterpret_cast<void*>(bits_ & kAddressMask);  // NOLINT(performance-no-int-to-ptr)
  }
  /// Of a unit made by whole().
  [[nodiscard]] void* whole_address() const {
    return reinterpret_cast<void*>(bits_ & kWholeAddressMask);  // NOLINT(performance-no-int-to-ptr)
  }
  [[nodiscard]] std::uint32_t wire_bytes() const { return static_cast<std::uint32_t>(bits_ >> 48); }
  [[nodiscard]] std::uint16_t egress() const { return static_cast<std::uint16_t>(bits_ >> 1 & 31); }

 private:
  static constexpr std::uint64_t kTagBit = 1;
  static constexpr std::uint64_t kWholeAddressMask = (std::uint64_t{1} << 48) - 1;
  static constexpr std::uint64_t kAddressMask = kWholeAddressMask & ~std::uint64_t{63};

  explicit UnitRef(std::uint64_t bits) : bits_(bits) {}
  static std::uint64_t pack(void* address, std::uint32_t wire_bytes,
                            [[maybe_unused]] std::uint64_t allowed) {
    const auto bits = reinterpret_cast<std::uint64_t>(address);
    assert((bits & ~allowed) == 0 && bits != 0 && wire_bytes <= kMaxWireBytes);
    return bits | static_cast<std::uint64_t>(wire_bytes) << 48;
  }

  std::uint64_t bits_ = 0;
};

}  // namespace drip
