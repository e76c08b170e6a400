// SPDX-License-Identifier: BSD-3-Clause
// The model of what Redis does with leases.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "cluster/shares/share_allocator.h"
#include "cluster/shares/share_holder.h"

namespace drip::cluster {

/// What src/cluster/shares/shares.lua does, in memory; share_scripts_test.cc compares the two.
struct LeaseStore {
  std::uint64_t server = 1;  // Which process answers.
  std::uint64_t epoch = 0;
  // 0: there are no data.
  std::uint64_t data_of = 0;
  ShareSnapshot data;

  ExchangeAnswer exchange(const std::string& id, const std::string& node,
                          const ShareHolder::Exchange& exchange, const Demands& demands,
                          std::uint64_t& generation, std::optional<Shares>& granted) {
    const auto& [sequence, meant_for, held] = exchange;
    generation = data_of == server ? data.generation : 0;
    if (generation == 0 || meant_for != generation) return ExchangeAnswer::kUnknown;
    const bool holds_leased =
        std::ranges::any_of(held, [](const auto& entry) { return entry.second.leased > 0; });
    const auto known = data.sessions.find(id);
    if (known == data.sessions.end()) {
      if (!data.learning && !held.empty()) return ExchangeAnswer::kForgotten;
    } else {
      if (sequence <= known->second.sequence) return ExchangeAnswer::kStale;
      if (known->second.lost && holds_leased) return ExchangeAnswer::kLost;
    }
    ShareSession& session = data.sessions[id];
    session.node_id = node;
    session.sequence = sequence;
    session.held = held;
    session.taken = session.granted;
    session.lost = false;
    session.demands = demands;
    granted = session.granted;
    return ExchangeAnswer::kRenewed;
  }

  // None: the leader is not the leader.
  std::optional<ShareSnapshot> snapshot(std::uint64_t by_epoch, std::uint64_t new_generation) {
    if (by_epoch != epoch) return std::nullopt;
    if (data_of != server) {
      data = {};
      data.generation = new_generation;
      data.version = 1;
      data.learning = true;
      data_of = server;
    }
    return data;
  }

  bool apply_plan(std::uint64_t by_epoch, std::uint64_t of_generation, const SharePlan& plan) {
    if (by_epoch != epoch || data_of != server || data.generation != of_generation ||
        data.version != plan.version) {
      return false;
    }
    const auto unheard_of = [&](const auto& entry) {
      const auto session = data.sessions.find(entry.first);
      return session != data.sessions.end() && session->second.sequence == entry.second;
    };
    if (!std::ranges::all_of(plan.lost, unheard_of) ||
        !std::ranges::all_of(plan.departed, unheard_of)) {
      return false;
    }
    for (const auto& [id, sequence] : plan.lost) {
      ShareSession& session = data.sessions[id];
      session.lost = true;
      session.held = plan.left.at(id);
      session.taken = session.held;
      session.granted = session.held;
    }
    for (const auto& [id, sequence] : plan.departed) data.sessions.erase(id);
    for (const auto& [id, shares] : plan.grants) {
      if (const auto session = data.sessions.find(id); session != data.sessions.end()) {
        session->second.granted = shares;
      }
    }
    if (plan.learned) data.learning = false;
    data.safe_frozen = plan.safe_frozen;
    ++data.version;
    return true;
  }
};

}  // namespace drip::cluster
