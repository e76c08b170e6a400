// SPDX-License-Identifier: BSD-3-Clause
// The model of what Redis does with leases.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "cluster/shares/lease/share_allocator.h"
#include "cluster/shares/lease/share_holder.h"
#include "cluster/shares/lease/share_learning.h"

namespace drip::cluster {

/// What src/cluster/shares/store/shares.lua does, in memory; share_scripts_test.cc compares the
/// two.
struct LeaseStore {
  struct Group {
    std::uint64_t version = 0;
    std::uint64_t changes = 0;
    std::map<std::string, ShareSession> sessions;
  };
  struct Data {
    std::uint64_t of = 0;  // Of which process; 0: there are no data.
    ShareData state;
    bool reported = false;
    std::map<std::uint32_t, Group> groups;
  };
  std::uint64_t server = 1;  // Which process answers.
  std::uint64_t epoch = 0;
  Data data;

  bool known() const { return data.of == server; }
  ShareData poll() const { return known() ? data.state : ShareData{}; }

  ExchangeAnswer exchange(std::uint32_t in, const std::string& id, const std::string& node,
                          const ShareHolder::Exchange& exchange, const Demands& demands,
                          std::uint64_t& generation, std::optional<Shares>& granted) {
    generation = poll().generation;
    if (generation == 0 || exchange.generation != generation) return ExchangeAnswer::kUnknown;
    Group& group = data.groups[in];
    const bool holds_leased = std::ranges::any_of(
        exchange.held, [](const auto& entry) { return entry.second.leased > 0; });
    const auto known = group.sessions.find(id);
    const bool fresh = known == group.sessions.end();
    if (!fresh && exchange.sequence <= known->second.sequence) return ExchangeAnswer::kStale;
    if (exchange.renewal) {
      if (fresh || known->second.lost) return ExchangeAnswer::kChanged;
      known->second.sequence = exchange.sequence;
      return ExchangeAnswer::kRenewed;
    }
    if (fresh && !data.state.learning && !exchange.held.empty()) return ExchangeAnswer::kForgotten;
    if (!fresh && known->second.lost && holds_leased) return ExchangeAnswer::kLost;
    ShareSession& session = group.sessions[id];
    if (fresh || session.lost || session.held != exchange.held ||
        session.taken != session.granted || session.demands != demands) {
      ++group.changes;
    }
    session.node_id = node;
    session.sequence = exchange.sequence;
    session.held = exchange.held;
    session.taken = session.granted;
    session.lost = false;
    session.demands = demands;
    granted = session.granted;
    data.reported = data.reported || (data.state.learning && !exchange.held.empty());
    return ExchangeAnswer::kRenewed;
  }

  ShareSnapshot snapshot(std::uint32_t of) const {
    ShareSnapshot snapshot;
    const auto group = data.groups.find(of);
    if (group != data.groups.end()) {
      snapshot.version = group->second.version;
      snapshot.changes = group->second.changes;
      snapshot.sessions = group->second.sessions;
    }
    snapshot.generation = data.state.generation;
    snapshot.learning = data.state.learning;
    snapshot.safe_frozen = data.state.safe_frozen;
    return snapshot;
  }

  void leave(std::uint32_t in, const std::string& id) {
    if (data.groups[in].sessions.erase(id) > 0) ++data.groups[in].changes;
  }
  // None if the node lives.
  std::optional<std::uint64_t> forget(const std::string& node) {
    if (!known()) return 0;
    for (const auto& [number, group] : data.groups) {
      for (const auto& [id, session] : group.sessions) {
        if (session.node_id == node && !session.lost) return std::nullopt;
      }
    }
    std::uint64_t gone = 0;
    for (auto& [number, group] : data.groups) {
      const std::size_t here = std::erase_if(
          group.sessions, [&](const auto& entry) { return entry.second.node_id == node; });
      gone += here;
      group.changes += here;
    }
    return gone;
  }

  // ---- The leader's calls: false if it is not the leader.

  bool begin(std::uint64_t by_epoch, std::uint64_t generation) {
    if (by_epoch != epoch) return false;
    if (known()) return true;
    data = {};
    data.of = server;
    data.state = {generation, true, false};
    return true;
  }

  bool step(std::uint64_t by_epoch, std::uint64_t generation, ShareLearning::Step step) {
    if (by_epoch != epoch || !known() || data.state.generation != generation) return false;
    if (step == ShareLearning::Step::kThawed) data.state.safe_frozen = false;
    if (step == ShareLearning::Step::kLearned && data.state.learning) {
      data.state.learning = false;
      data.state.safe_frozen = data.reported;
    }
    return true;
  }

  bool apply_plan(std::uint64_t by_epoch, std::uint64_t of_generation, std::uint32_t in,
                  const SharePlan& plan) {
    if (by_epoch != epoch || !known() || data.state.generation != of_generation) return false;
    Group& group = data.groups[in];
    if (group.version != plan.version) return false;
    const auto unheard_of = [&](const auto& entry) {
      const auto session = group.sessions.find(entry.first);
      return session != group.sessions.end() && session->second.sequence == entry.second;
    };
    if (!std::ranges::all_of(plan.lost, unheard_of) ||
        !std::ranges::all_of(plan.departed, unheard_of)) {
      return false;
    }
    for (const auto& [id, sequence] : plan.lost) {
      ShareSession& session = group.sessions[id];
      session.lost = true;
      session.held = plan.left.at(id);
      session.taken = session.held;
      session.granted = session.held;
      ++group.changes;
    }
    for (const auto& [id, sequence] : plan.departed) {
      group.sessions.erase(id);
      ++group.changes;
    }
    for (const auto& [id, shares] : plan.grants) {
      if (const auto session = group.sessions.find(id); session != group.sessions.end()) {
        session->second.granted = shares;
      }
    }
    ++group.version;
    return true;
  }
};

}  // namespace drip::cluster
