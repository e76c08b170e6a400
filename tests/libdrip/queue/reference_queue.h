// SPDX-License-Identifier: BSD-3-Clause
// A fair queue written down as the papers say it, with maps and lists and no bounds: the oracle.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "drip/queue/fair_queue_settings.h"
#include "drip/queue/queue_drop.h"
#include "drip/queue/queue_random.h"

namespace drip::test {

// COBALT, after sch_cake, in whole ticks of 256 ns that do not wrap.
struct ReferenceCobalt {
  std::int64_t count = 0;
  std::int64_t drop_next = 0;
  std::int64_t blue_time = 0;
  std::int64_t probability = 0;  // Of 4096.
  bool dropping = false;

  static std::int64_t tick(std::int64_t ns) { return ns >> 8; }
  static std::int64_t law(const CobaltParameters& p, std::int64_t count) {
    const auto interval = static_cast<double>(tick(p.interval.ns));
    return static_cast<std::int64_t>(interval / std::sqrt(static_cast<double>(count)));
  }
  static std::int64_t first(const CobaltParameters& p, std::int64_t count) {
    return law(p, std::max<std::int64_t>(count, 1));
  }
  [[nodiscard]] bool rests() const { return count == 0 && probability == 0; }

  AqmVerdict decide(const CobaltParameters& p, std::int64_t now_ns, std::int64_t sojourn, Ecn ecn,
                    bool last, QueueRandom& random) {
    const std::int64_t now = tick(now_ns);
    const bool over = sojourn > p.over_target.ns;
    const bool due = count > 0 && now >= drop_next;
    if (over) {
      if (!dropping) drop_next = now + first(p, count);
      dropping = true;
      if (count == 0) count = 1;
    } else {
      dropping = false;
    }
    bool signal = false;
    if (due && dropping) {
      signal = true;
      ++count;
      drop_next += law(p, count);
    }
    if (due && !dropping) run_down(p, now);
    bool drop = signal && ecn == Ecn::kNotCapable;
    if (probability > 0 && static_cast<std::int64_t>(random() % 4096) < probability) drop = true;
    if (count > 0 && !drop && now > drop_next) drop_next = now;
    if (drop && !last) return AqmVerdict::kDrop;
    return signal && ecn != Ecn::kNotCapable ? AqmVerdict::kMark : AqmVerdict::kPass;
  }
  void full(const CobaltParameters& p, std::int64_t now_ns) {
    const std::int64_t now = tick(now_ns);
    if (probability == 0 || now - blue_time > tick(p.target.ns)) {
      probability = std::min<std::int64_t>(4096, probability + 16);
      blue_time = now;
    }
    dropping = true;
    drop_next = now;
    count = std::max<std::int64_t>(count, 1);
  }
  void empty(const CobaltParameters& p, std::int64_t now_ns) {
    const std::int64_t now = tick(now_ns);
    if (probability > 0 && now - blue_time > tick(p.target.ns)) {
      --probability;
      blue_time = now;
    }
    dropping = false;
    if (count > 0 && now >= drop_next) {
      --count;
      drop_next += first(p, count);
    }
  }
  // It was empty until now.
  void rest(const CobaltParameters& p, std::int64_t now_ns) {
    const std::int64_t now = tick(now_ns);
    while (probability > 0 && now - blue_time >= tick(p.target.ns)) {
      --probability;
      blue_time += tick(p.target.ns);
    }
    run_down(p, now);
  }
  // One step for each time that a signal would have been due; after 64 the rest at once, by the sum
  // of interval / sqrt(i) (docs/decisions/0017-fair-queues.md). How near that is to the steps is
  // another test's: RunsALongCountDownInBoundedTimeAndAboutRight.
  void run_down(const CobaltParameters& p, std::int64_t now) {
    for (int steps = 0; count > 0 && now >= drop_next; ++steps) {
      if (steps == 64) {
        const double root =
            std::sqrt(static_cast<double>(count)) -
            static_cast<double>(now - drop_next) / (2.0 * static_cast<double>(tick(p.interval.ns)));
        count = root <= 0 ? 0 : static_cast<std::int64_t>(root * root);
        drop_next = now + first(p, count);
        return;
      }
      --count;
      drop_next += first(p, count);
    }
  }
};

struct ReferencePacket {
  std::uint64_t id = 0;
  std::int64_t bytes = 0;
  std::int64_t arrival = 0;
  Ecn ecn = Ecn::kNotCapable;
};

/// Plain lists as in RFC 8290, so its order is that of the calendar only while no packet is longer
/// than the quantum. Without Isolation::kHosts.
class ReferenceQueue {
 public:
  using FlowName = std::tuple<std::uint32_t, std::vector<std::uint8_t>>;  // Tin, and bytes.

