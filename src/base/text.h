// SPDX-License-Identifier: BSD-3-Clause
// Joins values to one text.
//
// Not absl::StrCat: the distribution builds abseil with a string_view type of its own, which does
// not take a std::string_view.
#pragma once

#include <fmt/format.h>

#include <iterator>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace drip::control {

/// Each part as fmt writes it with "{}": a double as the shortest text that reads back the same.
template <typename... Parts>
[[nodiscard]] std::string joined(const Parts&... parts) {
  std::string text;
  (fmt::format_to(std::back_inserter(text), "{}", parts), ...);
  return text;
}

[[nodiscard]] inline std::string_view message_of(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

}  // namespace drip::control
