// SPDX-License-Identifier: BSD-3-Clause
#include "control/state/stored_form.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/errors.h"
#include "base/text.h"
#include "control/convert/convert_bucket_config.h"
#include "control/convert/convert_rule.h"
#include "drip/v1/bucket.pb.h"
#include "drip/v1/shaper.pb.h"
#include "state/little_endian.h"

namespace drip::control {
namespace {

constexpr std::string_view kBucket = "b/";
constexpr std::string_view kRule = "r/";
constexpr std::string_view kList = "l/";
constexpr std::string_view kSchedule = "s/";
constexpr std::string_view kFileBucket = "f/b/";
constexpr std::string_view kFileList = "f/l/";
constexpr std::string_view kFileRules = "f/rules";
constexpr std::string_view kFileDigest = "f/digest";
constexpr std::string_view kCommon = "rules";
constexpr std::string_view kRevision = "n/revision";
constexpr std::string_view kRulesRevision = "n/rules_revision";
constexpr std::size_t kPlaceBytes = sizeof(std::uint64_t);

std::string key_of(std::string_view kind, std::string_view name) { return joined(kind, name); }

absl::Status unreadable(std::string_view key, std::string_view why) {
  return absl::DataLossError(joined("state: ", quoted(key), ": ", why));
}

absl::Status read_number(std::string_view text, std::uint64_t& number) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc() && stop == end) return absl::OkStatus();
  return absl::InvalidArgumentError(joined(quoted(text), " is no number"));
}

absl::Status no_message() { return absl::InvalidArgumentError("the message cannot be read"); }

// Reads the pairs of an image, one after the other.
class StateReader {
 public:
  absl::Status read(std::string_view key, const std::string& value) {
    const auto name_behind = [&](std::string_view kind) -> std::optional<std::string> {
      if (!key.starts_with(kind)) return std::nullopt;
      return std::string(key.substr(kind.size()));
    };
    if (const auto name = name_behind(kBucket)) return read_bucket(*name, value);
    if (const auto name = name_behind(kRule)) return read_rule_at(*name, value);
    if (const auto name = name_behind(kList)) {
      v1::AddressList& list = *rules_.add_address_lists();
      return list.ParseFromString(value) ? check_name(*name, list.name()) : no_message();
    }
    if (const auto name = name_behind(kSchedule)) {
      auto schedule = schedule_from(value);
      if (!schedule.ok()) return schedule.status();
      state_.schedules.emplace_back(*name, *std::move(schedule));
      return absl::OkStatus();
    }
    if (const auto name = name_behind(kFileBucket)) {
      state_.file.buckets.insert(*name);
    } else if (const auto list = name_behind(kFileList)) {
      state_.file.lists.insert(*list);
    } else if (key == kFileRules) {
      state_.file.had_rules = true;
    } else if (key == kFileDigest) {
      state_.file_digest = value;
    } else if (key == kCommon) {
      return common_.ParseFromString(value) ? absl::OkStatus() : no_message();
    } else if (key == kRevision) {
      return read_number(value, state_.revision);
    } else if (key == kRulesRevision) {
      return read_number(value, state_.config.rules_revision);
    } else {
      return absl::InvalidArgumentError("this version of dripd does not know what that is");
    }
    return absl::OkStatus();
  }

  absl::StatusOr<StoredState> finish() {
    std::ranges::sort(placed_, {}, [](const auto& rule) { return rule.first; });
    for (auto& [place, rule] : placed_) *rules_.add_rules() = std::move(rule);
    common_.MergeFrom(rules_);
    auto rules = read_rule_set(common_, "rules.");
    if (!rules.ok()) return unreadable("rules", message_of(rules.status()));
    state_.config.rules = *std::move(rules);
    return std::move(state_);
  }

 private:
  // What is stored under another name could not be deleted again.
  static absl::Status check_name(std::string_view of_key, const std::string& of_value) {
    if (of_key == of_value) return absl::OkStatus();
    return absl::InvalidArgumentError(joined("it is of ", quoted(of_value)));
  }
  absl::Status read_bucket(const std::string& name, const std::string& value) {
    v1::Bucket message;
    if (!message.ParseFromString(value)) return no_message();
    const std::string& id = message.config().bucket_id();
    if (absl::Status same = check_name(name, id); !same.ok()) return same;
    auto patch = read_patch(message.config(), "");
    if (!patch.ok()) return patch.status();
    state_.config.buckets.push_back({*std::move(patch), message.revision()});
    return absl::OkStatus();
  }
  absl::Status read_rule_at(const std::string& name, const std::string& value) {
    v1::Rule rule;
    if (value.size() < kPlaceBytes || !rule.ParseFromString(value.substr(kPlaceBytes))) {
      return no_message();
    }
    if (absl::Status same = check_name(name, rule.rule_id()); !same.ok()) return same;
    const auto place = state::number_at<std::uint64_t>(value, 0);
    state_.rule_places.emplace(name, place);
    placed_.emplace_back(place, std::move(rule));
    return absl::OkStatus();
  }

