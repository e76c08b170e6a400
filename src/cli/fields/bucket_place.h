// SPDX-License-Identifier: BSD-3-Clause
// A bucket's place in a tree: flags of `bucket set` and lines of `bucket show`.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/output/output.h"
#include "drip/v1/bucket.pb.h"
#include "drip/v1/rate_limiter.pb.h"

namespace drip::cli {

// --inner, --parent, --guarantee, --priority, --tolerance. --weight is with those for sharing,
// whose weights it sets as well.
void add_place_settings(CLI::App* app, const std::shared_ptr<v1::ConfigureBucketRequest>& request);
// The same for the buckets of flows, with --weight; --flow-priority is not the rule's.
void add_flow_place_settings(CLI::App* app, const std::shared_ptr<v1::BucketConfig>& config);
// "40mbit", "10k/s", or both; "-" without a guarantee.
[[nodiscard]] std::string guarantee_in_words(const v1::BucketConfig& config);
/// The rates that one polling thread holds of those of a spread root, in four digits.
[[nodiscard]] std::string share_in_words(const v1::CoreShare& share);
// Adds nothing for a bucket that is in no tree.
void add_place_properties(const v1::Bucket& bucket, Properties* properties);

}  // namespace drip::cli
