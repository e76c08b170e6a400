// SPDX-License-Identifier: BSD-3-Clause
// Sends a fixed number of packets through the bucket path in virtual time, for a count of
// instructions.
//
//   path_instructions CASE PACKETS      CASE: straight, scheduled, throttled or none (all but the
//   path)
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datapath/packet_io.h"
#include "datapath/transmitter.h"

namespace drip::datapath {
namespace {

constexpr std::uint32_t kBuckets = 1024;
constexpr std::uint32_t kCapacity = 16;
constexpr std::uint32_t kBurst = 32;

struct alignas(kCacheLineBytes) Packet {
  std::uint64_t unused = 0;
};

// Takes everything and keeps nothing: packets are used again and again.
struct CountingSink {
  std::uint64_t sent = 0;
  std::uint64_t dropped = 0;

  std::uint32_t rx(std::uint16_t, std::span<void*>) { return 0; }
  std::uint32_t tx(std::uint16_t, std::span<void*> packets) {
    sent += packets.size();
    return static_cast<std::uint32_t>(packets.size());
  }
  [[nodiscard]] bool takes(std::uint16_t) const { return true; }
  void free(std::span<void*> packets) { dropped += packets.size(); }
  FrameBytes frame(void*) { return {}; }
  std::span<std::uint8_t> writable_bytes(void*) { return {}; }
  void prefetch(void*) {}
  [[nodiscard]] std::uint16_t rx_queues() const { return 0; }
  [[nodiscard]] std::uint16_t ingress(std::uint16_t) const { return 0; }
  [[nodiscard]] std::uint16_t egress(std::uint16_t) const { return 0; }
  [[nodiscard]] std::uint32_t longest_frame(std::uint16_t) const { return UINT32_MAX; }
  [[nodiscard]] std::optional<DropReason> check_long_frame(std::uint16_t, const FrameBytes&) const {
    return {};
  }
};
static_assert(PacketIo<CountingSink>);

struct VirtualClock {
  TimePoint time;
  TimePoint now() const { return time; }
};

BucketSettings settings_for(std::string_view name) {
  BucketSettings settings;
  settings.capacity = kCapacity;
  settings.departure = name == "straight" ? Departure::kAtStart : Departure::kAtEnd;
  // A bucket's packets come 32 us apart: half of them may leave, or all.
  settings.units_per_second = name == "throttled" ? 1e9 / 64e3 : 1e6;
  return settings;
}

int run(std::string_view name, std::uint64_t packets) {
  BucketTable table(kBuckets, -1);
  CountingSink sink;
  LcoreCounters counters;
  VirtualClock clock{TimePoint{1'000'000'000}};
  Transmitter<CountingSink> transmitter(table, clock.time, sink, 1, counters);
  std::vector<RingEntry> rings(std::size_t{kBuckets} * kCapacity);
  for (std::uint32_t slot = 0; slot < kBuckets; ++slot) {
    transmitter.create(slot, settings_for(name), &rings[std::size_t{slot} * kCapacity], kCapacity,
                       clock.time);
  }
  const auto pool = std::make_unique<Packet[]>(kBurst);
  std::uint32_t next = 0;
  for (std::uint64_t sent = 0; sent < packets; sent += kBurst) {
    clock.time = clock.time + Duration{1000};
    for (std::uint32_t i = 0; i < kBurst; ++i) {
      // Any order will do that visits all of them.
      next = (next + 389) % kBuckets;
      if (name != "none") transmitter.offer(next, &pool[i], 60, 0, clock.time, clock.time);
    }
    if (name != "none") transmitter.transmit(clock);
    transmitter.flush();
  }
  transmitter.drop_all(clock.time);
  std::printf("%s: %llu sent, %llu dropped\n", std::string(name).c_str(),
              static_cast<unsigned long long>(sink.sent),
              static_cast<unsigned long long>(sink.dropped));
  return name == "none" || sink.sent + sink.dropped == packets ? 0 : 1;
}

}  // namespace
}  // namespace drip::datapath

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  return drip::datapath::run(argv[1], std::strtoull(argv[2], nullptr, 10));
}
