// SPDX-License-Identifier: BSD-3-Clause
// DiffServ tins: which DSCP goes where, and up to which share of the leaf a tin has priority.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace drip {

/// As CAKE names them (Høiland-Jørgensen et al., "Piece of CAKE", IEEE LANMAN 2018, section IV).
enum class TinMode : std::uint8_t {
  kNone,       ///< One tin.
  kDiffserv3,  ///< Best effort, bulk, voice.
  kDiffserv4,  ///< Best effort, bulk, video, voice.
};

inline constexpr std::size_t kMaxTins = 4;

/// The tins of a mode. A higher index has priority while its tin is within its share; beyond it the
/// tins share in proportion to their shares.
struct Tins {
  /// Of each, 1 / 2^this of the leaf.
  std::array<std::uint8_t, kMaxTins> share_log2{};
  std::uint8_t count = 1;
  /// DSCP to tin.
  std::array<std::uint8_t, 64> of_dscp{};
};

namespace internal {

inline constexpr std::uint8_t kBestEffortTin = 0;
inline constexpr std::uint8_t kBulkTin = 1;

// Code points: RFC 2474 and RFC 4594 (CS, AF), RFC 3246 (EF 46), RFC 5865 (VA 44), RFC 8622 (LE 1).
// TOS 4 is minimum delay, TOS 1 maximum reliability of RFC 1349.
constexpr Tins make_diffserv3() {
  constexpr std::uint8_t kVoice = 2;
  Tins tins{{0, 4, 2, 0}, 3, {}};
  for (const int dscp : {1, 8}) tins.of_dscp[dscp] = kBulkTin;             // LE, CS1
  for (const int dscp : {4, 44, 46, 48, 56}) tins.of_dscp[dscp] = kVoice;  // TOS 4, VA, EF, CS6, 7
  return tins;
}
constexpr Tins make_diffserv4() {
  constexpr std::uint8_t kVideo = 2;
  constexpr std::uint8_t kVoice = 3;
  Tins tins{{0, 4, 1, 2}, 4, {}};
  for (const int dscp : {1, 8}) tins.of_dscp[dscp] = kBulkTin;
  // TOS 4, CS2, AF2x, CS3, AF3x, AF4x.
  for (const int dscp : {4, 16, 18, 20, 22, 24, 26, 28, 30, 34, 36, 38}) {
    tins.of_dscp[dscp] = kVideo;
  }
  for (const int dscp : {32, 40, 44, 46, 48, 56}) tins.of_dscp[dscp] = kVoice;  // CS4 to 7, VA, EF
  return tins;
}

inline constexpr Tins kOneTin{};
inline constexpr Tins kTins3 = make_diffserv3();
inline constexpr Tins kTins4 = make_diffserv4();

}  // namespace internal

[[nodiscard]] constexpr const Tins& tins_of(TinMode mode) {
  switch (mode) {
    case TinMode::kDiffserv3:
      return internal::kTins3;
    case TinMode::kDiffserv4:
      return internal::kTins4;
    case TinMode::kNone:
      break;
  }
  return internal::kOneTin;
}

}  // namespace drip
