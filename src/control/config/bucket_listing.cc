// SPDX-License-Identifier: BSD-3-Clause
// Gathers, filters and orders bucket states.
#include "control/config/bucket_listing.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/errors.h"
#include "base/text.h"

namespace drip::control {
namespace {

constexpr std::size_t kEntriesAtOnce = 256;

bool matches(const BucketFilter& filter, std::string_view after, const BucketState& state) {
  return std::string_view(state.id) > after && state.id.starts_with(filter.id_prefix) &&
         (!filter.backlogged || state.stats.backlog > 0) &&
         (!filter.in_tree || state.place.in_tree());
}

}  // namespace

void BucketListing::add_configured(const BucketFilter& filter, std::string_view after,
                                   std::size_t limit, std::vector<BucketState>& states) const {
  std::string cursor(after);
  while (states.size() < limit) {
    const std::vector<BucketEntryRef> buckets =
        buckets_.list(filter.id_prefix, cursor, kEntriesAtOnce);
    for (const BucketEntryRef& bucket : buckets) {
      // For a million buckets the states take a second, the backlogs a tenth of it.
      if (filter.backlogged && bucket->backlog() == 0) continue;
      if (filter.in_tree && !bucket->place().in_tree()) continue;
      std::optional<BucketState> state = bucket->state();
      if (state && matches(filter, after, *state)) states.push_back(*std::move(state));
      if (states.size() == limit) return;
    }
    if (buckets.size() < kEntriesAtOnce) return;
    cursor = buckets.back()->id();
  }
}

void BucketListing::add_named(const BucketFilter& filter, std::string_view after,
                              std::vector<BucketState>& states) const {
  for (const std::string& id : filter.ids) {
    const BucketEntryRef bucket = buckets_.find(id);
    if (bucket == nullptr) continue;
    std::optional<BucketState> state = bucket->state();
    if (state && matches(filter, after, *state)) states.push_back(*std::move(state));
  }
}

std::vector<BucketState> BucketListing::flows(const BucketFilter& filter) const {
  std::vector<BucketState> states;
  configuration_.with_rules([&](const RuleStore& rules) {
    for (std::size_t i = 0; i < rules.flow_rules().size(); ++i) {
      const std::optional<FlowRule>& flow_rule = rules.flow_rules()[i];
      if (!flow_rule) continue;
      const std::string begin = rules.rules().rules[i].id + "/";
      if (!begin.starts_with(filter.id_prefix) && !filter.id_prefix.starts_with(begin)) continue;
      for (FlowStats& flow : engine_.list_flows(flow_rule->number, flow_rule->settings.max_flows)) {
        BucketState& state = states.emplace_back();
        state.id = begin + flow.flow;
        state.transmitter = flow.transmitter;
        state.settings = flow_rule->settings.bucket;
        state.stats = flow.bucket;
        state.rule_id = rules.rules().rules[i].id;
        state.flow = std::move(flow.flow);
      }
      if (!flow_rule->overflow_bucket) continue;
      BucketState& state = states.emplace_back();
      state.id = begin + std::string(FlowRule::kOverflowName);
      state.transmitter = flow_rule->overflow_bucket->transmitter;
      state.settings = flow_rule->settings.bucket;
      state.stats = engine_.read(*flow_rule->overflow_bucket);
      state.rule_id = rules.rules().rules[i].id;
      state.flow = FlowRule::kOverflowName;
    }
  });
  return states;
}

absl::StatusOr<BucketPage> BucketListing::page(const BucketFilter& filter, std::string_view after,
                                               std::size_t limit) const {
  std::vector<BucketState> flow_states;
  if (filter.include_flows) flow_states = flows(filter);
  const std::set<std::string_view> asked_for(filter.ids.begin(), filter.ids.end());
  std::set<std::string_view> flow_ids;
  if (!asked_for.empty()) {
    for (const BucketState& flow : flow_states) flow_ids.insert(flow.id);
  }
  for (std::size_t i = 0; i < filter.ids.size(); ++i) {
    if (buckets_.find(filter.ids[i]) == nullptr && !flow_ids.contains(filter.ids[i])) {
      return not_found(joined("filter.bucket_ids[", i, "]"), "bucket", filter.ids[i]);
    }
  }
  BucketPage page;
  // One state more than asked for tells whether this is the last page.
  if (filter.ids.empty()) {
    add_configured(filter, after, limit + 1, page.states);
  } else {
    add_named(filter, after, page.states);
  }
  for (BucketState& flow : flow_states) {
    const bool listed = asked_for.empty() || asked_for.contains(flow.id);
    if (listed && matches(filter, after, flow)) page.states.push_back(std::move(flow));
  }
  std::ranges::sort(page.states, {}, &BucketState::id);
  // filter.ids may name an id twice.
  const auto same_id = [](const BucketState& a, const BucketState& b) { return a.id == b.id; };
  page.states.erase(std::unique(page.states.begin(), page.states.end(), same_id),
                    page.states.end());
  page.last = page.states.size() <= limit;
  if (!page.last) {
    page.states.erase(page.states.begin() + static_cast<std::ptrdiff_t>(limit), page.states.end());
  }
  return page;
}

}  // namespace drip::control
