// SPDX-License-Identifier: BSD-3-Clause
// Changes by what they lead to.
#include "cluster/shares/policy_log.h"

#include <cstddef>

#include "base/log.h"
#include "base/text.h"
#include "cluster/shares/share_policy.h"

namespace drip::cluster {

using control::PolicyState;

namespace {

constexpr std::size_t kMostLines = 10;
constexpr std::size_t kNamedTogether = 3;

}  // namespace

void PolicyLog::add(std::string_view bucket_id, PolicyState state, bool unreachable) {
  changes_[{state, unreachable}].emplace_back(bucket_id);
}

void PolicyLog::write(std::string_view error) {
  for (const auto& [how, ids] : changes_) {
    const auto& [state, unreachable] = how;
    const LogLevel level = state == PolicyState::kShared ? LogLevel::kInfo : LogLevel::kWarning;
    std::string rest = joined("leaks ", description_of(state));
    if (unreachable) {
      rest += joined("; Redis does not answer: ", error);
    } else if (state != PolicyState::kShared) {
      rest += "; it has no lease";
    }
    if (ids.size() <= kMostLines) {
      for (const std::string& id : ids) write_log(level, joined("bucket ", id, ": ", rest));
      continue;
    }
    std::string some;
    for (std::size_t i = 0; i < kNamedTogether; ++i) some += ids[i] + ", ";
    write_log(level, joined("buckets ", some, "and ", ids.size() - kNamedTogether, " others: each ",
                            rest));
  }
  changes_.clear();
}

}  // namespace drip::cluster
