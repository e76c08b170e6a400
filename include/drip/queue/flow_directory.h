// SPDX-License-Identifier: BSD-3-Clause
// Finds the flow queue of a packet, makes it, and gives it up; keeps the hosts of flows.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "drip/counter.h"
#include "drip/queue/decaying_flows.h"
#include "drip/queue/flow_table.h"
#include "drip/queue/host_table.h"
#include "drip/queue/queue_key.h"

namespace drip {

/// Belongs to one thread; others may only read flows.used() and forgotten().
class FlowDirectory {
 public:
  FlowDirectory(std::uint32_t flow_count, std::uint32_t host_count, std::uint64_t seed,
                AdviseMemory advise = nullptr)
      : flows(flow_count, advise), hosts_(host_count, advise), hash_(seed) {}

  struct Found {
    QueueIndex index = kNoIndex;  ///< kNoIndex: the records are used up.
    bool is_new = false;          ///< It was not in the directory.
  };
  /// The flow of a packet; a new one has state kFree and is in no list. `aqm` is that of its tin.
  [[nodiscard, gnu::always_inline]] Found find_or_insert(FlowOwner owner, const QueueKey& key,
                                                         Isolation isolation,
                                                         const CobaltParameters& aqm,
                                                         TimePoint now) {
    if (isolation == Isolation::kFlow) [[likely]]
      return find_or_insert(owner, hash_.flow(key), aqm, now);
    return find_or_insert_otherwise(owner, key, isolation, aqm, now);
  }
  [[nodiscard, gnu::noinline]] Found find_or_insert_otherwise(FlowOwner owner, const QueueKey& key,
                                                              Isolation isolation,
                                                              const CobaltParameters& aqm,
                                                              TimePoint now) {
    switch (isolation) {
      case Isolation::kFlow:
        return find_or_insert(owner, hash_.flow(key), aqm, now);
      case Isolation::kSource:
        return find_or_insert(owner, QueueHash::host(key.source, key.version), aqm, now);
      case Isolation::kDestination:
        return find_or_insert(owner, QueueHash::host(key.destination, key.version), aqm, now);
      case Isolation::kNone:
        return find_or_insert(owner, ShortKey{}, aqm, now);
      case Isolation::kHosts:
        break;
    }
    return find_or_insert_by_hosts(
        owner, QueueHash::host(key.source, key.version),
        QueueHash::host(key.destination, key.version),
        [&](QueueIndex from, QueueIndex to) { return QueueHash::with_hosts(key, from, to); }, aqm,
        now);
  }
  /// The record where find_or_insert() begins, with Isolation::kFlow.
  [[nodiscard]] QueueIndex home_of(FlowOwner owner, const QueueKey& key) const {
    return flows.home(hash_(hash_.flow(key), owner.bits()));
  }
  /// What a flow is known by in any directory with the same seed.
  struct Identity {
    ShortKey key;
    bool has_hosts = false;
    ShortKey source;
    ShortKey destination;
  };
  [[nodiscard]] Identity identity_of(QueueIndex index) {
    const FlowRecord& flow = flows[index];
    if (flow.has_hosts == 0) return {flow.key, false, {}, {}};
    return {flow.key, true, hosts_[flow.source_host()].key, hosts_[flow.destination_host()].key};
  }
  [[nodiscard]] Found find_or_insert(FlowOwner owner, const Identity& flow,
                                     const CobaltParameters& aqm, TimePoint now) {
    if (!flow.has_hosts) return find_or_insert(owner, flow.key, aqm, now);
    return find_or_insert_by_hosts(
        owner, flow.source, flow.destination,
        [&](QueueIndex from, QueueIndex to) { return QueueHash::with_hosts(flow.key, from, to); },
        aqm, now);
  }
  /// Gives a flow up that is in no list.
  void erase(QueueIndex index) {
    FlowRecord& flow = flows[index];
    if (flow.has_hosts != 0) {
      count_at_hosts(flow, false);
      release_host(flow.source_host());
      release_host(flow.destination_host());
    }
    flows.erase(index, hash_(flow.key, flow.owner.bits()));
  }

  /// A flow that is in no list, with AQM state, waits until that is at rest or its record needed.
  void set_aside(QueueIndex index) {
    count_at_hosts(flows[index], false);
    decaying_.append(flows, index);
  }
  /// The flow has a packet again.
  void take_back(QueueIndex index, const CobaltParameters& parameters, TimePoint now) {
    decaying_.remove(flows, index);
    FlowRecord& flow = flows[index];
    CobaltState aqm = flow.aqm();
    aqm.decay(parameters, now);
    flow.set_aqm(aqm);
  }

