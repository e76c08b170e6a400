// SPDX-License-Identifier: BSD-3-Clause
// Page sizes, page tokens and filters from protobuf.
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

/// The last id of a page as a token, and back; empty for the first page.
[[nodiscard]] std::string id_token(std::string_view last_id);
[[nodiscard]] absl::StatusOr<std::string> read_id_token(const std::string& token);

/// The first place of a page as a token, and back; 0 for the first page.
[[nodiscard]] std::string sequence_token(std::uint64_t next);
[[nodiscard]] absl::StatusOr<std::uint64_t> read_sequence_token(const std::string& token);

/// Ids come out in order, each once.
[[nodiscard]] absl::StatusOr<BucketFilter> read_filter(const v1::BucketFilter& filter);

}  // namespace drip::control
