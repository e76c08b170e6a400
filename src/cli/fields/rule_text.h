// SPDX-License-Identifier: BSD-3-Clause
// Rules in words, in the flags that `rule add` would take for them.
#pragma once

#include <string>

#include "drip/v1/shaper.pb.h"

namespace drip::cli {

// "tcp dport 443 src 192.0.2.0/24"; "any" if it fits every packet.
std::string match_in_words(const v1::Match& match);
// "bucket web", "per source: 1mbit, at most 4096", "pass", "drop".
std::string action_in_words(const v1::Rule& rule);

}  // namespace drip::cli
