// SPDX-License-Identifier: BSD-3-Clause
// What waits in a bucket, in one word: a packet or a request, its wire bytes and its egress port.
#pragma once

#include <cassert>
#include <cstdint>

#include "drip/virtual_schedule.h"

namespace drip {

/// How many ports a node may have: an egress port must fit the spare bits of a UnitRef.
inline constexpr std::uint16_t kMaxPorts = 31;

/// A word of: 16 bits wire bytes | 42 bits address, in 64-byte steps | 5 bits egress port | 1 bit
/// "request". The length is here so that neither admission nor departure reads the packet, and the
/// port so that a departing packet need not be read to be sent. Addresses are those of x86-64 and
/// arm64 user space without the opt-in large address spaces: below 2^48, and packets (mbufs) and
/// request records begin on cache lines. Does not own what it refers to.
class UnitRef {
 public:
  UnitRef() = default;

  /// REQUIRES: 64-byte aligned, below 2^48; wire_bytes <= kMaxWireBytes; egress < kMaxPorts.
  static UnitRef packet(void* packet, std::uint32_t wire_bytes, std::uint16_t egress) {
    assert(egress < kMaxPorts);
    return UnitRef(pack(packet, wire_bytes) | static_cast<std::uint64_t>(egress) << 1);
  }
  static UnitRef request(void* record, std::uint32_t wire_bytes) {
    return UnitRef(pack(record, wire_bytes) | kRequestBit);
  }
  /// A request that was taken back while it waited: it keeps its ring slot and costs nothing.
  static UnitRef released() { return UnitRef(0); }

  [[nodiscard]] bool is_released() const { return word_ == 0; }
  [[nodiscard]] bool is_request() const { return (word_ & kRequestBit) != 0; }
  [[nodiscard]] void* address() const {
    return reinterpret_cast<void*>(word_ & kAddressMask);  // NOLINT(performance-no-int-to-ptr)
  }
  [[nodiscard]] std::uint32_t wire_bytes() const { return static_cast<std::uint32_t>(word_ >> 48); }
  [[nodiscard]] std::uint16_t egress() const { return static_cast<std::uint16_t>(word_ >> 1 & 31); }

 private:
  static constexpr std::uint64_t kRequestBit = 1;
  static constexpr std::uint64_t kAddressMask = ((std::uint64_t{1} << 48) - 1) & ~std::uint64_t{63};

  explicit UnitRef(std::uint64_t word) : word_(word) {}
  static std::uint64_t pack(void* address, std::uint32_t wire_bytes) {
    const auto bits = reinterpret_cast<std::uint64_t>(address);
    assert((bits & ~kAddressMask) == 0 && bits != 0 && wire_bytes <= kMaxWireBytes);
    return bits | static_cast<std::uint64_t>(wire_bytes) << 48;
  }

  std::uint64_t word_ = 0;
};

}  // namespace drip
