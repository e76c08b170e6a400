// SPDX-License-Identifier: BSD-3-Clause
#include "web/query.h"

#include <charconv>
#include <limits>

#include "base/errors.h"
#include "base/quantity.h"
#include "fmt/format.h"

namespace drip::web {
namespace {

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned byte = 0;
    const bool escape = text[i] == '%' && i + 2 < text.size() &&
                        std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16).ptr ==
                            text.data() + i + 3;
    out.push_back(escape ? static_cast<char>(byte) : text[i]);
    if (escape) i += 2;
  }
  return out;
}

}  // namespace

Query::Query(std::string_view text) {
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(one.size() + 1, text.size()));
    const std::size_t equals = one.find('=');
    if (one.empty()) continue;
    parameters_.emplace_back(decoded(one.substr(0, equals)), equals == std::string_view::npos
                                                                 ? std::string()
                                                                 : decoded(one.substr(equals + 1)));
  }
}

std::optional<std::string> Query::get(std::string_view name) const {
  for (const auto& [its_name, value] : parameters_) {
    if (its_name == name) return value;
  }
  return std::nullopt;
}

std::vector<std::string> Query::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [its_name, value] : parameters_) {
    if (its_name == name) values.push_back(value);
  }
  return values;
}

absl::StatusOr<std::int64_t> Query::number(std::string_view name, std::int64_t absent,
                                           std::int64_t least, std::int64_t most) const {
  const std::optional<std::string> text = get(name);
  if (!text) return absent;
  const auto value = parse_integer(*text, least, most);
  if (!value) return not_allowed(name, quoted(*text), fmt::format("{} to {}", least, most));
  return *value;
}

absl::StatusOr<std::vector<Level>> parse_levels(const std::vector<std::string>& texts) {
  std::vector<Level> levels;
  std::size_t rows = 0;
  for (const std::string& text : texts) {
    const std::size_t first = text.find(',');
    const std::size_t second = first == std::string::npos ? first : text.find(',', first + 1);
    if (second != std::string::npos) {
      const auto offset =
          parse_integer(text.substr(0, first), 0, std::numeric_limits<std::int32_t>::max());
      const auto limit = parse_integer(text.substr(first + 1, second - first - 1), 1, kMostLimit);
      if (offset && limit) {
        levels.push_back({static_cast<std::size_t>(*offset), static_cast<std::size_t>(*limit),
                          text.substr(second + 1)});
        rows += levels.back().limit;
        if (levels.size() <= kMostLevels && rows <= kMostRows) continue;
      }
    }
    return not_allowed("level", quoted(text),
                       fmt::format("OFFSET,LIMIT,PARENT with a limit of 1 to {}, up to {} times "
                                   "and {} rows together",
                                   kMostLimit, kMostLevels, kMostRows));
  }
  return levels;
}

}  // namespace drip::web
