// SPDX-License-Identifier: BSD-3-Clause
// Reads a rule set from a file: the API's RuleSet with its field names, as TOML or JSON.
#pragma once

#include <string>

#include "drip/v1/shaper.pb.h"

namespace drip::cli {

// `path` may be "-" for standard input. Throws UsageError naming the file and the error in it.
v1::RuleSet read_rule_file(const std::string& path);

}  // namespace drip::cli
