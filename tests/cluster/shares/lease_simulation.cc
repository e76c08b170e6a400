// SPDX-License-Identifier: BSD-3-Clause
// Event by event, from one seed.
#include "lease_simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <utility>
#include <vector>

#include "cluster/shares/share_allocation.h"
#include "cluster/shares/share_allocator.h"
#include "cluster/shares/share_holder.h"
#include "lease_store.h"

namespace drip::cluster {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kFaultsEnd = 60'000 * kMs;

// Short spans, so that a run sees many of them end.
constexpr LeaseTiming kTiming{Duration{2'000 * kMs}, Duration{6'000 * kMs}, 1000};

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
    buckets_["a"] = {{1000, 0}, kWholeRate / 10, {}};
    buckets_["b"] = {{0, 1e6}, draw(2) == 0 ? 0 : kWholeRate / 4, {{"n0", 3}}};
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
    std::unique_ptr<ShareHolder> holder;
    std::int64_t paused_until = 0;
    bool cut = false;
    Demands demands;
    // As a leader.
    std::uint64_t epoch = 0;
    std::unique_ptr<ShareAllocator> allocator;
    bool awaits = false;
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
    node.holder = std::make_unique<ShareHolder>(kTiming);
    node.allocator.reset();
    node.epoch = 0;
    node.awaits = false;
    on(node, now_ + static_cast<std::int64_t>(draw(50)) * kMs, [this, &node] { tick(node); });
  }

  void tick(Node& node) {
    struct Reply {
      ExchangeAnswer answer;
      std::uint64_t generation = 0;
      std::optional<Shares> granted;
    };
    const ShareHolder::Exchange exchange = node.holder->begin(clock(node));
    call<Reply>(
        node,
        [this, session = node.session, name = node.name, exchange, demands = node.demands] {
          Reply reply;
          reply.answer =
              store_.exchange(session, name, exchange, demands, reply.generation, reply.granted);
          result_.exchanges += reply.answer == ExchangeAnswer::kRenewed ? 1U : 0U;
          return reply;
        },
        [&node, sequence = exchange.sequence](Reply reply) {
          node.holder->on_answer(sequence, reply.answer, reply.generation,
                                 reply.granted ? &*reply.granted : nullptr);
        });
    on(node, now_ + 50 * kMs, [this, &node] { tick(node); });
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
          node.allocator = std::make_unique<ShareAllocator>(kTiming);
          node.awaits = false;
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
    const std::uint64_t generation = draw(std::uint64_t{1} << 40) << 20;
    call<std::optional<ShareSnapshot>>(
        node, [this, epoch, generation] { return store_.snapshot(epoch, generation); },
        [this, &node, epoch, round](std::optional<ShareSnapshot> snapshot) {
          if (node.epoch != epoch || node.round != round) return;
          if (!snapshot) {
            ++result_.refused;
            return;
          }
          const SharePlan plan = node.allocator->plan(*snapshot, buckets_, clock(node));
          if (plan.changes_nothing(*snapshot)) return;
          call<bool>(
              node,
              [this, epoch, generation = snapshot->generation, plan] {
                const bool done = store_.apply_plan(epoch, generation, plan);
                if (done && plan.learned && !plan.safe_frozen) look_for_amnesia();
                ++(done ? result_.plans : result_.refused);
                return done;
              },
              [](bool) {});
        });
    on(node, now_ + 60 * kMs, [this, &node, epoch] { lead(node, epoch); });
  }

  // Nobody who could be heard of knew of the data that were lost, and yet somebody has a safe share
  // of then: not to be told from a cluster that has just begun.
  void look_for_amnesia() {
    for (const auto& node : nodes_) {
      if (!node->up || store_.data.sessions.contains(node->session)) continue;
      if (node->holder->held().empty()) continue;
      result_.amnesia = true;
      amnesia_until_ = now_ + kTiming.at_leader(kTiming.lease + kTiming.safe_hold).ns;
    }
  }

  void change_demands() {
    for (const auto& node : nodes_) {
      for (const auto& [id, bucket] : buckets_) {
        const std::uint64_t kind = draw(3);
        node->demands[id] = kind == 0 ? 0 : kind == 1 ? draw(kWholeRate / 2) : draw(kWholeRate * 2);
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
        store_.data_of = 0;
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
        auto bucket = buckets_.begin();
        std::advance(bucket, static_cast<std::ptrdiff_t>(draw(buckets_.size())));
        const double factor_of_change = 0.25 * static_cast<double>(1 + draw(12));
        bucket->second.rates = {
            bucket->second.rates.units_per_second > 0 ? 1000 * factor_of_change : 0,
            bucket->second.rates.bits_per_second > 0 ? 1e6 * factor_of_change : 0};
        say(fmt::format("bucket {}: rate times {}", bucket->first, factor_of_change));
        return;
      }
    }
  }
  void move_server(const ShareSnapshot& data) {
    ++store_.server;
    const std::uint64_t data_of = store_.data_of;
    store_.data = data;
    store_.data_of = data_of;  // Of another server from now on.
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
    if (now_ < amnesia_until_ && (store_.data_of != store_.server || store_.data.learning)) {
      amnesia_until_ = now_ + kTiming.at_leader(kTiming.lease + kTiming.safe_hold).ns;
    }
    // A replica is behind by up to a second.
    if (now_ - copied_at_ > static_cast<std::int64_t>(draw(1'000)) * kMs) {
      behind_ = copy_;
      copy_ = store_.data;
      copied_at_ = now_;
    }
    for (const auto& [id, bucket] : buckets_) {
      double active = 0;
      double at_present = 0;  // The part of it that is of the rate of now, or of a lower one.
      double highest = 0;     // Of the rates of which somebody has a share.
      std::uint64_t parts = 0;
      for (const auto& node : nodes_) {
        if (!node->up) continue;
        const std::uint64_t mine = node->holder->active_parts(id, clock(*node));
        if (mine == 0) continue;
        parts += mine;
        const LeasedRates& rates = node->holder->held().find(id)->second.rates;
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
        result_.trouble += fmt::format("; data of {} at {}{}{}", store_.data_of, store_.server,
                                       store_.data.learning ? ", learning" : "",
                                       store_.data.safe_frozen ? ", frozen" : "");
        for (const auto& node : nodes_) {
          result_.trouble += fmt::format("; {} {} {}", node->session, node->up ? "up" : "down",
                                         node->holder->active_parts(id, clock(*node)));
          const auto held = node->holder->held().find(id);
          const auto known = store_.data.sessions.find(node->session);
          if (known != store_.data.sessions.end()) {
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
          if (held == node->holder->held().end()) continue;
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
    for (const auto& [id, bucket] : buckets_) {
      std::uint64_t parts = 0;
      for (const auto& node : nodes_) parts += node->holder->active_parts(id, clock(*node));
      // Up to one part a node is lost when what is set aside is divided.
      if (parts > kWholeRate || parts + nodes_.size() < kWholeRate) {
        result_.settled = false;
        result_.trouble = fmt::format(
            "in the end bucket {} has {} of {} parts; epoch {}, plans {}{}{}", id, parts,
            kWholeRate, store_.epoch, result_.plans, store_.data.learning ? ", learning" : "",
            store_.data.safe_frozen ? ", frozen" : "");
        for (const auto& [session, state] : store_.data.sessions) {
          result_.trouble +=
              fmt::format("; {}{} at {}", session, state.lost ? " lost" : "", state.sequence);
        }
        for (const auto& node : nodes_) {
          result_.trouble += fmt::format("; {} has {}, leads {}", node->session,
                                         node->holder->active_parts(id, clock(*node)), node->epoch);
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
  ShareSnapshot copy_, behind_;
  std::int64_t copied_at_ = 0;
  std::int64_t amnesia_until_ = -1;
  std::vector<std::unique_ptr<Node>> nodes_;
  ShareAllocator::Buckets buckets_;
  SimulationResult result_;
};

}  // namespace

SimulationResult simulate(std::uint64_t seed, bool verbose) {
  return Simulation(seed, verbose).run();
}

}  // namespace drip::cluster
