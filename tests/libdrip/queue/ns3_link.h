// SPDX-License-Identifier: BSD-3-Clause
// A queue discipline of ns-3 before a link in virtual time. Plain C++17, which ns-3's headers need.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace drip::test {

// 10 Mbit/s: 800 ns a byte. Lengths are multiples of 32 bytes and times of 256 ns, so that no time
// is rounded but those of COBALT's control law: here to 256 ns each, in ns-3 to 1 ns.
inline constexpr std::int64_t kByteNs = 800;
inline constexpr std::int64_t kTick = 256;

/// Before this nothing is served, so that the first packet is not alone.
inline constexpr std::int64_t kLateService = 40'000 * kTick + kTick / 2;
/// From the first packet on.
inline constexpr std::int64_t kServiceAtOnce = kTick / 2;

/// Of the IP header (RFC 3168).
inline constexpr std::uint8_t kNotEct = 0;
inline constexpr std::uint8_t kEct1 = 1;
inline constexpr std::uint8_t kEct0 = 2;

struct Arrival {
  std::int64_t at = 0;
  std::uint32_t flow = 0;
  std::uint32_t bytes = 0;
  std::uint8_t ecn = kNotEct;
};

/// What became of the packets, by their numbers.
struct Outcome {
  std::vector<std::uint64_t> departed;  // In order.
  std::vector<std::int64_t> departed_at;
  std::set<std::uint64_t> dropped;
  std::set<std::uint64_t> marked;
};

/// `type`: "ns3::FqCoDelQueueDisc" and the like. `attributes`: of ns-3.
Outcome run_ns3(const std::string& type, const std::map<std::string, std::string>& attributes,
                const std::vector<Arrival>& arrivals, std::int64_t first_service);

}  // namespace drip::test