  /// Whether the flow is one that its hosts divide their quantum by.
  void count_at_hosts(FlowRecord& flow, bool counted) {
    if (flow.has_hosts == 0 || (flow.counted != 0) == counted) return;
    flow.counted = counted;
    const std::uint32_t change = counted ? 1 : ~0U;
    hosts_[flow.source_host()].old_flows += change;
    hosts_[flow.destination_host()].old_flows += change;
  }
  /// By how much the quantum of a flow is divided: the flows of the busier of its hosts.
  [[nodiscard]] std::uint32_t load_of(const FlowRecord& flow) {
    if (flow.has_hosts == 0) [[likely]]
      return 1;
    return std::max(
        {1U, hosts_[flow.source_host()].old_flows, hosts_[flow.destination_host()].old_flows});
  }
  /// Records with AQM state that were needed for other flows. Any thread.
  [[nodiscard]] std::uint64_t forgotten() const { return forgotten_.get(); }

  FlowTable flows;

 private:
  enum class Side : std::uint8_t { kSource, kDestination };

  [[gnu::always_inline]] Found find_or_insert(FlowOwner owner, const ShortKey& key,
                                              const CobaltParameters& aqm, TimePoint now) {
    const std::uint32_t hash = hash_(key, owner.bits());
    const QueueIndex index = flows.find(key, owner, hash);
    if (index != kNoIndex) [[likely]]
      return {index, false};
    return insert(owner, key, hash, aqm, now);
  }
  [[gnu::noinline]] Found insert(FlowOwner owner, const ShortKey& key, std::uint32_t hash,
                                 const CobaltParameters& aqm, TimePoint now) {
    if (decaying_.oldest() != kNoIndex) forget_oldest(aqm, now);
    if (flows.full()) [[unlikely]]
      return {};
    return {flows.insert(key, owner, hash), true};
  }
  // `key_with(from, to)`: the key of the flow by the records of its hosts.
  template <class KeyWith>
  Found find_or_insert_by_hosts(FlowOwner owner, const ShortKey& source,
                                const ShortKey& destination, KeyWith key_with,
                                const CobaltParameters& aqm, TimePoint now) {
    const std::uint32_t source_owner = host_owner(owner, Side::kSource);
    const std::uint32_t destination_owner = host_owner(owner, Side::kDestination);
    const std::uint32_t source_hash = hash_(source, source_owner);
    const std::uint32_t destination_hash = hash_(destination, destination_owner);
    QueueIndex from = hosts_.find(source, source_owner, source_hash);
    QueueIndex to = hosts_.find(destination, destination_owner, destination_hash);
    if (from != kNoIndex && to != kNoIndex) [[likely]] {
      const ShortKey flow = key_with(from, to);
      const QueueIndex index = flows.find(flow, owner, hash_(flow, owner.bits()));
      if (index != kNoIndex) [[likely]]
        return {index, false};
    }
    // First the hosts are held, so that they do not go with the oldest decaying flow.
    from = hosts_.acquire(source, source_owner, source_hash);
    to = hosts_.acquire(destination, destination_owner, destination_hash);
    Found found;
    if (from != kNoIndex && to != kNoIndex) {
      const ShortKey flow = key_with(from, to);
      found = insert(owner, flow, hash_(flow, owner.bits()), aqm, now);
    }
    if (found.index != kNoIndex) {
      flows[found.index].has_hosts = 1;
    } else {
      if (from != kNoIndex) hosts_.release(from, source_hash);
      if (to != kNoIndex) hosts_.release(to, destination_hash);
    }
    return found;
  }
  // Both sides and all tins of a leaf are apart, as CAKE has them.
  static std::uint32_t host_owner(FlowOwner owner, Side side) {
    return (owner.bits() & ~0xfcU) | static_cast<std::uint32_t>(side) << 2;
  }
  void release_host(QueueIndex index) {
    const HostRecord& host = hosts_[index];
    hosts_.release(index, hash_(host.key, host.owner));
  }
  // Gives the oldest decaying flow up if it is at rest, or if its record is needed.
  void forget_oldest(const CobaltParameters& parameters, TimePoint now) {
    const QueueIndex index = decaying_.oldest();
    CobaltState aqm = flows[index].aqm();
    aqm.decay(parameters, now);
    if (!aqm.at_rest()) {
      if (!flows.full()) return;
      forgotten_.add(1);
    }
    decaying_.remove(flows, index);
    erase(index);
  }

  HostTable hosts_;
  DecayingFlows decaying_;
  QueueHash hash_;
  Counter forgotten_;
};

}  // namespace drip
