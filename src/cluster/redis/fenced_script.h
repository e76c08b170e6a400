// SPDX-License-Identifier: BSD-3-Clause
// Scripts that do what they do only for the present leader.
#pragma once

#include <string>
#include <string_view>

namespace drip::cluster {

/// Lua whose `body` runs only if ARGV[1] is the leader's present epoch, with KEYS[1] the leader's
/// key (ClusterKeys::leader); otherwise it answers FENCED, which is FAILED_PRECONDITION, and has
/// written nothing. Check and writes are one step of Redis, so a leader that was stopped in between
/// cannot write after its successor has.
///
/// An epoch belongs to one leader. It grows with each election, and nodes that have seen a higher
/// one than Redis knows (for Redis lost its data) raise it before they elect.
[[nodiscard]] std::string fenced(std::string_view body);

}  // namespace drip::cluster
