// SPDX-License-Identifier: BSD-3-Clause
// Hundreds of buckets under random traffic, changes, stalls and blocked ports: the invariants hold.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <deque>
#include <random>
#include <unordered_map>
#include <vector>

#include "harness.h"
#include "support/frame_builder.h"

namespace drip::datapath {
namespace {

constexpr std::uint32_t kBuckets = 300;
constexpr std::uint16_t kPorts = 4;
constexpr std::uint32_t kNetwork = 0x0a000000;

class Storm {
 public:
  explicit Storm(std::uint64_t seed) : random_(seed), h_(kPorts), watch_(kBuckets) {
    std::vector<ClassifierRule> rules;
    std::vector<RuleAction> actions;
    for (std::uint32_t i = 0; i < kBuckets; ++i) {
      watch_[i].settings = any_settings();
      h_.add_bucket(watch_[i].settings);
      ClassifierRule rule;
      IpAddress address{10, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)};
      rule.match.dst_prefix = IpPrefix::of(IpVersion::kV4, address, 32);
      rules.push_back(rule);
      actions.push_back({RuleAction::Kind::kBucket, BucketRef{0, i}, 0});
    }
    h_.set_rules(rules, std::move(actions), RuleAction{RuleAction::Kind::kDrop, {}, 0});
  }

  void step() {
    if (chance(2)) send();
    if (chance(4)) ask();
    if (chance(4)) take_back();
    if (chance(5)) reconfigure(index());
    if (chance(10)) h_.ports.set_room(port(), chance(3) ? SIZE_MAX : below(40));
    std::array<std::size_t, kPorts> queued;
    for (std::uint16_t p = 0; p < kPorts; ++p) queued[p] = h_.ports.queued(p);
    h_.lcore.poll_once();
    for (std::uint16_t p = 0; p < kPorts; ++p) {
      for (auto n = queued[p] - h_.ports.queued(p); n > 0; --n) {
        ++watch_[coming_[p].front()].arrived;
        coming_[p].pop_front();
      }
    }
    check();
    // A stall now and then, else a loop of usual length.
    h_.time = h_.time + Duration{static_cast<std::int64_t>(
                            std::exp2(chance(50) ? uniform(14, 31) : uniform(0, 14)))};
  }

  // All ports are free again, and every bucket is fast enough to become empty.
  void drain() {
    for (std::uint16_t p = 0; p < kPorts; ++p) h_.ports.set_room(p, SIZE_MAX);
    for (std::uint32_t i = 0; i < kBuckets; ++i) {
      BucketSettings settings = any_settings();
      settings.units_per_second = 0;
      settings.bits_per_second = 10e9;
      change(i, settings);
    }
    for (int i = 0; i < 20'000 && !h_.transmitter.idle(); ++i) step_idle();
    EXPECT_TRUE(h_.transmitter.idle());
    EXPECT_EQ(h_.transmitter.waiting_packets(), 0U);
    check_order();
    EXPECT_EQ(h_.ports.alive(), 0U);
    for (const RequestRecord& record : records_) {
      EXPECT_NE(record.state.load(), RequestRecord::State::kQueued);
    }
  }

 private:
  struct Watch {
    BucketSettings settings;
    std::uint64_t arrived = 0;
    // What has left, as service time less the time that has passed since: the excess over the rate.
    double excess_ns = 0;
    TimePoint checked{0};
    std::uint64_t departed = 0;
    std::uint64_t departed_bytes = 0;
    double longest_service_ns = 0;
  };

  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  bool chance(std::uint64_t one_in) { return below(one_in) == 0; }
  double uniform(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random_);
  }
  std::uint32_t index() { return static_cast<std::uint32_t>(below(kBuckets)); }
  std::uint16_t port() { return static_cast<std::uint16_t>(below(kPorts)); }

