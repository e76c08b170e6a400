// SPDX-License-Identifier: BSD-3-Clause
#include "control/rpc/calls/tenant.h"

#include <string>
#include <vector>

#include "base/errors.h"
#include "base/text.h"

namespace drip::control {
namespace {

constexpr std::size_t kCountedAtOnce = 1024;

absl::Status check_patch(const access::Caller& caller, const BucketRegistry& buckets,
                         const BucketPatch& patch) {
  const absl::Status own = check_covers(caller, joined(patch.path, "bucket_id"), patch.id);
  if (!own.ok()) return own;
  const BucketEntryRef present = buckets.find(patch.id);
  const std::string before = present == nullptr ? std::string() : present->place().parent_id;
  const std::string after = patch.parent_id.value_or(before);
  const auto is_foreign = [&](const std::string& parent) {
    return !parent.empty() && !covers(caller, parent);
  };
  if (after != before) {
    if (is_foreign(after)) {
      return check_covers(caller, joined(patch.path, "parent_id"), after);
    }
    if (is_foreign(before)) {
      return absl::PermissionDeniedError(
          joined(patch.path, "parent_id: ", quoted(after), " is not allowed: the bucket is below ",
                 "one that does not begin with ", quoted(caller.prefix), ", and stays there"));
    }
    return absl::OkStatus();
  }
  if (!is_foreign(after)) return absl::OkStatus();
  const auto refused = [&](std::string_view field) {
    return absl::PermissionDeniedError(
        joined(patch.path, field, ": not allowed: it changes what the bucket gets beside others ",
               "below a parent that does not begin with ", quoted(caller.prefix)));
  };
  if (patch.guaranteed_units_per_second) return refused("guarantee");
  if (patch.guaranteed_bits_per_second) return refused("guarantee_bps");
  if (patch.weight) return refused("weight");
  if (patch.priority) return refused("priority");
  return absl::OkStatus();
}

}  // namespace

absl::Status keep_to_own(const access::Caller& caller, BucketFilter& filter) {
  if (caller.prefix.empty()) return absl::OkStatus();
  for (std::size_t i = 0; i < filter.ids.size(); ++i) {
    absl::Status status = check_covers(caller, joined("filter.bucket_ids[", i, "]"), filter.ids[i]);
    if (!status.ok()) return status;
  }
  if (caller.prefix.starts_with(filter.id_prefix)) {
    filter.id_prefix = caller.prefix;
    return absl::OkStatus();
  }
  return check_covers(caller, "filter.id_prefix", filter.id_prefix);
}

absl::Status check_own_changes(const access::Caller& caller, const BucketRegistry& buckets,
                               std::span<const BucketPatch> patches) {
  if (caller.prefix.empty()) return absl::OkStatus();
  for (const BucketPatch& patch : patches) {
    if (absl::Status status = check_patch(caller, buckets, patch); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status check_own_deletion(const access::Caller& caller, const BucketRegistry& buckets,
                                std::string_view bucket_id, bool recursive) {
  if (caller.prefix.empty()) return absl::OkStatus();
  if (absl::Status own = check_covers(caller, "bucket_id", bucket_id); !own.ok()) return own;
  const BucketEntryRef present = buckets.find(bucket_id);
  const std::string parent = present == nullptr ? std::string() : present->place().parent_id;
  if (!parent.empty() && !covers(caller, parent)) {
    return absl::PermissionDeniedError(
        joined("bucket_id: ", quoted(bucket_id), " is not allowed: the bucket is below one that ",
               "does not begin with ", quoted(caller.prefix), ", and stays there"));
  }
  if (!recursive) return absl::OkStatus();
  for (const BucketEntryRef& bucket : buckets.subtree(bucket_id)) {
    if (covers(caller, bucket->id_view())) continue;
    return absl::PermissionDeniedError(
        joined("recursive: not allowed: below it is a bucket that does not begin with ",
               quoted(caller.prefix)));
  }
  return absl::OkStatus();
}

std::size_t count_own(const access::Caller& caller, const BucketRegistry& buckets) {
  if (caller.prefix.empty()) return buckets.size();
  std::size_t count = 0;
  std::string after;
  for (;;) {
    const std::vector<BucketEntryRef> page = buckets.list(caller.prefix, after, kCountedAtOnce);
    count += page.size();
    if (page.size() < kCountedAtOnce) return count;
    after = page.back()->id();
  }
}

}  // namespace drip::control
