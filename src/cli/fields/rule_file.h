// SPDX-License-Identifier: BSD-3-Clause
// A whole rule set from a file: the API's RuleSet with its own field names, as TOML or JSON.
#pragma once

#include <string>

#include "drip/v1/shaper.pb.h"

namespace drip::cli {

// `path` may be "-" for standard input. Throws UsageError with the file and what is wrong in it.
v1::RuleSet read_rule_file(const std::string& path);

}  // namespace drip::cli