  BucketSettings any_settings() {
    BucketSettings settings;
    settings.capacity = static_cast<std::uint32_t>(1 + below(64));
    if (!chance(4)) settings.bits_per_second = std::pow(10, uniform(3, 10));
    if (settings.bits_per_second == 0 || chance(4)) {
      settings.units_per_second = std::pow(10, uniform(0, 7));
    }
    if (chance(3)) settings.capacity_bytes = 500 + below(20'000);
    if (chance(2)) settings.overhead_bytes = static_cast<std::int32_t>(below(80)) - 40;
    if (chance(2)) settings.min_frame_bytes = static_cast<std::uint32_t>(below(200));
    settings.departure = chance(2) ? Departure::kAtStart : Departure::kAtEnd;
    settings.max_catchup.ns = chance(3) ? 0 : static_cast<std::int64_t>(below(3'000'000));
    return settings;
  }

  void send() {
    // Mostly to a few, so that some buckets are full.
    for (std::uint64_t n = 1 + below(20); n > 0; --n) {
      const std::uint32_t bucket = chance(2) ? index() : index() % 16;
      const std::uint16_t ingress = port();
      const std::uint64_t id = h_.ports.arrive(
          ingress, udp_frame(1, kNetwork + bucket, 7, 9, 42 + below(chance(4) ? 1473 : 60)));
      coming_[ingress].push_back(bucket);
      bucket_of_.push_back(bucket);
      EXPECT_EQ(id + 1, bucket_of_.size());
    }
  }
  void ask() {
    const std::uint32_t bucket = chance(2) ? index() : index() % 16;
    const auto wire_bytes = static_cast<std::uint32_t>(below(1500));
    RequestRecord& record = records_.emplace_back();
    owners_.push_back(bucket);
    const std::uint32_t place = h_.bucket(bucket).occupancy(h_.time) + 1;
    const Admission admission = h_.transmitter.admit_request(bucket, record, wire_bytes, h_.time);
    ++watch_[bucket].arrived;
    if (admission.reason == RejectReason::kAdmitted) {
      EXPECT_EQ(admission.position, place);
      EXPECT_LE(place, watch_[bucket].settings.capacity);
      EXPECT_GE(admission.wait.ns, 0);
    }
  }
  void take_back() {
    if (records_.empty()) return;
    const std::size_t i = records_.size() - 1 - below(std::min<std::size_t>(records_.size(), 100));
    h_.transmitter.release_request(owners_[i], records_[i], h_.time);
  }
  void reconfigure(std::uint32_t i) {
    BucketSettings settings = any_settings();
    if (chance(2)) settings.departure = watch_[i].settings.departure;
    change(i, settings);
  }
  void change(std::uint32_t i, const BucketSettings& settings) {
    Watch& watch = watch_[i];
    Bucket& bucket = h_.bucket(i);
    const std::uint32_t slots = BucketRing::slots_for(settings.capacity);
    RingEntry* const ring = slots > bucket.ring.slot_count() ? h_.more_ring(slots) : nullptr;
    check_rate(i);
    h_.transmitter.change(i, settings, ring, slots, h_.time);
    // One rate of one kind before and after: what is left of a service is rescaled, never forgiven;
    // what max_catchup allowed before is not of this service. Otherwise, and where a unit that left
    // at the END may be followed at once by one that leaves at its START, a new interval begins.
    const bool same_kind =
        (watch.settings.units_per_second == 0) == (settings.units_per_second == 0) &&
        (watch.settings.bits_per_second == 0) == (settings.bits_per_second == 0);
    const bool both = settings.units_per_second > 0 && settings.bits_per_second > 0;
    if (!same_kind || both || watch.settings.departure != settings.departure) {
      watch.excess_ns = 0;
    } else {
      const double scale = settings.units_per_second > 0
                               ? watch.settings.units_per_second / settings.units_per_second
                               : watch.settings.bits_per_second / settings.bits_per_second;
      const auto caught_up = static_cast<double>(watch.settings.max_catchup.ns);
      watch.excess_ns = std::max(0.0, watch.excess_ns - caught_up) * scale;
    }
    watch.longest_service_ns = 0;
    watch.settings = settings;
  }

  void check_rate(std::uint32_t i) {
    Watch& watch = watch_[i];
    const Bucket& bucket = h_.bucket(i);
    watch.excess_ns =
        std::max(0.0, watch.excess_ns - static_cast<double>((h_.time - watch.checked).ns));
    watch.checked = h_.time;
    const std::uint64_t units = bucket.departed.get() - watch.departed;
    if (units == 0) return;
    const std::uint64_t bytes = bucket.departed_bytes.get() - watch.departed_bytes;
    watch.excess_ns += static_cast<double>(bucket.periods.backlog_service(units, bytes).as_ns());
    // The last unit by itself is not known: no unit is longer than this.
    const auto one_unit = static_cast<double>(bucket.periods.service(1600).as_ns());
    EXPECT_LE(watch.excess_ns, one_unit + static_cast<double>(watch.settings.max_catchup.ns) + 4)
        << "bucket " << i;
    watch.departed += units;
    watch.departed_bytes += bytes;
  }

  void check() {
    EXPECT_TRUE(h_.balanced());
    for (std::uint32_t i = 0; i < kBuckets; ++i) {
      const Bucket& bucket = h_.bucket(i);
      std::uint64_t rejected = 0;
      for (const Counter& one : bucket.rejected) rejected += one.get();
      ASSERT_EQ(watch_[i].arrived, bucket.admitted.get() + rejected) << "bucket " << i;
      ASSERT_EQ(bucket.admitted.get(),
                bucket.departed.get() + bucket.dropped.get() + bucket.backlog.get());
      ASSERT_EQ(bucket.backlog_bytes(), h_.ring_bytes(i));
      ASSERT_EQ(bucket.backlog.get() > 0, bucket.hook.scheduled());
      check_rate(i);
    }
    // Nothing is due before it has come.
    const LatencyStats any = h_.latencies(index());
    EXPECT_LE(any.lateness.sum_ns, any.sojourn.sum_ns);
  }

  void step_idle() {
    const auto next = h_.transmitter.idle_until(h_.time);
    h_.time =
        std::max(h_.time, next.value_or(h_.time), [](TimePoint a, TimePoint b) { return a < b; }) +
        Duration{200};
    for (std::uint16_t p = 0; p < kPorts; ++p) {
      for (; !coming_[p].empty(); coming_[p].pop_front()) ++watch_[coming_[p].front()].arrived;
    }
    h_.lcore.poll_once();
  }

  // Of one bucket and one port, packets leave in the order in which they came.
  void check_order() {
    for (std::uint16_t p = 0; p < kPorts; ++p) {
      std::unordered_map<std::uint32_t, std::uint64_t> last;
      for (const FakeIo::Sent& sent : h_.ports.sent(p)) {
        const auto [entry, first] = last.try_emplace(bucket_of_[sent.id], sent.id);
        EXPECT_TRUE(first || entry->second < sent.id) << "packet " << sent.id;
        entry->second = sent.id;
      }
    }
  }

  std::mt19937_64 random_;
  std::deque<RequestRecord> records_;  // Longer than the buckets they wait in.
  Harness h_;
  std::vector<Watch> watch_;
  std::array<std::deque<std::uint32_t>, kPorts> coming_;  // Buckets of packets not yet received.
  std::vector<std::uint32_t> bucket_of_;                  // By packet id.
  std::vector<std::uint32_t> owners_;                     // By record.
};

TEST(BucketPropertyTest, InvariantsHoldThroughAnything) {
  for (int round = 0; round < 3; ++round) {
    const std::uint64_t seed = std::random_device{}();
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    Storm storm(seed);
    for (int i = 0; i < 10'000 && !testing::Test::HasFailure(); ++i) storm.step();
    storm.drain();
  }
}

}  // namespace
}  // namespace drip::datapath
