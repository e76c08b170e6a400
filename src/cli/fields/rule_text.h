// SPDX-License-Identifier: BSD-3-Clause
// Text for matches and actions, in the notation of the flags of `rule add`.
#pragma once

#include <string>

#include "drip/v1/shaper.pb.h"

namespace drip::cli {

// "tcp dport 443 src 192.0.2.0/24"; "any" if it matches every packet.
std::string match_in_words(const v1::Match& match);
// "bucket web", "per source: 1mbit, at most 4096", "pass", "drop".
std::string action_in_words(const v1::Rule& rule);

}  // namespace drip::cli
