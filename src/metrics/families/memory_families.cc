// SPDX-License-Identifier: BSD-3-Clause
// Families of ring memory and packet buffers.
#include <array>

#include "metrics/families/groups.h"

namespace drip::metrics {
namespace {

constexpr FamilySpec kRing{"drip_ring_memory_bytes", kGauge, "bytes", "",
                           "Memory for the rings of all buckets (--ring-memory)."};
constexpr FamilySpec kRingReserved{"drip_ring_memory_reserved_bytes", kGauge, "bytes", "",
                                   "Of it, reserved for buckets and flows."};
constexpr FamilySpec kMbufs{"drip_mbufs", kGauge, "packets", "",
                            "Packet buffers of all ports; absent without ports."};
constexpr FamilySpec kMbufsReserved{"drip_mbufs_reserved", kGauge, "packets", "",
                                    "Packet buffers reserved for packets in buckets."};
constexpr FamilySpec kMbufsFree{"drip_mbufs_free", kGauge, "packets", "",
                                "Packet buffers in the pool, apart from caches of threads."};
constexpr FamilySpec kHugepages{"drip_hugepages", kGauge, "boolean", "",
                                "Whether packet buffers lie in hugepages."};

}  // namespace

void add_memory(const MemoryStats& memory, Families& families) {
  add(families.begin(kRing), number(memory.budget_bytes));
  add(families.begin(kRingReserved), number(memory.reserved_bytes));
  if (memory.mbufs == 0) return;
  add(families.begin(kMbufs), number(memory.mbufs));
  add(families.begin(kMbufsReserved), number(memory.mbufs_reserved));
  add(families.begin(kMbufsFree), number(memory.mbufs_free));
  add(families.begin(kHugepages), memory.hugepages ? 1 : 0);
}

std::span<const FamilySpec* const> memory_specs() {
  static constexpr std::array kSpecs = {&kRing,          &kRingReserved, &kMbufs,
                                        &kMbufsReserved, &kMbufsFree,    &kHugepages};
  return kSpecs;
}

}  // namespace drip::metrics
