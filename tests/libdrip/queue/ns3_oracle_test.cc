// SPDX-License-Identifier: BSD-3-Clause
// The queue disciplines of ns-3 and the fair queue on the same arrivals and the same link: who
// departs when, and which packets are dropped and marked.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "ns3_link.h"
#include "queue_fixture.h"

namespace drip::test {
namespace {

// ---- Drip

Outcome run_drip(const FairQueueSettings& settings, const std::vector<Arrival>& arrivals,
                 std::int64_t first_service) {
  Outcome outcome;
  OneLeaf queue(settings, {1U << 16, 2'048, 4'096, 2, 2});
  const TimePoint start = queue.now;
  std::int64_t free_at = first_service;  // Of the link.
  bool busy = true;
  const auto serve = [&](std::int64_t at) {
    queue.now = start + Duration{at};
    const QueueHead head = queue.head();
    busy = head.status == QueueHead::Status::kPacket;
    if (!busy) return;
    if (head.mark) outcome.marked.insert(id_of(head.unit));
    outcome.departed.push_back(id_of(head.unit));
    outcome.departed_at.push_back(at);
    const UnitRef unit = queue.queues.dequeue(queue.leaf, queue.profile, queue.now);
    free_at = at + unit.wire_bytes() * kByteNs;
  };
  for (const Arrival& arrival : arrivals) {
    while (busy && free_at < arrival.at) serve(free_at);
    queue.now = start + Duration{arrival.at};
    queue.add(ipv4_key(1, arrival.flow), arrival.bytes, static_cast<Ecn>(arrival.ecn));
    if (!busy) serve(arrival.at);
  }
  while (busy) serve(free_at);
  for (const Dropped& drop : queue.drops.all) outcome.dropped.insert(drop.id);
  return outcome;
}

// ---- Arrivals

// Flows of constant distance with random lengths, `shares` of the link's rate. Each begins with a
// burst, so that the link is never idle: a leaf that empties gives its flows up at once, while ns-3
// keeps them in its lists. Half of them have `ecn` bits.
std::vector<Arrival> arrivals_of(std::uint32_t seed, const std::vector<double>& shares,
                                 std::int64_t seconds, std::uint8_t ecn = kEct0) {
  std::mt19937 random(seed);
  std::vector<Arrival> arrivals;
  for (std::uint32_t flow = 0; flow < shares.size(); ++flow) {
    const bool has_ecn = random() % 2 == 0;
    std::int64_t at = kTick;
    for (int count = 0; at < seconds * 1'000'000'000; ++count) {
      const std::uint32_t bytes = 32 * (2 + random() % 45);  // 64 to 1472
      arrivals.push_back({at, flow, bytes, has_ecn ? ecn : kNotEct});
      if (count < 8) continue;
      const auto distance = static_cast<std::int64_t>(bytes * kByteNs / shares[flow]);
      at += distance + static_cast<std::int64_t>(random() % 1'000 * 100);
    }
  }
  std::stable_sort(arrivals.begin(), arrivals.end(),
                   [](const Arrival& a, const Arrival& b) { return a.at < b.at; });
  // All at different ticks, half a tick away from any departure: no two events are at one time.
  std::int64_t last = 0;
  for (Arrival& arrival : arrivals) {
    last = std::max(arrival.at, last + kTick) / kTick * kTick;
    arrival.at = last + kTick / 2;
  }
  return arrivals;
}

// The first takes half of the load, the others share the rest.
std::vector<Arrival> arrivals_of(std::uint32_t seed, std::uint32_t flows, double load,
                                 std::int64_t seconds, std::uint8_t ecn = kEct0) {
  std::vector<double> shares{flows == 1 ? load : load / 2};
  shares.resize(flows, load / 2 / (flows - 1.0));
  return arrivals_of(seed, shares, seconds, ecn);
}

// When the marked packets departed.
std::vector<std::int64_t> mark_times(const Outcome& outcome) {
  std::vector<std::int64_t> times;
  for (std::size_t i = 0; i < outcome.departed.size(); ++i) {
    if (outcome.marked.contains(outcome.departed[i])) times.push_back(outcome.departed_at[i]);
  }
  return times;
}
// The largest distance between the n-th mark here and the n-th there.
std::int64_t farthest(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
  std::int64_t most = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    most = std::max(most, std::abs(a[i] - b[i]));
  }
  return most;
}

void print(const char* name, const Outcome& ns3, const Outcome& drip) {
  std::cout << "[   NS-3   ] " << name << ", ns-3 / Drip: departed " << ns3.departed.size() << " / "
            << drip.departed.size() << ", dropped " << ns3.dropped.size() << " / "
            << drip.dropped.size() << ", marked " << ns3.marked.size() << " / "
            << drip.marked.size() << ", marks apart by up to "
            << farthest(mark_times(ns3), mark_times(drip)) / 1'000 << " us\n";
}

FairQueueSettings settings_of(Isolation isolation, bool codel) {
  FairQueueSettings settings;
  settings.capacity = 100'000;
  settings.isolation = isolation;
  settings.codel = codel;
  return settings;
}

TEST(Ns3Oracle, FqCoDelWithoutItsAqmDepartsInTheSameOrderAtTheSameTimes) {
  for (std::uint32_t seed = 1; seed <= 5; ++seed) {
    const std::vector<Arrival> arrivals = arrivals_of(seed, 20, 1.5, 5);
    const Outcome ns3 =
        run_ns3("ns3::FqCoDelQueueDisc",
                {{"MaxSize", "100000p"}, {"Target", "1000s"}, {"Interval", "1000s"}}, arrivals,
                kLateService);
    const Outcome drip = run_drip(settings_of(Isolation::kFlow, false), arrivals, kLateService);
    print("FqCoDel without its AQM", ns3, drip);
    EXPECT_EQ(ns3.departed, drip.departed);
    EXPECT_EQ(ns3.departed_at, drip.departed_at);
    EXPECT_GT(drip.departed.size(), 5'000U);
  }
}

TEST(Ns3Oracle, AFullFqCoDelDropsAsMuchOfTheSameFlow) {
  // One flow floods, so which is the fattest is no matter of a factor of two.
  for (std::uint32_t seed = 1; seed <= 5; ++seed) {
    const std::vector<Arrival> arrivals = arrivals_of(seed, 3, 1.2, 10);
    const Outcome ns3 = run_ns3(
        "ns3::FqCoDelQueueDisc",
        {{"MaxSize", "200p"}, {"Target", "1000s"}, {"Interval", "1000s"}, {"DropBatchSize", "1"}},
        arrivals, kLateService);
    FairQueueSettings settings = settings_of(Isolation::kFlow, false);
    settings.capacity = 200;
    const Outcome drip = run_drip(settings, arrivals, kLateService);
    print("FqCoDel, full", ns3, drip);
    const auto of_ns3 = static_cast<double>(ns3.dropped.size());
    EXPECT_NEAR(static_cast<double>(drip.dropped.size()), of_ns3, 0.03 * of_ns3);
    for (const Outcome* outcome : {&ns3, &drip}) {
      for (const std::uint64_t id : outcome->dropped) EXPECT_EQ(arrivals[id].flow, 0U);
    }
  }
}

TEST(Ns3Oracle, FqCoDelMarksTheSameL4sPackets) {
  // A millisecond, and so much more that ns-3's grain of 1024 ns and that of 256 ns here part the
  // same sojourns.
  constexpr std::int64_t kThreshold = 1'000'447;
  for (std::uint32_t seed = 1; seed <= 5; ++seed) {
    const std::vector<Arrival> arrivals = arrivals_of(seed, 20, 1.2, 5, kEct1);
    const Outcome ns3 = run_ns3("ns3::FqCoDelQueueDisc",
                                {{"MaxSize", "100000p"},
                                 {"Target", "1000s"},
                                 {"Interval", "1000s"},
                                 {"UseL4s", "true"},
                                 {"CeThreshold", std::to_string(kThreshold) + "ns"}},
                                arrivals, kLateService);
    FairQueueSettings settings = settings_of(Isolation::kFlow, true);
    settings.target = settings.interval = Duration{100'000'000'000};
    settings.l4s_threshold = Duration{kThreshold};
    const Outcome drip = run_drip(settings, arrivals, kLateService);
    print("FqCoDel, L4S", ns3, drip);
    EXPECT_EQ(ns3.departed, drip.departed);
    EXPECT_EQ(ns3.departed_at, drip.departed_at);
    EXPECT_EQ(ns3.marked, drip.marked);
    EXPECT_GT(drip.marked.size(), 100U);
    EXPECT_LT(drip.marked.size(), drip.departed.size());
  }
}

// Two CoDels. All senders are ECN capable and stay above the target, so nothing is dropped and all
// departs alike; marks are then apart by nothing but the law that says when the next one is due.
// Here that is interval / sqrt(count) after the last one was due, as in RFC 8289 but with a count
// that is one ahead, as COBALT has it. In ns-3 it is after the last one was made, which is later by
// up to the distance of two packets, and the root is one step of Newton's iteration, as in Linux.
struct DripLaw {
  std::int64_t due;
  double count = 1;
  explicit DripLaw(std::int64_t first_mark) : due(first_mark) { next(first_mark); }
  void next(std::int64_t marked_at) {
    due += static_cast<std::int64_t>(kInterval / std::sqrt(++count));
    due = std::max(due, marked_at);  // No more than each packet.
  }
  static constexpr double kInterval = 100e6;
};
struct Ns3Law {
  std::int64_t due = 0;
  double count = 1;
  double root = 1;  // About 1 / sqrt(count).
  explicit Ns3Law(std::int64_t first_mark) { due = first_mark + 100'000'000; }
  void next(std::int64_t marked_at) {
    ++count;
    root *= (3 - count * root * root) / 2;
    due = marked_at + static_cast<std::int64_t>(DripLaw::kInterval * root);
  }
};

// When a law marks, of a flow's departures.
template <class Law>
std::vector<std::int64_t> by_law(const std::vector<std::int64_t>& departures,
                                 std::int64_t first_mark) {
  std::vector<std::int64_t> marks{first_mark};
  Law law(first_mark);
  for (const std::int64_t at : departures) {
    if (at <= first_mark || at < law.due) continue;
    marks.push_back(at);
    law.next(at);
  }
  return marks;
}

// What became of one flow.
struct FlowTimes {
  std::vector<std::int64_t> departures;
  std::vector<std::int64_t> marks;
};
FlowTimes times_of(const Outcome& outcome, const std::vector<Arrival>& arrivals,
                   std::uint32_t flow) {
  FlowTimes times;
  for (std::size_t i = 0; i < outcome.departed.size(); ++i) {
    const std::uint64_t id = outcome.departed[i];
    // When nothing more comes the queues run empty, and below their targets.
    if (arrivals[id].flow != flow || outcome.departed_at[i] > arrivals.back().at) continue;
    times.departures.push_back(outcome.departed_at[i]);
    if (outcome.marked.contains(id)) times.marks.push_back(outcome.departed_at[i]);
  }
  return times;
}

TEST(Ns3Oracle, FqCoDelsMarksDifferByTheControlLawAlone) {
  constexpr std::uint32_t kFlows = 4;
  // A longest packet of each flow, and the grain.
  constexpr std::int64_t kRound = kFlows * 1'200'000;
  for (std::uint32_t seed = 1; seed <= 5; ++seed) {
    std::vector<Arrival> arrivals = arrivals_of(seed, std::vector<double>(kFlows, 0.4), 6);
    for (Arrival& arrival : arrivals) arrival.ecn = kEct0;
    const Outcome ns3 = run_ns3(
        "ns3::FqCoDelQueueDisc",
        {{"MaxSize", "100000p"}, {"Target", "5ms"}, {"Interval", "100ms"}, {"UseEcn", "true"}},
        arrivals, kLateService);
    const Outcome drip = run_drip(settings_of(Isolation::kFlow, true), arrivals, kLateService);
    print("FqCoDel, ECN", ns3, drip);
    EXPECT_EQ(ns3.departed, drip.departed);
    EXPECT_EQ(ns3.departed_at, drip.departed_at);
    EXPECT_TRUE(ns3.dropped.empty() && drip.dropped.empty());
    for (std::uint32_t flow = 0; flow < kFlows; ++flow) {
      const FlowTimes of_ns3 = times_of(ns3, arrivals, flow);
      const FlowTimes of_drip = times_of(drip, arrivals, flow);
      ASSERT_GT(of_ns3.marks.size(), 300U);
      ASSERT_GT(of_drip.marks.size(), 300U);
      EXPECT_LE(std::abs(of_ns3.marks[0] - of_drip.marks[0]), kRound);
      const auto drip_law = by_law<DripLaw>(of_drip.departures, of_drip.marks[0]);
      const auto ns3_law = by_law<Ns3Law>(of_ns3.departures, of_ns3.marks[0]);
      std::cout << "[   NS-3   ] flow " << flow << ": ns-3 " << of_ns3.marks.size() << ", its law "
                << ns3_law.size() << "; Drip " << of_drip.marks.size() << ", its law "
                << drip_law.size() << "; apart by " << farthest(of_ns3.marks, ns3_law) / 1'000
                << " and " << farthest(of_drip.marks, drip_law) / 1'000 << " us\n";
      EXPECT_NEAR(static_cast<double>(of_drip.marks.size()), static_cast<double>(drip_law.size()),
                  3);
      EXPECT_LE(farthest(of_drip.marks, drip_law), 3 * kRound);
      EXPECT_LE(farthest(of_ns3.marks, ns3_law), 3 * kRound);
      EXPECT_NEAR(static_cast<double>(of_ns3.marks.size()), static_cast<double>(ns3_law.size()),
                  0.01 * static_cast<double>(ns3_law.size()));
    }
  }
}

TEST(Ns3Oracle, CobaltSignalsAtTheSameTimesButForClockGrain) {
  for (std::uint32_t seed = 1; seed <= 8; ++seed) {
    const std::vector<Arrival> arrivals = arrivals_of(seed, 1, 1.1, 10);
    const Outcome ns3 = run_ns3("ns3::CobaltQueueDisc",
                                {{"MaxSize", "100000p"},
                                 {"Target", "5ms"},
                                 {"Interval", "100ms"},
                                 {"UseEcn", "true"},
                                 {"BlueThreshold", "1000s"}},
                                arrivals, kServiceAtOnce);
    const Outcome drip = run_drip(settings_of(Isolation::kNone, true), arrivals, kServiceAtOnce);
    print("Cobalt", ns3, drip);
    EXPECT_NEAR(static_cast<double>(drip.dropped.size()), static_cast<double>(ns3.dropped.size()),
                0.05 * static_cast<double>(ns3.dropped.size()));
    EXPECT_EQ(drip.marked.size(), ns3.marked.size());
    // A longest packet and its grain: 1472 bytes are 1.18 ms.
    EXPECT_LE(farthest(mark_times(ns3), mark_times(drip)), 2'000'000);
  }
}

TEST(Ns3Oracle, FqCobaltSignalsAsOften) {
  for (std::uint32_t seed = 1; seed <= 5; ++seed) {
    const std::vector<Arrival> arrivals = arrivals_of(seed, 8, 1.1, 10);
    const Outcome ns3 = run_ns3("ns3::FqCobaltQueueDisc",
                                {{"MaxSize", "100000p"},
                                 {"Target", "5ms"},
                                 {"Interval", "100ms"},
                                 {"UseEcn", "true"},
                                 {"BlueThreshold", "1000s"}},
                                arrivals, kServiceAtOnce);
    const Outcome drip = run_drip(settings_of(Isolation::kFlow, true), arrivals, kServiceAtOnce);
    print("FqCobalt", ns3, drip);
    const auto of_ns3 = static_cast<double>(ns3.dropped.size() + ns3.marked.size());
    const auto of_drip = static_cast<double>(drip.dropped.size() + drip.marked.size());
    EXPECT_NEAR(of_drip, of_ns3, 0.03 * of_ns3);
  }
}

}  // namespace
}  // namespace drip::test
