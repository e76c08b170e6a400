// SPDX-License-Identifier: BSD-3-Clause
// How a bucket is shared in a cluster: flags of `bucket set` and lines of `bucket show`.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/output/output.h"
#include "drip/v1/bucket.pb.h"
#include "drip/v1/rate_limiter.pb.h"

namespace drip::cli {

// --scope, --sharing, --on-failure and so on.
void add_sharing_settings(CLI::App* app,
                          const std::shared_ptr<v1::ConfigureBucketRequest>& request);
// `value` to four significant digits, for shares, which change all the time.
[[nodiscard]] double four_digits(double value);
// Adds nothing for a bucket of scope NODE.
void add_sharing_properties(const v1::Bucket& bucket, Properties* properties);

}  // namespace drip::cli
