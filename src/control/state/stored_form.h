// SPDX-License-Identifier: BSD-3-Clause
// What of a configuration is stored under which key: messages of the API, and some numbers.
//
//   b/<bucket>     Bucket: config, with every field, and revision
//   r/<rule>       its place among the rules, 8 bytes; Rule
//   l/<list>       AddressList
//   rules          RuleSet without rules and lists
//   n/<name>       a number: revision, rules_revision
//   f/b/<bucket>   a bucket that the configuration file named when it was applied last
//   f/l/<list>     an address list likewise
//   f/rules        it had a rules section
//   f/digest       of what it had
//   s/<bucket>     until when it is busy: stored_schedule.h
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "control/config/bucket_entry.h"
#include "control/config/configuration.h"
#include "control/model/rule_spec.h"
#include "control/state/stored_schedule.h"
#include "state/batch.h"

namespace drip::control {

struct StoredState {
  SharedConfig config;
  std::uint64_t revision = 0;
  FileMemory file;
  std::string file_digest;  ///< Empty: no file has been applied.
  std::map<std::string, std::uint64_t, std::less<>> rule_places;  ///< They grow along the rules.
  std::vector<std::pair<std::string, StoredSchedule>> schedules;  ///< By bucket.
};

/// DATA_LOSS naming the key that cannot be read, and why.
[[nodiscard]] absl::StatusOr<StoredState> read_state(const state::Image& image);

void put_bucket(const BucketEntry& bucket, state::Batch& batch);
void erase_bucket(std::string_view id, state::Batch& batch);
void put_rule(const RuleSpec& rule, std::uint64_t place, state::Batch& batch);
void erase_rule(std::string_view id, state::Batch& batch);
void put_list(const std::string& name, const std::vector<IpPrefix>& prefixes, state::Batch& batch);
void erase_list(std::string_view name, state::Batch& batch);
void put_common(const RuleSetSpec& rules, state::Batch& batch);
void put_revisions(std::uint64_t revision, std::uint64_t rules_revision, state::Batch& batch);
/// What changes from `before` to `after`.
void put_file(const FileMemory& before, const FileMemory& after, std::string_view digest,
              state::Batch& batch);
void put_schedule(std::string_view bucket_id, const StoredSchedule& schedule, state::Batch& batch);
void erase_schedule(std::string_view bucket_id, state::Batch& batch);

/// Whether both are stored as the same bytes.
[[nodiscard]] bool same_stored(const RuleSpec& a, const RuleSpec& b);

}  // namespace drip::control
