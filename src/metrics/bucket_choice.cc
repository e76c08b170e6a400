// SPDX-License-Identifier: BSD-3-Clause
#include "metrics/bucket_choice.h"

#include <string_view>

#include "base/errors.h"
#include "base/quantity.h"

namespace drip::metrics {

absl::StatusOr<BucketChoice> parse_bucket_choice(const std::string& field,
                                                 const std::string& text) {
  constexpr std::string_view kTop = "top:";
  constexpr std::string_view kPrefix = "prefix:";
  BucketChoice choice;
  if (text == "all") {
    choice.kind = BucketChoice::Kind::kAll;
    return choice;
  }
  if (text.starts_with(kPrefix) && text.size() > kPrefix.size()) {
    choice.kind = BucketChoice::Kind::kPrefix;
    choice.prefix = text.substr(kPrefix.size());
    return choice;
  }
  if (text.starts_with(kTop)) {
    const auto count = parse_integer(text.substr(kTop.size()), 0, kMostTopBuckets);
    if (count) {
      choice.count = static_cast<std::size_t>(*count);
      return choice;
    }
  }
  return not_allowed(field, quoted(text), kAllowedBucketChoices);
}

}  // namespace drip::metrics