  struct Flow {
    std::deque<ReferencePacket> packets;
    std::int64_t deficit = 0;
    int list = 0;  // 0 none, 1 new, 2 old.
    ReferenceCobalt aqm;
    [[nodiscard]] std::int64_t bytes() const {
      std::int64_t sum = 0;
      for (const ReferencePacket& packet : packets) sum += packet.bytes;
      return sum;
    }
  };
  struct Departure {
    ReferencePacket packet;
    bool mark = false;
  };
  struct Drop {
    std::uint64_t id = 0;
    QueueDrop reason{};
    friend bool operator==(const Drop&, const Drop&) = default;
  };

  ReferenceQueue(const FairQueueProfile& profile, std::uint64_t seed)
      : profile_(profile), random_(seed | 1) {}

  void enqueue(const FlowName& name, const ReferencePacket& packet) {
    const std::uint32_t tin = std::get<0>(name);
    if (tin_packets(tin) == 0) due_[tin] = std::max(due_[tin], served_);
    Flow& flow = flows_[name];
    if (flow.list == 0) {
      flow.aqm.rest(profile_.aqm[tin], packet.arrival);
      flow.deficit = profile_.settings.quantum;
      flow.list = 1;
      new_[tin].push_back(name);
    }
    flow.packets.push_back(packet);
  }
  [[nodiscard]] std::size_t packets() const { return in_queues() + (staged_.has_value() ? 1 : 0); }
  /// Without the one that departs next.
  [[nodiscard]] std::size_t in_queues() const {
    std::size_t sum = 0;
    for (const auto& [name, flow] : flows_) sum += flow.packets.size();
    return sum;
  }
  [[nodiscard]] std::int64_t bytes() const {
    std::int64_t sum = staged_.has_value() ? staged_->packet.bytes : 0;
    for (const auto& [name, flow] : flows_) sum += flow.bytes();
    return sum;
  }
  // The queue under test dropped this packet because it was full: whether it was right.
  [[nodiscard]] bool overflow(std::uint64_t id, std::int64_t now) {
    std::int64_t most = 0;
    Flow* dropped = nullptr;
    std::uint32_t tin = 0;
    for (auto& [name, flow] : flows_) {
      most = std::max(most, flow.bytes());
      if (!flow.packets.empty() && flow.packets.front().id == id) {
        dropped = &flow;
        tin = std::get<0>(name);
      }
    }
    if (dropped == nullptr || 2 * std::max<std::int64_t>(dropped->bytes(), 127) < most)
      return false;
    dropped->packets.pop_front();
    if (profile_.settings.codel) dropped->aqm.full(profile_.aqm[tin], now);
    return true;
  }
  // None if nothing is left to depart.
  std::optional<Departure> head(std::int64_t now, std::vector<Drop>& drops) {
    if (!staged_.has_value()) staged_ = stage(now, drops);
    return staged_;
  }
  void dequeue(std::int64_t now) {
    served_ += staged_->packet.bytes;
    staged_.reset();
    if (packets() == 0) put_away(now);
  }

