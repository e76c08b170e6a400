// SPDX-License-Identifier: BSD-3-Clause
// Which subject a path is.
#include "bench/path/throttled/subject.h"

#include <bit>

#include "bench/path/sched_peer.h"

namespace drip::bench {

std::string_view why_not(Path path, const Traffic& traffic) {
  const bool equal = traffic.kind() == BucketOrder::Kind::kRoundRobin;
  if (path == Path::kSched && traffic.buckets() > SchedPeer::kMaxPipes) return "too many pipes";
  if (path == Path::kSched && !equal) return "all pipes have one profile";
  if (is_tree(path) && !equal) return "the root divides by turns";
  if (is_tree(path) && !std::has_single_bit(traffic.buckets())) return "no power of two of leaves";
  if (path == Path::kSchedTree && traffic.buckets() < 4) return "too few leaves";
  if (path == Path::kSchedTree && traffic.buckets() / 4 > SchedPeer::kMaxPipes) {
    return "too many pipes";
  }
  return {};
}

absl::StatusOr<std::unique_ptr<Subject>> make_subject(Path path, const Load& load) {
  switch (path) {
    case Path::kBuckets:
      return make_buckets(load);
    case Path::kWhole:
      return make_whole(load);
    case Path::kFair:
      return make_fair(load);
    case Path::kTree:
      return make_tree(load);
    case Path::kSched:
      return make_sched(load);
    case Path::kSchedTree:
      break;
  }
  return make_sched_tree(load);
}

}  // namespace drip::bench
