// SPDX-License-Identifier: BSD-3-Clause
// The parameters of a request.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace drip::web {

/// `name=value&name=value`, percent-encoded (RFC 3986).
class Query {
 public:
  /// What is not well encoded stays as it is.
  explicit Query(std::string_view text);

  [[nodiscard]] std::optional<std::string> get(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
  /// INVALID_ARGUMENT unless it is a whole number from `least` to `most`.
  [[nodiscard]] absl::StatusOr<std::int64_t> number(std::string_view name, std::int64_t absent,
                                                    std::int64_t least, std::int64_t most) const;

 private:
  std::vector<std::pair<std::string, std::string>> parameters_;
};

/// A part of the children of one bucket: `OFFSET,LIMIT,PARENT`, of the roots without PARENT.
struct Level {
  std::size_t offset = 0;
  std::size_t limit = 0;
  std::string parent;
};
inline constexpr std::size_t kMostLevels = 64;   ///< Of one request.
inline constexpr std::size_t kMostLimit = 500;   ///< Rows of a level or of a list.
inline constexpr std::size_t kMostRows = 2'000;  ///< Of one request.
/// INVALID_ARGUMENT if one cannot be read, or if they ask for too much.
[[nodiscard]] absl::StatusOr<std::vector<Level>> parse_levels(
    const std::vector<std::string>& texts);

}  // namespace drip::web
