// SPDX-License-Identifier: BSD-3-Clause
// Buckets with leased shares in groups, each with its own exchanges and plans.
#pragma once

#include <cstdint>
#include <string_view>

namespace drip::cluster {

/// The same on all nodes of a cluster and in Redis's data, whose keys have the number: a bucket in
/// two groups could leak twice its rate.
inline constexpr std::uint32_t kShareGroups = 1024;

/// FNV-1a with 64 bits (Fowler, Noll, Vo; RFC 9923), its halves folded.
[[nodiscard]] constexpr std::uint32_t share_group_of(std::string_view bucket_id) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : bucket_id) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3U;
  }
  return static_cast<std::uint32_t>(hash ^ (hash >> 32U)) % kShareGroups;
}

}  // namespace drip::cluster
