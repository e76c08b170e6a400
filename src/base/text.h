// SPDX-License-Identifier: BSD-3-Clause
// Joins values into one string.
//
// Not absl::StrCat: the distribution builds Abseil with a string_view type of its own, which does
// not convert from std::string_view.
#pragma once

#include <fmt/format.h>

#include <iterator>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace drip {

/// The parts one after the other, each as fmt writes it with "{}". A double is the shortest text
/// that reads back as the same value.
template <typename... Parts>
[[nodiscard]] std::string joined(const Parts&... parts) {
  std::string text;
  (fmt::format_to(std::back_inserter(text), "{}", parts), ...);
  return text;
}

/// The status's message, valid as long as the status is.
[[nodiscard]] inline std::string_view message_of(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

}  // namespace drip
