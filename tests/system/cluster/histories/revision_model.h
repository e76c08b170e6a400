// SPDX-License-Identifier: BSD-3-Clause
// Compare and set of a configuration with one caller.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace drip {

struct RevisionModel {
  using State = std::uint64_t;  // The revision.

  struct Call {
    std::uint64_t expected = 0;
    std::uint64_t result = 0;   ///< The revision that it was set to; 0: it was refused.
    std::uint64_t present = 0;  ///< What a refusal says that the revision is.
  };

  static std::optional<State> next(const State& state, const Call& call) {
    if (call.result == 0) {
      if (call.expected == state || call.present != state) return std::nullopt;
      return state;
    }
    if (call.expected != state || call.result <= state) return std::nullopt;
    return call.result;
  }
  static std::string text(const Call& call) {
    return "set at " + std::to_string(call.expected) +
           (call.result != 0 ? " = " + std::to_string(call.result)
                             : ": refused, it is at " + std::to_string(call.present));
  }
};

}  // namespace drip
