// SPDX-License-Identifier: BSD-3-Clause
// Why a packet does not match a rule, in words.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "classifier/match.h"
#include "packet/headers.h"

namespace drip {

/// One frame with all that matches may look at.
struct ExaminedFrame {
  /// Parses the frame; `bytes` is all of it and must stay.
  ExaminedFrame(std::span<const std::uint8_t> frame, std::uint16_t ingress);

  std::span<const std::uint8_t> bytes;
  std::uint16_t ingress_port = 0;
  Headers headers;
  Headers inner;                  ///< Of the innermost packet; `headers` if there is no tunnel.
  std::uint32_t inner_begin = 0;  ///< Where it begins: offsets in `inner` are from there.
  bool in_tunnel = false;
};

/// A field of a match that the packet does not fit, and why: "dst_port" and "443 is not 80".
struct Mismatch {
  std::string_view field;  ///< As in drip/v1/shaper.proto.
  std::string why;
};

/// The first field, in the order of struct Match, that the packet does not fit; none if it matches.
/// It decides as Classifier does, one match at a time: for people, not for the packet path.
[[nodiscard]] std::optional<Mismatch> find_mismatch(const Match& match, const ExaminedFrame& frame);

}  // namespace drip
