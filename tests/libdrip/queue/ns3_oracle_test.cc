// SPDX-License-Identifier: BSD-3-Clause
// The queue disciplines of ns-3 and the fair queue on the same arrivals and the same link: who
// departs when, and which packets are dropped and marked.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <set>
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
    queue.add(ipv4_key(1, arrival.flow), arrival.bytes,
              arrival.ecn ? Ecn::kEct0 : Ecn::kNotCapable);
    if (!busy) serve(arrival.at);
  }
  while (busy) serve(free_at);
  for (const Dropped& drop : queue.drops.all) outcome.dropped.insert(drop.id);
  return outcome;
}

// ---- Arrivals

// Flows of constant distance with random lengths. Each begins with a burst, so that the link is
// never idle: a leaf that empties gives its flows up at once, while ns-3 keeps them in its lists.
std::vector<Arrival> arrivals_of(std::uint32_t seed, std::uint32_t flows, double load,
                                 std::int64_t seconds) {
  std::mt19937 random(seed);
  std::vector<Arrival> arrivals;
  for (std::uint32_t flow = 0; flow < flows; ++flow) {
    // The first takes half of the load, the others share the rest.
    const double share = flows == 1 ? load : flow == 0 ? load / 2 : load / 2 / (flows - 1);
    const bool ecn = random() % 2 == 0;
    std::int64_t at = kTick;
    for (int count = 0; at < seconds * 1'000'000'000; ++count) {
      const std::uint32_t bytes = 32 * (2 + random() % 45);  // 64 to 1472
      arrivals.push_back({at, flow, bytes, ecn});
      if (count < 8) continue;
      const auto distance = static_cast<std::int64_t>(bytes * kByteNs / share);
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
