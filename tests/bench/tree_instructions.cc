// SPDX-License-Identifier: BSD-3-Clause
// Sends a fixed number of packets through trees of buckets in virtual time, for a count of
// instructions: three nodes above each leaf.
//
//   tree_instructions CASE PACKETS      CASE: straight, root (at the bottleneck), leaves (at it) or
//   none
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "drip/scheduler.h"
#include "drip/tree/tree_memory.h"

namespace drip {
namespace {

constexpr std::uint32_t kSites = 16;
constexpr std::uint32_t kPoints = 4;   // Of each site.
constexpr std::uint32_t kLeaves = 16;  // Of each of these.
constexpr std::uint32_t kAllLeaves = kSites * kPoints * kLeaves;
constexpr std::uint32_t kInner = 1 + kSites + kSites * kPoints;
constexpr std::uint32_t kSlots = kAllLeaves + kInner;
constexpr std::uint32_t kCapacity = 4;
constexpr std::uint32_t kBurst = 32;

struct alignas(kCacheLineBytes) Packet {};

struct Counted {
  std::uint64_t sent = 0;
  [[nodiscard]] bool has_room(UnitRef) const { return true; }
  void departed(UnitRef, TimePoint, Duration) { ++sent; }
};

BucketSettings ceiling(double units_per_second, std::uint32_t capacity = 0) {
  BucketSettings settings;
  settings.units_per_second = units_per_second;
  settings.capacity = capacity;
  settings.departure = Departure::kAtStart;
  return settings;
}

int run(std::string_view name, std::uint64_t packets) {
  const auto buckets = std::make_unique<Bucket[]>(kSlots);
  const auto histograms = std::make_unique<LatencyHistograms[]>(kSlots);
  const TreeMemory memory(kSlots, kInner);
  TimePoint now{1'000'000'000};
  Scheduler scheduler({buckets.get(), histograms.get(), kSlots, memory.arrays()}, now);
  std::vector<RingEntry> rings(std::size_t{kAllLeaves} * kCapacity);
  // A burst each us: a rate of 32 a us is what comes, of 16 half of it.
  const double root_rate = name == "root" ? 16e6 : kMaxUnitsPerSecond;
  const double leaf_rate = name == "leaves" ? 16e6 / kAllLeaves : kMaxUnitsPerSecond;
  std::uint32_t inner = kAllLeaves;
  std::uint32_t leaf = 0;
  const auto add_inner = [&](std::uint32_t parent, double rate) {
    NodeSettings share;
    share.parent = parent;
    scheduler.create_inner(inner, ceiling(rate), now);
    scheduler.set_node(inner, share, now);
    return inner++;
  };
  const std::uint32_t root = add_inner(kNoNode, root_rate);
  for (std::uint32_t i = 0; i < kSites; ++i) {
    const std::uint32_t site = add_inner(root, kMaxUnitsPerSecond);
    for (std::uint32_t j = 0; j < kPoints; ++j) {
      NodeSettings share;
      share.parent = add_inner(site, kMaxUnitsPerSecond);
      for (std::uint32_t k = 0; k < kLeaves; ++k, ++leaf) {
        scheduler.create(leaf, ceiling(leaf_rate, kCapacity), &rings[std::size_t{leaf} * kCapacity],
                         kCapacity, now);
        scheduler.set_node(leaf, share, now);
      }
    }
  }
  const auto pool = std::make_unique<Packet[]>(kBurst);
  Counted sink;
  std::uint64_t straight = 0;
  std::uint64_t rejected = 0;
  std::uint32_t next = 0;
  for (std::uint64_t sent = 0; sent < packets; sent += kBurst) {
    now = now + Duration{1000};
    for (std::uint32_t i = 0; i < kBurst; ++i) {
      next = (next + 389) % kAllLeaves;
      if (name == "none") continue;
      // Each ns one, so that the path is due again.
      const TimePoint at = name == "straight" ? now + Duration{i} : now;
      if (scheduler.can_cut_through(next, at)) {
        scheduler.cut_through(next, 60, at, at);
        ++straight;
      } else if (scheduler.admit(next, {UnitRef::of(&pool[i], 60, 0), at}, 60) !=
                 RejectReason::kAdmitted) {
        ++rejected;
      }
    }
    if (name != "none") {
      while (scheduler.serve_due(now, sink).more_is_due) {
      }
    }
  }
  const std::uint64_t dropped = scheduler.drop_all([](UnitRef) {});
  std::printf("%s: %llu straight, %llu sent, %llu rejected, %llu dropped\n",
              std::string(name).c_str(), static_cast<unsigned long long>(straight),
              static_cast<unsigned long long>(sink.sent), static_cast<unsigned long long>(rejected),
              static_cast<unsigned long long>(dropped));
  return name == "none" || straight + sink.sent + rejected + dropped == packets ? 0 : 1;
}

}  // namespace
}  // namespace drip

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  return drip::run(argv[1], std::strtoull(argv[2], nullptr, 10));
}