  StoredState state_;
  v1::RuleSet common_;
  v1::RuleSet rules_;
  std::vector<std::pair<std::uint64_t, v1::Rule>> placed_;
};

std::string bytes_of_rule(const RuleSpec& rule) {
  v1::Rule message;
  write_rule(rule, message);
  return message.SerializeAsString();
}

}  // namespace

absl::StatusOr<StoredState> read_state(const state::Image& image) {
  StateReader reader;
  for (const auto& [key, value] : image) {
    if (const absl::Status status = reader.read(key, value); !status.ok()) {
      return unreadable(key, message_of(status));
    }
  }
  return reader.finish();
}

void put_bucket(const BucketEntry& bucket, state::Batch& batch) {
  const BucketDefinition definition = bucket.definition();
  v1::Bucket message;
  v1::BucketConfig& config = *message.mutable_config();
  write_config(definition.settings, config);
  write_place(definition.place, config);
  write_sharing(definition.sharing, config);
  config.set_bucket_id(bucket.id());
  message.set_revision(bucket.revision());
  batch.put(key_of(kBucket, bucket.id_view()), message.SerializeAsString());
}

void erase_bucket(std::string_view id, state::Batch& batch) {
  batch.erase(key_of(kBucket, id));
  erase_schedule(id, batch);
}

void put_rule(const RuleSpec& rule, std::uint64_t place, state::Batch& batch) {
  std::string value;
  state::append_number(value, place);
  batch.put(key_of(kRule, rule.id), value + bytes_of_rule(rule));
}

void erase_rule(std::string_view id, state::Batch& batch) { batch.erase(key_of(kRule, id)); }

void put_list(const std::string& name, const std::vector<IpPrefix>& prefixes, state::Batch& batch) {
  v1::AddressList list;
  list.set_name(name);
  for (const IpPrefix& prefix : prefixes) list.add_prefixes(prefix.to_text());
  batch.put(key_of(kList, name), list.SerializeAsString());
}

void erase_list(std::string_view name, state::Batch& batch) { batch.erase(key_of(kList, name)); }

void put_common(const RuleSetSpec& rules, state::Batch& batch) {
  v1::RuleSet message;
  message.set_default_bucket_id(rules.default_bucket_id);
  message.set_protect_control_traffic(rules.protect_control_traffic);
  for (const std::string& entry : rules.control_protocols.entries()) {
    message.add_control_protocols(entry);
  }
  batch.put(kCommon, message.SerializeAsString());
}

void put_revisions(std::uint64_t revision, std::uint64_t rules_revision, state::Batch& batch) {
  batch.put(kRevision, joined(revision));
  batch.put(kRulesRevision, joined(rules_revision));
}

void put_file(const FileMemory& before, const FileMemory& after, std::string_view digest,
              state::Batch& batch) {
  const auto put_names = [&](std::string_view kind, const std::set<std::string>& old_names,
                             const std::set<std::string>& names) {
    for (const std::string& name : old_names) {
      if (!names.contains(name)) batch.erase(key_of(kind, name));
    }
    for (const std::string& name : names) {
      if (!old_names.contains(name)) batch.put(key_of(kind, name), "");
    }
  };
  put_names(kFileBucket, before.buckets, after.buckets);
  put_names(kFileList, before.lists, after.lists);
  if (after.had_rules) {
    batch.put(kFileRules, "");
  } else {
    batch.erase(kFileRules);
  }
  batch.put(kFileDigest, digest);
}

void put_schedule(std::string_view bucket_id, const StoredSchedule& schedule, state::Batch& batch) {
  batch.put(key_of(kSchedule, bucket_id), to_text(schedule));
}

void erase_schedule(std::string_view bucket_id, state::Batch& batch) {
  batch.erase(key_of(kSchedule, bucket_id));
}

bool same_stored(const RuleSpec& a, const RuleSpec& b) {
  return bytes_of_rule(a) == bytes_of_rule(b);
}

}  // namespace drip::control
