// SPDX-License-Identifier: BSD-3-Clause
// Event by event, from one seed.
#include "lease_simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <utility>
#include <vector>

#include "cluster/shares/lease/rate_division.h"
#include "cluster/shares/lease/share_allocator.h"
#include "cluster/shares/lease/share_holder.h"
#include "cluster/shares/lease/share_learning.h"
#include "lease_store.h"

namespace drip::cluster {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kFaultsEnd = 60'000 * kMs;

// Short spans, so that a run sees many of them end.
constexpr LeaseTiming kTiming{Duration{2'000 * kMs}, Duration{6'000 * kMs}, 1000};

// Each bucket is in a group of its own: what one group does must not be missed by the other.
constexpr std::uint32_t kGroups = 2;

class Simulation {
 public:
  Simulation(std::uint64_t seed, bool verbose) : random_(seed), verbose_(verbose) {
    const std::size_t count = 2 + draw(4);
    harsh_ = static_cast<double>(draw(4)) * 0.1;
    for (std::size_t i = 0; i < count; ++i) {
      nodes_.push_back(std::make_unique<Node>());
      Node& node = *nodes_.back();
      node.name = fmt::format("n{}", i);
      node.rate = 1 + (static_cast<double>(draw(2001)) - 1000) * 1e-6;
      node.offset = static_cast<std::int64_t>(draw(1'000'000)) * kMs;
      start(node);
    }
    buckets_[0]["a"] = {{1000, 0}, kWholeRate / 10, {}};
    buckets_[1]["b"] = {{0, 1e6}, draw(2) == 0 ? 0 : kWholeRate / 4, {{"n0", 3}}};
    at(0, [this] { elect(); });
    at(1, [this] { fault(); });
    at(2, [this] { change_demands(); });
    at(kFaultsEnd, [this] { end_faults(); });
  }

  SimulationResult run() {
    const std::int64_t end =
        kFaultsEnd + kTiming.at_leader(kTiming.lease + kTiming.safe_hold).ns * 2 +
        kTiming.at_leader(kTiming.lease).ns + 16'000 * kMs;  // A pause may last 12 s more.
    while (!events_.empty() && events_.top().when <= end && result_.safe) {
      const Event event = events_.top();
      events_.pop();
      // Just before, for what ended meanwhile, and just after.
      now_ = event.when;
      event.run();
      ++result_.steps;
      check();
    }
    if (result_.safe) check_settled();
    return result_;
  }

 private:
  struct Node {
    std::string name;
    double rate = 1;
    std::int64_t offset = 0;
    bool up = true;
    std::uint64_t life = 0;
    std::uint64_t started = 0;
    std::string session;
    std::vector<ShareHolder> holders;  // By group.
    std::int64_t paused_until = 0;
    bool cut = false;
    std::array<Demands, kGroups> demands;
    std::array<Demands, kGroups> reported;
    // Of the plans: when grants were fetched last, and as heard of last.
    std::array<std::uint64_t, kGroups> fetched{};
    std::array<std::uint64_t, kGroups> heard{};
    std::array<std::uint64_t, kGroups> sequences{};  // Of the exchanges begun last.
    // As a leader.
    std::uint64_t epoch = 0;
    std::unique_ptr<ShareLearning> learning;
    std::vector<ShareAllocator> allocators;  // By group.
    std::uint64_t round = 0;
  };
  struct Event {
    std::int64_t when = 0;
    std::uint64_t order = 0;
    std::function<void()> run;
    bool operator<(const Event& other) const {
      return when != other.when ? when > other.when : order > other.order;
    }
  };

