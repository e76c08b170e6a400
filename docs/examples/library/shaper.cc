// SPDX-License-Identifier: BSD-3-Clause
// Shapes two bursts in virtual time and prints when each packet departs.
//
//   c++ -std=c++20 $(pkg-config --cflags drip) shaper.cc -o shaper && ./shaper
#include <drip/shaper.h>

#include <array>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace {

struct Packet {
  int number = 0;
  std::uint32_t bytes = 0;
  std::uint32_t bucket = 0;
};

struct Customer {
  const char* name;
  double bits_per_second;
  std::uint32_t packet_bytes;
  std::int64_t period_ns;  // What the rate means: packet_bytes * 8 / bits_per_second.
};
constexpr std::array<Customer, 2> kCustomers = {
    Customer{"gold", 100e6, 1500, 120'000},
    Customer{"silver", 7e6, 700, 800'000},
};
constexpr int kBurst = 6;
constexpr std::uint32_t kCapacity = 5;

}  // namespace

int main() {
  const drip::TimePoint start{0};
  drip::Shaper<Packet> shaper({.max_buckets = 2, .ring_slots = 64, .start = start});

  std::array<std::uint32_t, 2> buckets{};
  for (std::size_t i = 0; i < kCustomers.size(); ++i) {
    drip::BucketSettings settings;
    settings.capacity = kCapacity;
    settings.bits_per_second = kCustomers[i].bits_per_second;
    settings.departure = drip::Departure::kAtStart;  // The first packet does not wait.
    const auto bucket = shaper.add_bucket(settings, start);
    if (!bucket.ok()) {
      std::fprintf(stderr, "%s: %s\n", kCustomers[i].name, bucket.error().c_str());
      return 1;
    }
    buckets[i] = *bucket;
  }

  // Two bursts at time 0. The last packet of each finds its bucket full.
  std::vector<Packet> packets(2 * kBurst);
  std::vector<drip::Shaper<Packet>::Arrival> burst;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const std::size_t customer = i % 2;
    packets[i] = {static_cast<int>(i / 2), kCustomers[customer].packet_bytes, buckets[customer]};
    burst.push_back({buckets[customer], packets[i].bytes, &packets[i]});
  }
  const std::size_t admitted =
      shaper.enqueue(burst, start, [&](const Packet* packet, drip::RejectReason) {
        std::printf("%-8s packet %d rejected: the bucket is full\n",
                    kCustomers[packet->bucket].name, packet->number);
      });

  std::printf("%-8s %6s %15s\n", "bucket", "packet", "departs at (ns)");
  bool exact = true;
  std::size_t departed = 0;
  std::array<Packet*, 32> out{};
  while (const auto next = shaper.next_departure()) {
    // An application would poll, or sleep until then. Here time jumps.
    const std::size_t count = shaper.dequeue(*next, out);
    for (std::size_t i = 0; i < count; ++i) {
      const Customer& customer = kCustomers[out[i]->bucket];
      const std::int64_t at = (*next - start).ns;
      std::printf("%-8s %6d %15" PRId64 "\n", customer.name, out[i]->number, at);
      exact &= at == out[i]->number * customer.period_ns;
    }
    departed += count;
  }

  for (std::size_t i = 0; i < buckets.size(); ++i) {
    const drip::BucketCounters stats = shaper.stats(buckets[i]);
    std::printf("%-8s admitted %" PRIu64 ", rejected %" PRIu64 ", departed %" PRIu64
                ", longest wait %" PRIu64 " ns\n",
                kCustomers[i].name, stats.admitted,
                stats.rejected[static_cast<std::size_t>(drip::RejectReason::kFull)], stats.departed,
                stats.sojourn.max_ns);
  }
  if (!exact || departed != admitted || admitted != 2 * kCapacity) {
    std::fprintf(stderr, "FAILED: the departures are not those of the rates\n");
    return 1;
  }
  return 0;
}
