// SPDX-License-Identifier: BSD-3-Clause
// Rules that are added, changed and erased one by one: where it can be, without compiling the
// others. See docs/decisions/0001-classifier.md.
#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "base/errors.h"
#include "classifier/classifier.h"
#include "control/config/rule_store.h"
#include "control/config/spare_rules.h"
#include "control/model/expand_rule.h"

namespace drip::control {
namespace {

// Each is compared with the addresses of each rule that may be like it.
constexpr std::size_t kMostPrefixesToErase = 16;

std::uint32_t index_of(const ClassifierRule& rule) { return *rule.result; }

}  // namespace

absl::StatusOr<bool> RuleStore::append(const RuleSpec& rule) {
  const std::uint32_t index = rules_.end();
  if (snapshot_ == nullptr || rule.per_flow() != nullptr || index >= snapshot_->rule_slots) {
    return false;
  }
  const std::size_t before = added_.size();
  const absl::StatusOr<bool> appended = append_at(index, rule);
  if (!appended.ok() || !*appended) {
    added_.resize(before);
    return appended;
  }
  matches_ += added_.size() - before;
  count_uses(rule);
  covers_.push_back(cover_of(rule, rules_.lists()));
  rules_.append(rule);
  warnings_.reset();
  ++changes_;
  ++revision_;
  return true;
}

absl::StatusOr<bool> RuleStore::append_at(std::uint32_t index, const RuleSpec& rule) {
  absl::Status status = add_matches(rule, rules_.lists(), index, kMaxMatches - matches_, added_);
  if (!status.ok()) return status;
  if (added_.size() > most_matches_beside(rules_.size())) return false;
  const absl::StatusOr<RuleAction> action = action_of(rule);
  if (!action.ok()) return action.status();
  absl::StatusOr<Classifier> classifier = Classifier::build(added_);
  if (!classifier.ok()) return classifier.status();
  auto snapshot = RuleSnapshot::with_rule(snapshot_, index, *action, rule.priority);
  snapshot->classifier = *std::move(classifier);
  const bool to_bucket = action->kind == RuleAction::Kind::kBucket;
  const auto former =
      engine_.append_rule(snapshot, to_bucket ? std::optional(action->bucket) : std::nullopt);
  if (!former.ok()) return former.status();
  snapshot_ = std::move(snapshot);
  return true;
}

absl::StatusOr<bool> RuleStore::set(RuleSpec rule) {
  const auto present = rules_.find(rule.id);
  if (!present) {
    absl::StatusOr<bool> appended = append(rule);
    if (!appended.ok() || *appended) return appended;
  }
  RuleSetSpec next = rules_.rules();
  if (present) {
    *std::ranges::find(next.rules, rule.id, &RuleSpec::id) = std::move(rule);
  } else {
    next.rules.push_back(std::move(rule));
  }
  if (absl::Status status = replace(std::move(next)); !status.ok()) return status;
  return !present;
}

absl::Status RuleStore::erase(std::string_view id) {
  const auto index = rules_.find(id);
  if (!index) return not_found("rule_id", "rule", id);
  if (erase_at(*index)) return absl::OkStatus();
  RuleSetSpec next = rules_.rules();
  next.rules.erase(std::ranges::find(next.rules, id, &RuleSpec::id));
  return replace(std::move(next));
}

std::size_t RuleStore::base_rules() const {
  return (snapshot_->base != nullptr ? *snapshot_->base : *snapshot_).actions.size();
}

bool RuleStore::erase_at(std::uint32_t index) {
  const RuleSpec& rule = *rules_.at(index);
  if (rule.per_flow() != nullptr || prefix_count(rule, rules_.lists()) > kMostPrefixesToErase) {
    return false;
  }
  const absl::StatusOr<std::vector<Match>> matches = expand_rule(rule, rules_.lists());
  std::vector<ClassifierRule> own = added_;
  std::erase_if(own, [&](const ClassifierRule& one) { return index_of(one) == index; });
  if (!matches.ok() || !add_heirs(index, rule, own)) return false;
  absl::StatusOr<Classifier> classifier = Classifier::build(own);
  if (!classifier.ok()) return false;
  auto snapshot = RuleSnapshot::without_rule(snapshot_, index);
  snapshot->classifier = *std::move(classifier);
  std::optional<BucketRef> unused;
  if (const RuleSpec::ToBucket* const to = rule.to_bucket()) {
    const auto uses = bucket_uses_.find(to->bucket_id);
    if (--uses->second == 0) {
      unused = buckets_.find(to->bucket_id)->ref();
      bucket_uses_.erase(uses);
    }
  }
  engine_.erase_rule(snapshot, unused);
  snapshot_ = std::move(snapshot);
  added_ = std::move(own);
  matches_ -= matches->size();
  kept_hits_.erase(rule.id);
  rules_.erase(index);
  warnings_.reset();
  ++changes_;
  ++revision_;
  return true;
}

// Whatever packet the base finds rule `index` for, the next best of its rules comes after this one
// and has the packet in common with it.
bool RuleStore::add_heirs(std::uint32_t index, const RuleSpec& rule,
                          std::vector<ClassifierRule>& own) const {
  const std::size_t base = base_rules();
  if (index >= base) return true;  // The base does not find it.
  const std::size_t most = most_matches_beside(rules_.size());
  const auto goes_first = [&](std::uint32_t i) {
    const std::int32_t priority = snapshot_->priorities[i];
    const std::int32_t erased = snapshot_->priorities[index];
    return priority > erased || (priority == erased && i < index);
  };
  std::vector<ClassifierRule> heirs;
  for (std::uint32_t i = 0; i < base; ++i) {
    if (!covers_[i].overlaps(covers_[index]) || i == index || snapshot_->is_erased(i) ||
        goes_first(i)) {
      continue;
    }
    const auto part = common_part(*rules_.at(i), rule, rules_.lists());
    if (!part) continue;
    const std::size_t before = heirs.size();
    if (!add_matches(*part, {}, i, most, heirs).ok()) return false;
    const auto is_present = [&](const ClassifierRule& heir) {
      return std::ranges::any_of(own, [&](const ClassifierRule& one) {
        return index_of(one) == i && one.match == heir.match;
      });
    };
    const auto added = heirs.begin() + static_cast<std::ptrdiff_t>(before);
    heirs.erase(std::remove_if(added, heirs.end(), is_present), heirs.end());
    if (own.size() + heirs.size() > most) return false;
  }
  own.insert(own.end(), heirs.begin(), heirs.end());
  std::ranges::stable_sort(own, {}, index_of);
  return true;
}

void RuleStore::merge_added() {
  if (changes_ != changes_before_ || changes_ == 0) {
    changes_before_ = changes_;
    return;
  }
  const std::uint64_t revision = revision_;
  // Cannot fail but for memory; then the rules stay in two classifiers.
  if (replace(RuleSetSpec(rules_.rules())).ok()) revision_ = revision;
}

}  // namespace drip::control
