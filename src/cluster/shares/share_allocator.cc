// SPDX-License-Identifier: BSD-3-Clause
// Claims, targets, and the step from the one towards the other.
#include "cluster/shares/share_allocator.h"

#include <algorithm>
#include <set>

#include "cluster/shares/share_allocation.h"

namespace drip::cluster {
namespace {

const Share* find(const Shares& shares, std::string_view bucket) {
  const auto found = shares.find(bucket);
  return found == shares.end() ? nullptr : &found->second;
}

// One bucket's share of one session while it is planned, in parts of the present rates.
struct Row {
  std::string session;
  ShareClaim active;            // At most: the largest of held, taken and granted.
  ShareClaim at_present_rates;  // The same, of what was granted at the present rates only.
  // The part of the reserve that certainly nobody else holds, whatever rates other shares refer to:
  // the lesser of its parts of its own rates and of the present ones.
  std::uint64_t known_safe = 0;
  ShareClaim target;
  ShareClaim next;  // To be granted.
  bool lost = false;
};

std::uint64_t minus(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

// Lowers claims at once, and raises them within what the possibly active claims of all others
// leave. `part` is one of ShareClaim's members.
//
// Two sums are bounded. The sum of all that may be active: raising a claim never takes it above the
// rate; after the rate was lowered it is above the rate, and sinks. And the sum of what was granted
// at the present rates: otherwise the grants of two plans to nodes that still hold shares of the
// old rate could exceed the rate once the old shares have ended.
void step(std::vector<Row>& rows, std::uint64_t ShareClaim::*part, std::uint64_t room) {
  std::uint64_t all = 0;
  std::uint64_t at_present = 0;
  std::vector<ShareDemand> wants;
  std::uint64_t wanted = 0;
  for (Row& row : rows) {
    const std::uint64_t target = row.lost ? 0 : row.target.*part;
    row.next.*part = std::min(target, row.at_present_rates.*part);
    all += row.active.*part;
    at_present += row.at_present_rates.*part;
    wants.push_back({minus(target, row.next.*part), 1});
    wanted += wants.back().demand;
  }
  std::vector<std::uint64_t> raises = divide_rate(std::min(minus(room, at_present), wanted), wants);
  // What is active anyway, at other rates, takes no room.
  std::vector<ShareDemand> costs;
  std::uint64_t cost = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    raises[i] = std::min(raises[i], wants[i].demand);
    costs.push_back({minus(rows[i].next.*part + raises[i], rows[i].active.*part), 1});
    cost += costs.back().demand;
  }
  const std::vector<std::uint64_t> paid = divide_rate(std::min(minus(room, all), cost), costs);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].next.*part += raises[i] - minus(costs[i].demand, paid[i]);
  }
}

std::uint64_t sum(const std::vector<Row>& rows, std::uint64_t ShareClaim::*part) {
  std::uint64_t total = 0;
  for (const Row& row : rows) total += std::max(row.active.*part, row.next.*part);
  return total;
}

void raise_to(ShareClaim& claim, const Share& share, const LeasedRates& rates) {
  claim.leased = std::max(claim.leased, parts_of(share.leased, share.rates, rates));
  claim.safe = std::max(claim.safe, parts_of(share.safe, share.rates, rates));
}

Row row_of(const std::string& id, const ShareSession& session, std::string_view bucket,
           const LeasedRates& rates) {
  Row row;
  row.session = id;
  row.lost = session.lost;
  const auto add = [&](const Shares& shares) {
    const Share* const share = find(shares, bucket);
    if (share == nullptr) return;
    raise_to(row.active, *share, rates);
    row.known_safe =
        std::max(row.known_safe, std::min(share->safe, parts_of(share->safe, share->rates, rates)));
    // A share of higher rates than the present ones is only being lowered.
    if (parts_of(kWholeRate, share->rates, rates) <= kWholeRate) {
      raise_to(row.at_present_rates, *share, rates);
    }
  };
  add(session.held);
  if (session.taken) add(*session.taken);
  if (session.granted) add(*session.granted);
  if (row.lost) row.active.leased = row.at_present_rates.leased = 0;
  return row;
}

}  // namespace

void ShareAllocator::observe(const ShareSnapshot& snapshot, TimePoint now) {
  if (snapshot.generation != generation_) {
    generation_ = snapshot.generation;
    last_exchanges_.clear();
    learning_since_.reset();
    frozen_since_.reset();
  }
  std::erase_if(last_exchanges_,
                [&](const auto& entry) { return !snapshot.sessions.contains(entry.first); });
  for (const auto& [id, session] : snapshot.sessions) {
    const auto [seen, fresh] = last_exchanges_.try_emplace(id, LastExchange{session.sequence, now});
    if (!fresh && seen->second.sequence != session.sequence) {
      seen->second = {session.sequence, now};
    }
  }
  if (!snapshot.learning) {
    learning_since_.reset();
  } else if (!learning_since_) {
    learning_since_ = now;
  }
  if (!snapshot.safe_frozen) {
    frozen_since_.reset();
  } else if (!frozen_since_) {
    frozen_since_ = now;
  }
}