  std::uint64_t draw(std::uint64_t below) { return random_() % below; }
  bool chance(double probability) {
    return static_cast<double>(draw(1'000'000)) < probability * 1e6;
  }
  bool calm() const { return now_ >= kFaultsEnd; }
  void at(std::int64_t when, std::function<void()> run) {
    events_.push({std::max(when, now_), ++order_, std::move(run)});
  }
  void after(std::int64_t span, std::function<void()> run) { at(now_ + span, std::move(run)); }
  // Runs on the node when it is not stopped; not at all if it was started anew meanwhile.
  void on(Node& node, std::int64_t when, std::function<void()> run) {
    at(when, [this, &node, life = node.life, run = std::move(run)] {
      if (!node.up || node.life != life) return;
      if (now_ < node.paused_until) return on(node, node.paused_until, run);
      run();
    });
  }
  TimePoint clock(const Node& node) const {
    return TimePoint{static_cast<std::uint64_t>(
        node.offset + static_cast<std::int64_t>(static_cast<double>(now_) * node.rate))};
  }
  void say(const std::string& text) {
    if (verbose_) fmt::print("{:>12.3f} ms  {}\n", static_cast<double>(now_) / kMs, text);
  }

  std::int64_t delay() {
    if (calm()) return static_cast<std::int64_t>(1 + draw(3)) * kMs;
    const std::uint64_t kind = draw(100);
    if (kind < 80) return static_cast<std::int64_t>(draw(5'000)) * 1'000;
    if (kind < 97) return static_cast<std::int64_t>(draw(300)) * kMs;
    return static_cast<std::int64_t>(draw(8'000)) * kMs;
  }
  // A call to Redis: `apply_plan` there, `answer` back at the node; either may be lost.
  template <class Result>
  void call(Node& node, std::function<Result()> apply_plan, std::function<void(Result)> answer) {
    if (node.cut || away_) return;
    const std::uint64_t server = store_.server;
    if (!calm() && chance(harsh_ / 3)) return;
    const auto deliver = [this, &node, life = node.life, server, apply_plan, answer] {
      if (store_.server != server || away_) return;  // The connection is gone.
      const Result result = apply_plan();
      if (node.cut || (!calm() && chance(harsh_ / 3))) return;
      if (node.life == life) on(node, now_ + delay(), [answer, result] { answer(result); });
    };
    after(delay(), deliver);
    // Carried out twice.
    if (!calm() && chance(harsh_ / 4)) after(delay(), deliver);
  }

  void start(Node& node) {
    ++node.life;
    node.up = true;
    node.paused_until = 0;
    node.session = fmt::format("{}:{}", node.name, ++node.started);
    node.holders.clear();
    for (std::uint32_t group = 0; group < kGroups; ++group) node.holders.emplace_back(kTiming);
    node.epoch = 0;
    on(node, now_ + static_cast<std::int64_t>(draw(50)) * kMs, [this, &node] { tick(node); });
  }

  struct Reply {
    ExchangeAnswer answer = ExchangeAnswer::kUnknown;
    std::uint64_t generation = 0;
    std::uint64_t version = 0;
    std::optional<Shares> granted;
  };
  void tick(Node& node) {
    // The groups in one call, or each in a call of its own.
    std::vector<std::uint32_t> together;
    for (std::uint32_t group = 0; group < kGroups; ++group) {
      if (chance(0.3)) {
        exchange(node, {group});
      } else {
        together.push_back(group);
      }
    }
    if (!together.empty()) exchange(node, together);
    on(node, now_ + 50 * kMs, [this, &node] { tick(node); });
  }
  void exchange(Node& node, std::vector<std::uint32_t> groups) {
    struct Part {
      std::uint32_t group = 0;
      ShareHolder::Exchange exchange;
      Demands demands;
    };
    std::vector<Part> parts;
    for (const std::uint32_t group : groups) {
      ShareHolder& holder = node.holders[group];
      // Nothing has changed: no exchange at all for a while, or a renewal, as at times while other
      // groups have news.
      const bool same = holder.settled(clock(node)) &&
                        node.reported[group] == node.demands[group] &&
                        node.fetched[group] == node.heard[group];
      if (same && chance(0.7)) continue;
      if (same || (holder.renewable(clock(node)) && chance(0.2))) {
        ++result_.short_exchanges;
        parts.push_back({group, holder.renew(clock(node)), {}});
        continue;
      }
      node.reported[group] = node.demands[group];
      parts.push_back({group, holder.begin(clock(node)), node.demands[group]});
    }
    if (parts.empty()) return;
    for (const Part& part : parts) node.sequences[part.group] = part.exchange.sequence;
    call<std::vector<Reply>>(
        node,
        [this, session = node.session, name = node.name, parts] {
          std::vector<Reply> replies;
          for (const auto& [group, exchange, demands] : parts) {
            Reply& reply = replies.emplace_back();
            reply.answer = store_.exchange(group, session, name, exchange, demands,
                                           reply.generation, reply.granted);
            if (store_.known()) reply.version = store_.data.groups[group].version;
            result_.exchanges += reply.answer == ExchangeAnswer::kRenewed ? 1U : 0U;
          }
          return replies;
        },
        [&node, parts](const std::vector<Reply>& replies) {
          for (std::size_t i = 0; i < parts.size(); ++i) {
            const std::uint32_t group = parts[i].group;
            node.heard[group] = replies[i].version;
            if (!parts[i].exchange.renewal && parts[i].exchange.sequence == node.sequences[group]) {
              node.fetched[group] = replies[i].version;
            }
            node.holders[group].on_answer(parts[i].exchange.sequence, replies[i].answer,
                                          replies[i].generation,
                                          replies[i].granted ? &*replies[i].granted : nullptr);
          }
          for (ShareHolder& holder : node.holders) {
            holder.set_generation(replies.front().generation);
          }
        });
  }

  void end_faults() {
    away_ = false;
    for (const auto& node : nodes_) {
      node->cut = false;
      node->paused_until = 0;
      if (!node->up) start(*node);
    }
    elect();
  }

  void elect() {
    if (now_ > kFaultsEnd) return;
    if (!away_) {
      const std::uint64_t epoch = ++store_.epoch;
      Node& node = *nodes_[draw(nodes_.size())];
      if (node.up && !node.cut) {
        say(fmt::format("{} is elected, epoch {}", node.name, epoch));
        on(node, now_ + delay(), [this, &node, epoch] {
          if (epoch < node.epoch) return;
          node.epoch = epoch;
          node.learning = std::make_unique<ShareLearning>(kTiming);
          node.allocators.clear();
          for (std::uint32_t i = 0; i < kGroups; ++i) node.allocators.emplace_back(kTiming);
          lead(node, epoch);
        });
      }
    }
    if (!calm()) {
      after(static_cast<std::int64_t>(200 + draw(chance(0.5) ? 3'000 : 20'000)) * kMs,
            [this] { elect(); });
    }
  }

  void lead(Node& node, std::uint64_t epoch) {
    if (node.epoch != epoch) return;
    const std::uint64_t round = ++node.round;
    const auto present = [&node, epoch, round] {
      return node.epoch == epoch && node.round == round;
    };
    call<ShareData>(
        node, [this] { return store_.poll(); },
        [this, &node, epoch, present](const ShareData& data) {
          if (!present()) return;
          if (data.generation == 0) {
            const std::uint64_t generation = 1 + (draw(std::uint64_t{1} << 40) << 20);
            return write(node,
                         [this, epoch, generation] { return store_.begin(epoch, generation); });
          }
          const ShareLearning::Step step = node.learning->next(data, clock(node));
          if (step != ShareLearning::Step::kNone) {
            write(node, [this, epoch, generation = data.generation, step] {
              const bool learned = step == ShareLearning::Step::kLearned && store_.poll().learning;
              const bool done = store_.step(epoch, generation, step);
              if (done && learned && !store_.data.state.safe_frozen) look_for_amnesia();
              return done;
            });
          }
          if (chance(0.2)) look_at_heads(node, present);
          for (std::uint32_t group = 0; group < kGroups; ++group) {
            if (chance(0.8)) plan(node, epoch, group, present);
          }
        });
    on(node, now_ + 60 * kMs, [this, &node, epoch] { lead(node, epoch); });
  }

  void look_at_heads(Node& node, const std::function<bool()>& present) {
    struct Heads {
      std::uint64_t generation = 0;
      std::array<ShareHeads, kGroups> groups;
    };
    call<Heads>(
        node,
        [this] {
          Heads heads{store_.poll().generation, {}};
          for (const auto& [group, content] : store_.data.groups) {
            for (const auto& [id, session] : content.sessions) heads.groups[group][id] = session;
          }
          return heads;
        },
        [this, &node, present](const Heads& heads) {
          if (!present() || heads.generation == 0) return;
          for (std::uint32_t group = 0; group < kGroups; ++group) {
            (void)node.allocators[group].observe(heads.generation, heads.groups[group],
                                                 clock(node));
          }
        });
  }

  void plan(Node& node, std::uint64_t epoch, std::uint32_t group,
            const std::function<bool()>& present) {
    call<std::optional<ShareSnapshot>>(
        node,
        [this, group]() -> std::optional<ShareSnapshot> {
          if (!store_.known()) return std::nullopt;
          return store_.snapshot(group);
        },
        [this, &node, epoch, group, present](const std::optional<ShareSnapshot>& snapshot) {
          if (!present() || !snapshot) return;
          const SharePlan plan =
              node.allocators[group].plan(*snapshot, buckets_[group], clock(node));
          if (plan.changes_nothing()) return;
          write(node, [this, epoch, generation = snapshot->generation, group, plan] {
            const bool done = store_.apply_plan(epoch, generation, group, plan);
            result_.plans += done ? 1U : 0U;
            return done;
          });
        });
  }

  void write(Node& node, std::function<bool()> carry_out) {
    call<bool>(
        node,
        [this, carry_out] {
          const bool done = carry_out();
          result_.refused += done ? 0U : 1U;
          return done;
        },
        [](bool) {});
  }

  // Nobody who could be heard of knew of the data that were lost, and yet somebody has a safe share
  // of then: not to be told from a cluster that has just begun.
  void look_for_amnesia() {
    for (const auto& node : nodes_) {
      for (std::uint32_t group = 0; group < kGroups; ++group) {
        if (!node->up || store_.data.groups[group].sessions.contains(node->session)) continue;
        if (node->holders[group].held().empty()) continue;
        result_.amnesia = true;
        amnesia_until_ = now_ + kTiming.at_leader(kTiming.lease + kTiming.safe_hold).ns;
      }
    }
  }

  void change_demands() {
    for (const auto& node : nodes_) {
      for (std::uint32_t group = 0; group < kGroups; ++group) {
        for (const auto& [id, bucket] : buckets_[group]) {
          const std::uint64_t kind = draw(3);
          node->demands[group][id] = kind == 0   ? 0
                                     : kind == 1 ? draw(kWholeRate / 2)
                                                 : draw(kWholeRate * 2);
        }
      }
    }
    if (!calm()) after(static_cast<std::int64_t>(draw(4'000)) * kMs, [this] { change_demands(); });
  }

  void fault() {
    if (calm()) return;
    after(static_cast<std::int64_t>(100 + draw(4'000)) * kMs, [this] { fault(); });
    ++result_.faults;
    Node& node = *nodes_[draw(nodes_.size())];
    switch (draw(9)) {
      case 0:
        say(fmt::format("{} is stopped", node.name));
        node.paused_until =
            std::max(node.paused_until, now_ + static_cast<std::int64_t>(draw(12'000)) * kMs);
        return;
      case 1: {
        if (!node.up) return;
        say(fmt::format("{} dies", node.name));
        node.up = false;
        after(static_cast<std::int64_t>(draw(6'000)) * kMs, [this, &node] {
          if (!node.up) start(node);
        });
        return;
      }
      case 2:
      case 3:
        say(fmt::format("{} is cut off", node.name));
        node.cut = true;
        after(static_cast<std::int64_t>(draw(chance(0.7) ? 3'000 : 12'000)) * kMs,
              [&node] { node.cut = false; });
        return;
      case 4:
        say("Redis is empty");
        store_.data = {};
        return;
      case 5:
        say("Redis starts again, with its data");
        move_server(store_.data);
        return;
      case 6:
        say("Redis fails over to a replica that is behind");
        move_server(behind_);
        return;
      case 7:
        say("Redis is unreachable");
        away_ = true;
        after(static_cast<std::int64_t>(draw(5'000)) * kMs, [this] { away_ = false; });
        return;
      default: {
        const auto bucket = buckets_[draw(kGroups)].begin();
        const double factor_of_change = 0.25 * static_cast<double>(1 + draw(12));
        bucket->second.rates = {
            bucket->second.rates.units_per_second > 0 ? 1000 * factor_of_change : 0,
            bucket->second.rates.bits_per_second > 0 ? 1e6 * factor_of_change : 0};
        say(fmt::format("bucket {}: rate times {}", bucket->first, factor_of_change));
        return;
      }
    }
  }
  void move_server(const LeaseStore::Data& data) {
    const std::uint64_t of = store_.data.of;
    ++store_.server;
    store_.data = data;
    store_.data.of = of;  // Of another server from now on.
  }

  static double factor(const LeasedRates& rates) {
    return rates.units_per_second > 0 ? rates.units_per_second / 1000 : rates.bits_per_second / 1e6;
  }

  // The highest rate of which somebody had a share within the last lease, by any clock.
  double highest_of_late(const std::string& id, double now_highest) {
    std::deque<std::pair<std::int64_t, double>>& falling = highest_[id];
    while (!falling.empty() && falling.back().second <= now_highest) falling.pop_back();
    falling.emplace_back(now_, now_highest);
    while (falling.front().first < now_ - kTiming.at_leader(kTiming.lease).ns) falling.pop_front();
    return falling.front().second;
  }

  void check() {
    // Whoever was not known of then may tell of its share when data are lost again, and keep it.
    if (now_ < amnesia_until_ && store_.poll().learning) {
      amnesia_until_ = now_ + kTiming.at_leader(kTiming.lease + kTiming.safe_hold).ns;
    }
    // A replica is behind by up to a second.
    if (now_ - copied_at_ > static_cast<std::int64_t>(draw(1'000)) * kMs) {
      behind_ = copy_;
      copy_ = store_.data;
      copied_at_ = now_;
    }
    for (std::uint32_t group = 0; group < kGroups; ++group) check(group);
  }

  void check(std::uint32_t group) {
    for (const auto& [id, bucket] : buckets_[group]) {
      double active = 0;
      double at_present = 0;  // The part of it that is of the rate of now, or of a lower one.
      double highest = 0;     // Of the rates of which somebody has a share.
      std::uint64_t parts = 0;
      for (const auto& node : nodes_) {
        if (!node->up) continue;
        const std::uint64_t mine = node->holders[group].active_parts(id, clock(*node));
        if (mine == 0) continue;
        parts += mine;
        const LeasedRates& rates = node->holders[group].held().find(id)->second.rates;
        active += factor(part_of(rates, mine));
        if (factor(rates) <= factor(bucket.rates)) at_present += factor(part_of(rates, mine));
        highest = std::max(highest, factor(rates));
      }
      // A rate that was lowered stays active with those who do not know yet, and what others have
      // was measured by it until the last of them knows or has no lease any more.
      const double slack = (now_ < amnesia_until_ ? 1.25 : 1) * (1 + 1e-9);
      const double bound = std::max(factor(bucket.rates), highest_of_late(id, highest));
      if (active > bound * slack || at_present > factor(bucket.rates) * slack) {
        result_.safe = false;
        result_.trouble = fmt::format(
            "at {:.3f} ms bucket {} leaks {} times its rate, {} times by shares of it ({} parts)",
            static_cast<double>(now_) / kMs, id, active / bound, at_present / factor(bucket.rates),
            parts);
        result_.trouble += fmt::format("; data of {} at {}{}{}", store_.data.of, store_.server,
                                       store_.data.state.learning ? ", learning" : "",
                                       store_.data.state.safe_frozen ? ", frozen" : "");
        for (const auto& node : nodes_) {
          result_.trouble += fmt::format("; {} {} {}", node->session, node->up ? "up" : "down",
                                         node->holders[group].active_parts(id, clock(*node)));
          const auto held = node->holders[group].held().find(id);
          const auto& sessions = store_.data.groups[group].sessions;
          const auto known = sessions.find(node->session);
          if (known != sessions.end()) {
            const auto text = [&bucket_id = id](const Shares& shares) {
              const auto share = shares.find(bucket_id);
              return share == shares.end()
                         ? std::string("-")
                         : fmt::format("{}+{} of {}", share->second.leased, share->second.safe,
                                       factor(share->second.rates));
            };
            result_.trouble += fmt::format(
                " [{}held {}, taken {}, granted {}]", known->second.lost ? "lost, " : "",
                text(known->second.held),
                known->second.taken ? text(*known->second.taken) : std::string("none"),
                known->second.granted ? text(*known->second.granted) : std::string("none"));
          }
          if (held == node->holders[group].held().end()) continue;
          result_.trouble += fmt::format(" (leased {}, safe {} of {})", held->second.leased,
                                         held->second.safe, factor(held->second.rates));
        }
        return;
      }
    }
  }

  void check_settled() {
    for (const auto& node : nodes_) {
      if (!node->up) return;
    }
    for (std::uint32_t group = 0; group < kGroups; ++group) check_settled(group);
  }

  void check_settled(std::uint32_t group) {
    for (const auto& [id, bucket] : buckets_[group]) {
      std::uint64_t parts = 0;
      for (const auto& node : nodes_) parts += node->holders[group].active_parts(id, clock(*node));
      // Up to one part a node is lost when what is set aside is divided.
      if (parts > kWholeRate || parts + nodes_.size() < kWholeRate) {
        result_.settled = false;
        result_.trouble = fmt::format(
            "in the end bucket {} has {} of {} parts; epoch {}, plans {}{}{}", id, parts,
            kWholeRate, store_.epoch, result_.plans, store_.data.state.learning ? ", learning" : "",
            store_.data.state.safe_frozen ? ", frozen" : "");
        for (const auto& [session, state] : store_.data.groups[group].sessions) {
          result_.trouble +=
              fmt::format("; {}{} at {}", session, state.lost ? " lost" : "", state.sequence);
        }
        for (const auto& node : nodes_) {
          result_.trouble +=
              fmt::format("; {} has {}, leads {}", node->session,
                          node->holders[group].active_parts(id, clock(*node)), node->epoch);
        }
      }
    }
  }

  std::mt19937_64 random_;
  const bool verbose_;
  double harsh_ = 0;
  std::int64_t now_ = 0;
  std::uint64_t order_ = 0;
  std::priority_queue<Event> events_;
  std::map<std::string, std::deque<std::pair<std::int64_t, double>>> highest_;
  LeaseStore store_;
  bool away_ = false;
  LeaseStore::Data copy_, behind_;
  std::int64_t copied_at_ = 0;
  std::int64_t amnesia_until_ = -1;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::array<ShareAllocator::Buckets, kGroups> buckets_;
  SimulationResult result_;
};

}  // namespace

SimulationResult simulate(std::uint64_t seed, bool verbose) {
  return Simulation(seed, verbose).run();
}

}  // namespace drip::cluster
