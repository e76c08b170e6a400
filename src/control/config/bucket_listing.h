// SPDX-License-Identifier: BSD-3-Clause
// Pages of bucket states: the configured buckets and those that per-flow rules made.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/config/bucket_registry.h"
#include "control/config/configuration.h"
#include "control/model/bucket_state.h"
#include "engine/engine.h"

namespace drip::control {

/// All that fit every field; empty fields fit all.
struct BucketFilter {
  std::string id_prefix;
  std::vector<std::string> ids;
  bool backlogged = false;
  bool include_flows = false;
};

struct BucketPage {
  std::vector<BucketState> states;  ///< In order of id.
  bool last = true;
};

/// Thread safe. Flows take the configuration's lock, so asking for them may wait.
class BucketListing {
 public:
  BucketListing(const Engine& engine, const BucketRegistry& buckets,
                const Configuration& configuration)
      : engine_(engine), buckets_(buckets), configuration_(configuration) {}

  /// Up to `limit` states with ids behind `after`: the cursor is an id, so a page begins rightly
  /// whatever came or went meanwhile. NOT_FOUND naming the first of filter.ids that does not exist.
  [[nodiscard]] absl::StatusOr<BucketPage> page(const BucketFilter& filter, std::string_view after,
                                                std::size_t limit) const;

 private:
  void add_configured(const BucketFilter& filter, std::string_view after, std::size_t limit,
                      std::vector<BucketState>& states) const;
  void add_named(const BucketFilter& filter, std::string_view after,
                 std::vector<BucketState>& states) const;
  // An id is `rule/flow`, the flow as FlowKey's to_text() says it.
  [[nodiscard]] std::vector<BucketState> flows(const BucketFilter& filter) const;

  const Engine& engine_;
  const BucketRegistry& buckets_;
  const Configuration& configuration_;
};

}  // namespace drip::control
