// SPDX-License-Identifier: BSD-3-Clause
// Claims, targets, and the step from the one towards the other.
#include "cluster/shares/lease/share_allocator.h"

#include <algorithm>
#include <set>

#include "cluster/shares/lease/rate_division.h"

namespace drip::cluster {
namespace {

// A session while the shares of its buckets are planned, bucket by bucket.
struct Member {
  Member(const std::string& id_of_it, const ShareSession& of, bool is_lost, bool grant_arrived)
      : id(id_of_it), session(of), lost(is_lost), held(of.held), demands(of.demands) {
    if (of.taken) taken.emplace(*of.taken);
    if (of.granted && grant_arrived) granted.emplace(*of.granted);
  }

  const std::string& id;
  const ShareSession& session;
  const bool lost;
  InOrder<Share> held;
  std::optional<InOrder<Share>> taken;
  std::optional<InOrder<Share>> granted;
  InOrder<std::uint64_t> demands;
  Shares next;  // To be granted.
};

// One bucket's share of one session while it is planned, in parts of the present rates.
struct Row {
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

Row row_of(Member& member, std::string_view bucket, const LeasedRates& rates) {
  Row row;
  row.lost = member.lost;
  const auto add = [&](const Share* share) {
    if (share == nullptr) return;
    raise_to(row.active, *share, rates);
    row.known_safe =
        std::max(row.known_safe, std::min(share->safe, parts_of(share->safe, share->rates, rates)));
    // A share of higher rates than the present ones is only being lowered.
    if (parts_of(kWholeRate, share->rates, rates) <= kWholeRate) {
      raise_to(row.at_present_rates, *share, rates);
    }
  };
  add(member.held.find(bucket));
  if (member.taken) add(member.taken->find(bucket));
  if (member.granted) add(member.granted->find(bucket));
  if (row.lost) row.active.leased = row.at_present_rates.leased = 0;
  return row;
}

// What one of those that live is to have of the reserve: an equal part of it among all sessions, or
// of what the lost ones leave, whichever is more.
std::uint64_t safe_target(const std::vector<Row>& rows, std::uint64_t reserve) {
  std::uint64_t living = 0;
  std::uint64_t left = reserve;
  for (const Row& row : rows) {
    if (row.lost) {
      left = minus(left, row.active.safe);
    } else {
      ++living;
    }
  }
  return std::max(reserve / rows.size(), living == 0 ? 0 : left / living);
}

// The safe shares of a lost session.
Shares left_of(const ShareSession& session) {
  Shares left;
  const auto add = [&](const Shares& from) {
    for (const auto& [bucket, share] : from) {
      if (share.safe == 0) continue;
      const auto [merged, fresh] = left.emplace(bucket, {0, share.safe, share.rates});
      // Of two with different rates, the larger one.
      if (!fresh && parts_of(share.safe, share.rates, merged->second.rates) > merged->second.safe) {
        merged->second = {0, share.safe, share.rates};
      }
    }
  };
  add(session.held);
  if (session.taken) add(*session.taken);
  return left;
}

}  // namespace

template <class Sessions>
void ShareAllocator::note(std::uint64_t generation, const Sessions& sessions, TimePoint now) {
  if (generation != generation_) {
    generation_ = generation;
    last_exchanges_.clear();
  }
  std::erase_if(last_exchanges_,
                [&](const auto& entry) { return !sessions.contains(entry.first); });
  for (const auto& [id, session] : sessions) {
    const auto [seen, fresh] = last_exchanges_.try_emplace(id, LastExchange{session.sequence, now});
    if (!fresh && seen->second.sequence != session.sequence) {
      seen->second = {session.sequence, now};
    }
  }
}

bool ShareAllocator::silent_for(const std::string& session, Duration span, TimePoint now) const {
  const auto seen = last_exchanges_.find(session);
  return seen != last_exchanges_.end() && now - seen->second.since > timing_.at_leader(span);
}

// A node's earlier session has departed once the node runs again.
template <class Sessions>
std::vector<ShareAllocator::Fate> ShareAllocator::fates(const Sessions& sessions,
                                                        TimePoint now) const {
  std::set<std::string_view> alive_nodes;
  for (const auto& [id, session] : sessions) {
    if (!session.lost && !silent_for(id, timing_.lease, now)) alive_nodes.insert(session.node_id);
  }
  std::vector<Fate> fates;
  for (const auto& [id, session] : sessions) {
    const bool silent = silent_for(id, timing_.lease, now);
    Fate fate = Fate::kStays;
    if ((silent || session.lost) && (silent_for(id, timing_.lease + timing_.safe_hold, now) ||
                                     (silent && alive_nodes.contains(session.node_id)))) {
      fate = Fate::kDeparted;
    } else if (silent && !session.lost) {
      fate = Fate::kLost;
    }
    fates.push_back(fate);
  }
  return fates;
}

bool ShareAllocator::observe(std::uint64_t generation, const ShareHeads& heads, TimePoint now) {
  note(generation, heads, now);
  return std::ranges::any_of(fates(heads, now), [](Fate fate) { return fate != Fate::kStays; });
}

SharePlan ShareAllocator::plan(const ShareSnapshot& snapshot, const Buckets& buckets,
                               TimePoint now) {
  note(snapshot.generation, snapshot.sessions, now);
  SharePlan plan;
  plan.version = snapshot.version;
  if (snapshot.learning) return plan;

  std::vector<Member> members;
  members.reserve(snapshot.sessions.size());
  std::size_t next_fate = 0;
  const std::vector<Fate> all_fates = fates(snapshot.sessions, now);
  for (const auto& [id, session] : snapshot.sessions) {
    const Fate fate = all_fates[next_fate++];
    if (fate == Fate::kDeparted) {
      plan.departed.emplace_back(id, session.sequence);
      continue;
    }
    if (fate == Fate::kLost) {
      plan.lost.emplace_back(id, session.sequence);
      plan.left.emplace(id, left_of(session));
    }
    // A grant after the last exchange of a session that is lost now never reached it.
    members.emplace_back(id, session, session.lost || fate == Fate::kLost, fate == Fate::kStays);
  }

  std::vector<Row> rows;
  std::vector<ShareDemand> demands;
  for (const auto& [bucket_id, bucket] : buckets) {
    if (members.empty()) break;
    rows.clear();
    for (Member& member : members) rows.push_back(row_of(member, bucket_id, bucket.rates));
    // Targets.
    const std::uint64_t reserve = std::min(bucket.reserve, kWholeRate);
    const std::uint64_t safe = safe_target(rows, reserve);
    demands.clear();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      Row& row = rows[i];
      Member& member = members[i];
      row.target.safe = safe;
      // No safe share grows, so that unknown ones fit into the reserve.
      if (snapshot.safe_frozen) row.target.safe = std::min(row.target.safe, row.known_safe);
      if (row.lost) continue;
      ShareDemand& demand = demands.emplace_back();
      if (const std::uint64_t* const wanted = member.demands.find(bucket_id); wanted != nullptr) {
        demand.demand = minus(*wanted, row.target.safe);
      }
      if (bucket.weights.empty()) continue;
      if (const auto found = bucket.weights.find(member.session.node_id);
          found != bucket.weights.end()) {
        demand.weight = std::max(found->second, 1U);
      }
    }
    const std::vector<std::uint64_t> shares = divide_rate(kWholeRate - reserve, demands);
    std::size_t living = 0;
    for (Row& row : rows) {
      if (!row.lost) row.target.leased = shares[living++];
    }
    // Safe shares first, then leased ones, each within what the other leaves.
    std::uint64_t known_safe = 0;
    for (const Row& row : rows) known_safe += row.known_safe;
    const std::uint64_t safe_room =
        snapshot.safe_frozen ? std::min(reserve, known_safe)
                             : std::min(reserve, minus(kWholeRate, sum(rows, &ShareClaim::leased)));
    step(rows, &ShareClaim::safe, safe_room);
    // The reserve is never leased: with unknown safe shares all of it may be active.
    step(rows, &ShareClaim::leased,
         std::min(kWholeRate - reserve, minus(kWholeRate, sum(rows, &ShareClaim::safe))));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows[i].lost) continue;
      const Share share{rows[i].next.leased, rows[i].next.safe, bucket.rates};
      if (!share.nothing()) members[i].next.emplace(bucket_id, share);
    }
  }
  for (Member& member : members) {
    if (member.lost) continue;
    if (member.session.granted && *member.session.granted == member.next) continue;
    plan.grants.emplace(member.id, std::move(member.next));
  }
  return plan;
}

}  // namespace drip::cluster