 private:
  [[nodiscard]] std::size_t tin_packets(std::uint32_t tin) const {
    std::size_t sum = 0;
    for (const auto& [name, flow] : flows_) {
      if (std::get<0>(name) == tin) sum += flow.packets.size();
    }
    return sum;
  }
  std::optional<Departure> stage(std::int64_t now, std::vector<Drop>& drops) {
    for (;;) {
      if (packets() == 0) {
        put_away(now);
        return std::nullopt;
      }
      const std::uint32_t tin = choose();
      std::list<FlowName>& from = new_[tin].empty() ? old_[tin] : new_[tin];
      const FlowName name = from.front();
      Flow& flow = flows_[name];
      if (flow.deficit <= 0) {
        flow.deficit += profile_.settings.quantum;
        from.pop_front();
        old_[tin].push_back(name);
        flow.list = 2;
        continue;
      }
      if (flow.packets.empty()) {
        from.pop_front();
        if (flow.list == 1) {
          old_[tin].push_back(name);
          flow.list = 2;
        } else {
          flow.list = 0;
          if (!flow.aqm.rests()) flow.aqm.empty(profile_.aqm[tin], now);
        }
        continue;
      }
      const ReferencePacket packet = flow.packets.front();
      const std::int64_t sojourn = now - packet.arrival;
      const FairQueueSettings& settings = profile_.settings;
      if (settings.max_wait.ns > 0 && sojourn > settings.max_wait.ns) {
        drops.push_back({packet.id, QueueDrop::kMaxWait});
        flow.packets.pop_front();
        continue;
      }
      const bool l4s = packet.ecn == Ecn::kEct1 && settings.l4s_threshold.ns > 0;
      AqmVerdict verdict = AqmVerdict::kPass;
      if (settings.codel) {
        verdict = flow.aqm.decide(profile_.aqm[tin], now, l4s ? 0 : sojourn, packet.ecn,
                                  flow.packets.size() == 1, random_);
      }
      flow.packets.pop_front();
      if (verdict == AqmVerdict::kDrop) {
        drops.push_back({packet.id, QueueDrop::kAqm});
        continue;
      }
      flow.deficit -= packet.bytes;
      const auto share = static_cast<std::int64_t>(1U << profile_.tins.share_log2[tin]);
      due_[tin] = due_[tin] < served_ ? due_[tin] + packet.bytes * share
                                      : std::max(due_[tin], served_ + packet.bytes * share);
      const bool mark_l4s = l4s && sojourn > settings.l4s_threshold.ns;
      return Departure{packet, verdict == AqmVerdict::kMark || mark_l4s};
    }
  }
  // Of the tins with packets the highest that is within its share, else the earliest.
  std::uint32_t choose() const {
    std::optional<std::uint32_t> within;
    std::optional<std::uint32_t> earliest;
    for (std::uint32_t tin = 0; tin < kMaxTins; ++tin) {
      if (tin_packets(tin) == 0) continue;
      if (due_.at(tin) <= served_) within = tin;
      if (!earliest || due_.at(tin) <= due_.at(*earliest)) earliest = tin;
    }
    return within ? *within : *earliest;
  }
  void put_away(std::int64_t now) {
    for (auto& [name, flow] : flows_) {
      if (flow.list == 0) continue;
      flow.list = 0;
      if (!flow.aqm.rests()) flow.aqm.empty(profile_.aqm[std::get<0>(name)], now);
    }
    for (auto* lists : {&new_, &old_}) {
      for (auto& [tin, list] : *lists) list.clear();
    }
    served_ = 0;
    due_ = {{0, 0}, {1, 0}, {2, 0}, {3, 0}};
  }

  FairQueueProfile profile_;
  QueueRandom random_;
  std::map<FlowName, Flow> flows_;
  std::map<std::uint32_t, std::list<FlowName>> new_;
  std::map<std::uint32_t, std::list<FlowName>> old_;
  std::int64_t served_ = 0;
  std::map<std::uint32_t, std::int64_t> due_ = {{0, 0}, {1, 0}, {2, 0}, {3, 0}};
  std::optional<Departure> staged_;
};

}  // namespace drip::test
