// SPDX-License-Identifier: BSD-3-Clause
// What makes a bucket the cluster's: flags of `bucket set`, and lines of `bucket show`.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/output/output.h"
#include "drip/v1/bucket.pb.h"
#include "drip/v1/rate_limiter.pb.h"

namespace drip::cli {

void add_sharing_settings(CLI::App* app,
                          const std::shared_ptr<v1::ConfigureBucketRequest>& request);
/// To four significant digits: what a share is changes all the time.
[[nodiscard]] double four_digits(double value);
// Nothing for a bucket of one node.
void add_sharing_properties(const v1::Bucket& bucket, Properties* properties);

}  // namespace drip::cli
