// SPDX-License-Identifier: BSD-3-Clause
// A record of the node's history of changes in words.
#pragma once

#include <string>

#include "drip/v1/shaper.pb.h"

namespace drip::cli {

// "192.0.2.7:4711" of gRPC's "ipv4:192.0.2.7:4711"; "-" if it is not known.
std::string peer_text(const std::string& peer);
// What it was about: the target or, of a call that was refused before that was known, the method.
std::string target_text(const v1::Change& change);
// What became of it: "created: leak_rate_bps 100mbit, capacity 1000", "leak_rate_bps 100mbit ->
// 50mbit", "deleted", "PERMISSION_DENIED: SetRules needs ...".
std::string outcome_text(const v1::Change& change);

}  // namespace drip::cli
