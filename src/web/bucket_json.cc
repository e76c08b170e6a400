// SPDX-License-Identifier: BSD-3-Clause
#include "web/bucket_json.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>

#include "web/traffic_json.h"

namespace drip::web {
namespace {

using control::BucketRow;
using control::BucketState;
using control::BucketTable;
using control::History;
using control::kLosses;
using control::kLossNames;
using control::Limit;
using control::Loss;
using control::Sample;
using nlohmann::ordered_json;

// Three decimals of a rate, so that the text stays short.
double rounded(double value) { return std::round(value * 1000) / 1000; }

ordered_json limit_json(const BucketTable& buckets, std::uint32_t row) {
  const Limit limit = buckets.limit_of(row);
  switch (limit.by) {
    case Limit::By::kNothing:
      break;
    case Limit::By::kItself:
      return {{"state", "itself"}};
    case Limit::By::kAncestor:
      return {{"state", "ancestor"}, {"blocker", std::string(buckets.rows()[limit.ancestor].id())}};
    case Limit::By::kSiblings:
      return {{"state", "siblings"}};
    case Limit::By::kEgress:
      return {{"state", "egress"}};
    case Limit::By::kLease:
      return {{"state", "lease"}};
  }
  const BucketRow& bucket = buckets.rows()[row];
  const bool passing = bucket.units_per_second > 0 || bucket.bits_per_second > 0;
  return {{"state", passing ? "passing" : "idle"}};
}

// Absent rates are null, so that nobody takes them for 0.
ordered_json rate_json(double per_second) {
  return per_second > 0 ? ordered_json(per_second) : ordered_json();
}

void add_sharing(const control::BucketPlace& place, ordered_json& json) {
  json["guarantee_bps"] = rate_json(place.share.guaranteed_bits_per_second);
  json["guarantee_pps"] = rate_json(place.share.guaranteed_units_per_second);
  json["weight"] = place.share.weight;
  json["priority"] = place.share.priority;
}

ordered_json latency_json(const HistogramCounts& counts) {
  return {{"p50_ns", counts.quantile_ns(0.5)},
          {"p99_ns", counts.quantile_ns(0.99)},
          {"max_ns", counts.max_ns}};
}

const char* sharing_of(const control::BucketSharing& sharing) {
  if (sharing.exact()) return "exact";
  return sharing.split() ? "split" : "node";
}

ordered_json queue_json(const QueueSettings& queue) {
  constexpr std::array kAqm = {"none", "codel", "dualpi2"};
  ordered_json json = {{"kind", queue.kind == QueueKind::kFair ? "fair" : "fifo"},
                       {"aqm", kAqm[static_cast<std::size_t>(queue.aqm)]}};
  if (queue.aqm != Aqm::kNone) json["target_ns"] = queue.effective_target().ns;
  if (queue.max_wait.ns > 0) json["max_wait_ns"] = queue.max_wait.ns;
  return json;
}

ordered_json settings_json(const BucketState& state) {
  const BucketSettings& settings = state.settings;
  ordered_json json = {{"sharing", sharing_of(state.sharing)},
                       {"transmitter", state.transmitter},
                       {"revision", state.revision}};
  if (state.place.inner) return json;
  json["capacity"] = settings.capacity;
  if (settings.capacity_bytes > 0) json["capacity_bytes"] = settings.capacity_bytes;
  json["departure"] = settings.departure == Departure::kAtStart ? "start" : "end";
  json["overhead_bytes"] = settings.overhead_bytes;
  json["max_catchup_ns"] = settings.max_catchup.ns;
  json["queue"] = queue_json(settings.queue);
  return json;
}

ordered_json share_json(const control::ShareState& share) {
  constexpr std::array kPolicies = {"shared", "safe_share", "last_share", "closed", "open"};
  return {{"policy_state", kPolicies[static_cast<std::size_t>(share.policy_state)]},
          {"policy_changes", share.policy_changes},
          {"share_bps", rate_json(share.share.bits_per_second)},
          {"share_pps", rate_json(share.share.units_per_second)},
          {"demand_bps", rate_json(share.demand.bits_per_second)},
          {"demand_pps", rate_json(share.demand.units_per_second)}};
}

// What each polling thread holds of a spread root's rate.
ordered_json core_shares_json(std::span<const CoreShare> shares) {
  ordered_json list = ordered_json::array();
  for (const CoreShare& share : shares) {
    list.push_back({{"transmitter", share.transmitter},
                    {"share_bps", rate_json(share.rates.bits_per_second)},
                    {"share_pps", rate_json(share.rates.units_per_second)},
                    {"sent", share.departed},
                    {"sent_bytes", share.departed_bytes}});
  }
  return list;
}

ordered_json counts_json(const BucketState& state, const BucketRow& row) {
  const BucketStats& stats = state.stats;
  ordered_json lost = ordered_json::object();
  for (std::size_t i = 0; i < kLosses; ++i) {
    if (row.seen.lost[i] > 0) lost[kLossNames[i]] = row.seen.lost[i];
  }
  ordered_json json = {{"admitted", stats.admitted},
                       {"admitted_bytes", stats.admitted_bytes},
                       {"sent", stats.departed},
                       {"sent_bytes", stats.departed_bytes},
                       {"green_bytes", stats.green_bytes},
                       {"rejected", state.rejected()},
                       {"rejected_bytes", stats.rejected_bytes},
                       {"dropped", stats.dropped},
                       {"dropped_bytes", stats.dropped_bytes},
                       {"backlog_bytes", stats.backlog_bytes},
                       {"lost_schedule_ns", stats.lost_schedule_ns},
                       {"lost", std::move(lost)}};
  if (stats.queue) {
    json["marked"] = stats.queue->marks;
    json["flows"] = stats.queue->flows;
  }
  return json;
}

// None if it was deleted meanwhile.
std::optional<BucketState> state_of(const control::ServicesContext& context, const BucketRow& row) {
  if (!row.flow) return row.bucket->state();
  control::BucketFilter filter;
  filter.include_flows = true;
  filter.id_prefix = row.flow->id;
  filter.ids = {row.flow->id};
  absl::StatusOr<control::BucketPage> page = context.listing.page(filter, "", 1);
  if (!page.ok() || page->states.empty()) return std::nullopt;
  return std::move(page->states.front());
}

}  // namespace

ordered_json row_json(const control::ServicesContext& context, const Record& record,
                      std::uint32_t row) {
  const BucketRow& bucket = record.buckets.table.rows()[row];
  const BucketSettings settings = bucket.settings();
  const control::BucketPlace place = bucket.place();
  ordered_json json = {{"id", std::string(bucket.id())},
                       {"kind", place.inner ? "inner" : "leaf"},
                       {"parent", place.parent_id},
                       {"children", record.buckets.table.children(row).size()},
                       {"bps", rounded(bucket.bits_per_second)},
                       {"pps", rounded(bucket.units_per_second)},
                       {"ceiling_bps", rate_json(settings.bits_per_second)},
                       {"ceiling_pps", rate_json(settings.units_per_second)}};
  if (bucket.in_tree) add_sharing(place, json);
  if (settings.rate_is_leased) {
    control::SharedBuckets* const shared = context.cluster.shared_buckets();
    const auto share = shared != nullptr ? shared->share_of(bucket.id()) : std::nullopt;
    if (share) {
      json["share_bps"] = rate_json(share->share.bits_per_second);
      json["share_pps"] = rate_json(share->share.units_per_second);
    }
  }
  json["backlog"] = bucket.backlog_below;
  json["lost_per_second"] = rounded(bucket.lost_per_second);
  json.update(limit_json(record.buckets.table, row));
  return json;
}

ordered_json flow_rules_json(const Record& record, const std::string& parent_id) {
  ordered_json list = ordered_json::array();
  for (const FlowRuleReading& rule : record.now.flow_rules) {
    if (rule.flow.place.parent_id != parent_id) continue;
    ordered_json json = {{"rule", rule.rule_id},
                         {"flows", rule.stats.flows},
                         {"max_flows", rule.flow.max_flows},
                         {"created", rule.stats.created},
                         {"refused", rule.stats.refused},
                         {"ceiling_bps", rate_json(rule.flow.bucket.bits_per_second)},
                         {"ceiling_pps", rate_json(rule.flow.bucket.units_per_second)}};
    if (!parent_id.empty()) add_sharing(rule.flow.place, json);
    list.push_back(std::move(json));
  }
  return list;
}

ordered_json details_json(const control::ServicesContext& context, const Record& record,
                          std::uint32_t row) {
  const BucketRow& bucket = record.buckets.table.rows()[row];
  std::optional<BucketState> state = state_of(context, bucket);
  if (!state) return nullptr;
  control::add_share(context.cluster, *state);
  ordered_json path = ordered_json::array();
  for (std::uint32_t node = bucket.parent; node != BucketRow::kNoRow;
       node = record.buckets.table.rows()[node].parent) {
    path.push_back(std::string(record.buckets.table.rows()[node].id()));
  }
  std::reverse(path.begin(), path.end());
  ordered_json json = {{"row", row_json(context, record, row)},
                       {"path", std::move(path)},
                       {"settings", settings_json(*state)},
                       {"counts", counts_json(*state, bucket)},
                       {"flow_rules", flow_rules_json(record, state->id)}};
  if (!state->place.inner) {
    json["sojourn"] = latency_json(state->stats.sojourn);
    json["lateness"] = latency_json(state->stats.lateness);
  }
  if (context.traffic != nullptr) {
    if (const auto traffic = context.traffic->read(state->id)) {
      json["traffic"] = traffic_json(*traffic);
    }
  }
  if (!state->stats.core_shares.empty()) {
    json["core_shares"] = core_shares_json(state->stats.core_shares);
  }
  if (state->share) json["share"] = share_json(*state->share);
  return json;
}

namespace {

// Of the sides to which round trips were measured in the last ten minutes.
ordered_json round_trips_json(const History& history, std::uint64_t from) {
  constexpr std::array<std::pair<traffic::Side, const char*>, traffic::kSides> kNames = {
      {{traffic::Side::kDestination, "to_destination"}, {traffic::Side::kSource, "to_source"}}};
  ordered_json sides = ordered_json::object();
  for (const auto& [side, name] : kNames) {
    if (!history.has(side)) continue;
    ordered_json p50 = ordered_json::array();
    ordered_json p90 = ordered_json::array();
    for (std::uint64_t step = from; step < history.next(); ++step) {
      const Sample sample = history.at(step);
      const control::StepRoundTrips& trips = sample.round_trips[static_cast<std::size_t>(side)];
      p50.push_back(trips.p50_ns);
      p90.push_back(trips.p90_ns);
    }
    sides[name] = {{"p50_ns", std::move(p50)}, {"p90_ns", std::move(p90)}};
  }
  return sides;
}

}  // namespace

ordered_json history_json(const Record& record, const std::string& id, const History& history,
                          std::uint64_t from) {
  from = std::max(from, history.first());
  const std::uint64_t next = history.next();
  // The next() of a reader that asks again; a dripd that has started anew has fewer steps.
  if (from > next) from = history.first();
  ordered_json times = ordered_json::array(), bps = times, pps = times, backlog = times,
               p50 = times, p99 = times, lost = ordered_json::object();
  std::array<ordered_json, kLosses> losses;
  losses.fill(ordered_json::array());
  for (std::uint64_t step = from; step < next; ++step) {
    const Sample sample = history.at(step);
    times.push_back(record.buckets.epoch_ms(step));
    bps.push_back(std::round(sample.bits_per_second));
    pps.push_back(rounded(sample.units_per_second));
    backlog.push_back(sample.backlog);
    p50.push_back(sample.sojourn_p50_ns);
    p99.push_back(sample.sojourn_p99_ns);
    for (std::size_t i = 0; i < kLosses; ++i) {
      if (history.has(static_cast<Loss>(i))) {
        losses[i].push_back(rounded(sample.lost_per_second[i]));
      }
    }
  }
  for (std::size_t i = 0; i < kLosses; ++i) {
    if (history.has(static_cast<Loss>(i))) lost[kLossNames[i]] = std::move(losses[i]);
  }
  return {{"id", id},
          {"first", from},
          {"next", next},
          {"times_ms", times},
          {"bps", bps},
          {"pps", pps},
          {"backlog", backlog},
          {"sojourn_p50_ns", p50},
          {"sojourn_p99_ns", p99},
          {"lost_per_second", lost},
          {"round_trips", round_trips_json(history, from)}};
}

}  // namespace drip::web