bool ShareAllocator::silent_for(const std::string& session, Duration span, TimePoint now) const {
  const auto seen = last_exchanges_.find(session);
  return seen != last_exchanges_.end() && now - seen->second.since > timing_.at_leader(span);
}

SharePlan ShareAllocator::plan(const ShareSnapshot& snapshot, const Buckets& buckets,
                               TimePoint now) {
  observe(snapshot, now);
  SharePlan plan;
  plan.version = snapshot.version;
  plan.safe_frozen = snapshot.safe_frozen;
  if (snapshot.learning) {
    // Every node with an earlier lease has made an exchange by then, or its lease has ended.
    if (now - *learning_since_ > timing_.at_leader(timing_.lease)) {
      plan.learned = true;
      plan.safe_frozen = std::ranges::any_of(
          snapshot.sessions, [](const auto& entry) { return !entry.second.held.empty(); });
    }
    return plan;
  }
  if (snapshot.safe_frozen &&
      now - *frozen_since_ > timing_.at_leader(timing_.lease + timing_.safe_hold)) {
    plan.safe_frozen = false;
  }

  // Lost and departed sessions. A node's earlier session has departed once the node runs again.
  std::set<std::string> alive_nodes;
  for (const auto& [id, session] : snapshot.sessions) {
    if (!session.lost && !silent_for(id, timing_.lease, now)) alive_nodes.insert(session.node_id);
  }
  std::map<std::string, ShareSession> sessions = snapshot.sessions;
  for (const auto& [id, session] : snapshot.sessions) {
    const bool silent = silent_for(id, timing_.lease, now);
    if ((silent || session.lost) && (silent_for(id, timing_.lease + timing_.safe_hold, now) ||
                                     (silent && alive_nodes.contains(session.node_id)))) {
      plan.departed.emplace_back(id, session.sequence);
      sessions.erase(id);
    } else if (silent && !session.lost) {
      plan.lost.emplace_back(id, session.sequence);
      ShareSession& left = sessions[id];
      left.lost = true;
      left.granted.reset();  // A grant after its last exchange never reached it.
    }
  }
  for (const auto& [id, sequence] : plan.lost) {
    Shares& shares = plan.left[id];
    const ShareSession& session = sessions[id];
    const auto add = [&](const Shares& from) {
      for (const auto& [bucket, share] : from) {
        Share& merged = shares[bucket];
        // Of two with different rates, the larger one.
        if (share.safe > 0 &&
            (merged.safe == 0 || parts_of(share.safe, share.rates, merged.rates) > merged.safe)) {
          merged = {0, share.safe, share.rates};
        }
      }
    };
    add(session.held);
    if (session.taken) add(*session.taken);
    std::erase_if(shares, [](const auto& entry) { return entry.second.nothing(); });
  }

  std::map<std::string, Shares> next;
  for (const auto& [id, session] : sessions) {
    if (!session.lost) next[id];
  }
  for (const auto& [bucket_id, bucket] : buckets) {
    std::vector<Row> rows;
    for (const auto& [id, session] : sessions) {
      rows.push_back(row_of(id, session, bucket_id, bucket.rates));
    }
    // Targets.
    const std::uint64_t reserve = std::min(bucket.reserve, kWholeRate);
    std::vector<ShareDemand> demands;
    for (Row& row : rows) {
      const ShareSession& session = sessions[row.session];
      row.target.safe = reserve / rows.size();
      // No safe share grows, so that unknown ones fit into the reserve.
      if (snapshot.safe_frozen) row.target.safe = std::min(row.target.safe, row.known_safe);
      if (row.lost) continue;
      ShareDemand& demand = demands.emplace_back();
      if (const auto found = session.demands.find(bucket_id); found != session.demands.end()) {
        demand.demand = minus(found->second, row.target.safe);
      }
      if (const auto found = bucket.weights.find(session.node_id); found != bucket.weights.end()) {
        demand.weight = std::max(found->second, 1U);
      }
    }
    const std::vector<std::uint64_t> shares = divide_rate(kWholeRate - reserve, demands);
    std::size_t member = 0;
    for (Row& row : rows) {
      if (!row.lost) row.target.leased = shares[member++];
    }
    // Safe shares first, then leased ones, each within what the other leaves.
    std::uint64_t known_safe = 0;
    for (const Row& row : rows) known_safe += row.known_safe;
    const std::uint64_t safe_room =
        plan.safe_frozen || snapshot.safe_frozen
            ? std::min(reserve, known_safe)
            : std::min(reserve, minus(kWholeRate, sum(rows, &ShareClaim::leased)));
    step(rows, &ShareClaim::safe, safe_room);
    // The reserve is never leased: with unknown safe shares all of it may be active.
    step(rows, &ShareClaim::leased,
         std::min(kWholeRate - reserve, minus(kWholeRate, sum(rows, &ShareClaim::safe))));
    for (const Row& row : rows) {
      if (row.lost) continue;
      const Share share{row.next.leased, row.next.safe, bucket.rates};
      if (!share.nothing()) next[row.session][bucket_id] = share;
    }
  }
  for (auto& [id, shares] : next) {
    const ShareSession& session = sessions[id];
    if (session.granted && *session.granted == shares) continue;
    plan.grants[id] = std::move(shares);
  }
  return plan;
}

}  // namespace drip::cluster
