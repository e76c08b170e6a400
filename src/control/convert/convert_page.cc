// SPDX-License-Identifier: BSD-3-Clause
// Page tokens are ">" and an id, or "@" and a sequence number.
#include "control/convert/convert_page.h"

#include <charconv>
#include <limits>

#include "base/errors.h"
#include "base/text.h"

namespace drip::control {
namespace {

// More than a rule's id, a slash and the longest flow (two IPv6 addresses with ports).
constexpr std::size_t kMaxIdBytes = 384;

absl::Status not_a_token(const std::string& token) {
  return not_allowed("page_token", quoted(token), "the next_page_token of the page before");
}

}  // namespace

absl::StatusOr<std::size_t> read_page_size(std::uint32_t page_size) {
  if (page_size == 0) return kDefaultPageSize;
  absl::Status status =
      check_range("page_size", std::uint64_t{page_size}, std::uint64_t{1},
                  std::uint64_t{kMaxPageSize}, joined(", or 0 for ", kDefaultPageSize));
  if (!status.ok()) return status;
  return page_size;
}

absl::StatusOr<std::size_t> read_large_page_size(std::uint32_t page_size) {
  if (page_size == 0) return std::numeric_limits<std::size_t>::max();
  absl::Status status =
      check_range("page_size", std::uint64_t{page_size}, std::uint64_t{1},
                  std::uint64_t{kMaxPageSize}, ", or 0 for as many as fit into a message");
  if (!status.ok()) return status;
  return page_size;
}

std::string id_token(std::string_view last_id) { return joined(">", last_id); }

absl::StatusOr<std::string> read_id_token(const std::string& token) {
  if (token.empty()) return std::string();
  if (token.front() != '>' || token.size() > kMaxIdBytes) return not_a_token(token);
  return token.substr(1);
}

std::string sequence_token(std::uint64_t next) { return joined("@", next); }

absl::StatusOr<std::uint64_t> read_sequence_token(const std::string& token) {
  if (token.empty()) return 0;
  std::uint64_t next = 0;
  const char* const end = token.data() + token.size();
  const auto [rest, error] = std::from_chars(token.data() + 1, end, next);
  if (token.front() != '@' || error != std::errc() || rest != end) return not_a_token(token);
  return next;
}

std::string rules_token(std::uint64_t revision, std::size_t next) {
  return joined("@", revision, ":", next);
}

absl::StatusOr<std::size_t> read_rules_token(const std::string& token, std::uint64_t revision) {
  if (token.empty()) return 0;
  std::uint64_t of = 0;
  std::size_t next = 0;
  const char* const end = token.data() + token.size();
  const auto [colon, error] = std::from_chars(token.data() + 1, end, of);
  if (token.front() != '@' || error != std::errc() || colon == end || *colon != ':') {
    return not_a_token(token);
  }
  const auto [rest, second_error] = std::from_chars(colon + 1, end, next);
  if (second_error != std::errc() || rest != end) return not_a_token(token);
  if (of != revision) {
    return absl::AbortedError(joined("page_token: the rules are at revision ", revision,
                                     ", and the page before was of ", of));
  }
  return next;
}

absl::StatusOr<BucketFilter> read_filter(const v1::BucketFilter& message) {
  BucketFilter filter;
  if (message.id_prefix().size() > kMaxIdBytes) {
    return not_allowed("filter.id_prefix", quoted(message.id_prefix()),
                       joined("at most ", kMaxIdBytes, " bytes"));
  }
  filter.id_prefix = message.id_prefix();
  filter.ids.assign(message.bucket_ids().begin(), message.bucket_ids().end());
  filter.backlogged = message.backlogged();
  filter.include_flows = message.include_flows();
  filter.in_tree = message.in_tree();
  return filter;
}

}  // namespace drip::control
