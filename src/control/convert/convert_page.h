// SPDX-License-Identifier: BSD-3-Clause
// Reads page sizes, page tokens and filters from Protobuf.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "control/config/bucket_listing.h"
#include "drip/v1/shaper.pb.h"

namespace drip::control {

inline constexpr std::uint32_t kMaxPageSize = 1000;
inline constexpr std::uint32_t kDefaultPageSize = 100;

/// 1 to kMaxPageSize; 0 stands for kDefaultPageSize.
[[nodiscard]] absl::StatusOr<std::size_t> read_page_size(std::uint32_t page_size);

/// What a page without a size takes of a message, whose bound is 4 MiB (gRPC's default).
inline constexpr std::size_t kPageBytes = std::size_t{3} << 20;
/// The same, but 0 stands for as many as fit into kPageBytes.
[[nodiscard]] absl::StatusOr<std::size_t> read_large_page_size(std::uint32_t page_size);

/// The token of the page after the id `last_id`, and back; an empty token is the first page, with
/// an empty id. INVALID_ARGUMENT if it is not such a token.
[[nodiscard]] std::string id_token(std::string_view last_id);
[[nodiscard]] absl::StatusOr<std::string> read_id_token(const std::string& token);

/// The token of the page that begins with the sequence number `next`, and back; an empty token is
/// the first page, with 0.
[[nodiscard]] std::string sequence_token(std::uint64_t next);
[[nodiscard]] absl::StatusOr<std::uint64_t> read_sequence_token(const std::string& token);

/// The token of the page that begins with the rule number `next` of those of `revision`, and back;
/// an empty token is the first page, with 0. ABORTED if it is of another revision.
[[nodiscard]] std::string rules_token(std::uint64_t revision, std::size_t next);
[[nodiscard]] absl::StatusOr<std::size_t> read_rules_token(const std::string& token,
                                                           std::uint64_t revision);

/// INVALID_ARGUMENT if the prefix is longer than any id.
[[nodiscard]] absl::StatusOr<BucketFilter> read_filter(const v1::BucketFilter& filter);

}  // namespace drip::control
