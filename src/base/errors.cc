// SPDX-License-Identifier: BSD-3-Clause
// The texts of errors, and the checks that most fields share.
#include "base/errors.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "base/as_typed.h"
#include "base/text.h"

namespace drip {
namespace {

constexpr std::size_t kMaxNameBytes = 128;
constexpr std::size_t kMaxQuotedBytes = 40;

template <typename T>
absl::Status check_range_of(std::string_view field, T value, T least, T most,
                            std::string_view unit) {
  if (value >= least && value <= most) return absl::OkStatus();
  return not_allowed(field, joined(value), joined(least, " to ", most, unit));
}

std::string escaped(std::string_view text) {
  return absl::CEscape(absl::string_view(text.data(), text.size()));
}

bool is_name_byte(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         std::string_view("._:/@-").find(c) != std::string_view::npos;
}

}  // namespace

std::string quoted(std::string_view text) {
  if (text.size() <= kMaxQuotedBytes) return joined("\"", escaped(text), "\"");
  return joined("\"", escaped(text.substr(0, kMaxQuotedBytes)), "...\" (", text.size(), " bytes)");
}

std::string as_typed(std::string_view text) { return joined("'", escaped(text), "'"); }

absl::Status not_allowed(std::string_view field, std::string_view value, std::string_view allowed) {
  return absl::InvalidArgumentError(joined(field, ": ", value, " is not allowed: ", allowed));
}

absl::Status missing(std::string_view field, std::string_view needed) {
  return absl::InvalidArgumentError(joined(field, ": missing: ", needed));
}

absl::Status not_found(std::string_view field, std::string_view kind, std::string_view name) {
  return absl::NotFoundError(joined(field, ": no ", kind, " is named ", quoted(name)));
}

absl::Status node_stopping() { return absl::UnavailableError("the node is stopping"); }

absl::Status released_by_another() {
  return absl::AbortedError("request_id: another caller that awaited it released it");
}

absl::Status check_range(std::string_view field, std::uint64_t value, std::uint64_t least,
                         std::uint64_t most, std::string_view unit) {
  return check_range_of(field, value, least, most, unit);
}

absl::Status check_range(std::string_view field, std::int64_t value, std::int64_t least,
                         std::int64_t most, std::string_view unit) {
  return check_range_of(field, value, least, most, unit);
}

absl::Status check_name(std::string_view field, std::string_view name) {
  if (!name.empty() && name.size() <= kMaxNameBytes &&
      absl::ascii_isalnum(static_cast<unsigned char>(name.front())) &&
      std::all_of(name.begin(), name.end(), is_name_byte)) {
    return absl::OkStatus();
  }
  return not_allowed(field, quoted(name),
                     "1 to 128 of A-Z a-z 0-9 . _ : / @ -, beginning with a letter or a digit");
}

absl::Status check_request_id(std::string_view field, std::string_view id) {
  const auto printable = [](char c) { return absl::ascii_isprint(static_cast<unsigned char>(c)); };
  if (id.size() <= kMaxNameBytes && std::all_of(id.begin(), id.end(), printable)) {
    return absl::OkStatus();
  }
  return not_allowed(field, quoted(id), "0 to 128 printable ASCII characters");
}

std::string argument_error(std::string_view text, std::string_view allowed) {
  return joined(as_typed(text), " is not allowed; allowed: ", allowed);
}

}  // namespace drip
