// SPDX-License-Identifier: BSD-3-Clause
// The log's lines about failure policies, however many buckets change at once.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/model/shared_buckets.h"

namespace drip::cluster {

/// Some buckets that change at once have a line each; more of them have one together.
class PolicyLog {
 public:
  /// `unreachable`: as Redis does not answer.
  void add(std::string_view bucket_id, control::PolicyState state, bool unreachable);
  /// Writes what was added since the last call. `error`: why Redis does not answer.
  void write(std::string_view error);

 private:
  std::map<std::pair<control::PolicyState, bool>, std::vector<std::string>> changes_;
};

}  // namespace drip::cluster
