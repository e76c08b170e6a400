// SPDX-License-Identifier: BSD-3-Clause
// Receives a fixed number of frames, finds the rule of each and drops it by that, for a count of
// instructions: what parsing and classifying cost, and nothing else.
//
//   receive_instructions CASE PACKETS     CASE: ipv4, ipv6, tagged, ports, tcp, sampled (tcp, of
//                                         which some are sampled) or none (no frames)
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "datapath/dispatcher.h"
#include "datapath/packet_io.h"
#include "datapath/rx_worker.h"
#include "support/frame_builder.h"

namespace drip::datapath {
namespace {

constexpr std::uint32_t kRules = 1024;
constexpr std::uint32_t kBurst = 32;
constexpr std::uint32_t kNetwork = 0x0a000000;  // 10.0.0.0; rule i is of 10.0.0.0 + i.

struct alignas(kCacheLineBytes) Packet {
  Bytes bytes;
};

// A burst of the same frames, again and again.
struct FrameSource {
  std::vector<Packet> packets;
  std::uint64_t left = 0;
  std::uint64_t dropped = 0;

  std::uint32_t rx(std::uint16_t, std::span<void*> out) {
    if (left < packets.size()) return 0;
    for (std::size_t i = 0; i < packets.size(); ++i) out[i] = &packets[i];
    left -= packets.size();
    return static_cast<std::uint32_t>(packets.size());
  }
  std::uint32_t tx(std::uint16_t, std::span<void*>) { return 0; }
  [[nodiscard]] bool takes(std::uint16_t) const { return true; }
  void free(std::span<void*> freed) { dropped += freed.size(); }
  FrameBytes frame(void* packet) {
    const Bytes& bytes = static_cast<Packet*>(packet)->bytes;
    return {bytes, static_cast<std::uint32_t>(bytes.size())};
  }
  std::span<std::uint8_t> writable_bytes(void*) { return {}; }
  void prefetch(void*) {}
  [[nodiscard]] std::uint16_t rx_queues() const { return 1; }
  [[nodiscard]] std::uint16_t ingress(std::uint16_t) const { return 0; }
  [[nodiscard]] std::uint16_t egress(std::uint16_t) const { return 0; }
  [[nodiscard]] std::uint32_t longest_frame(std::uint16_t) const { return UINT32_MAX; }
  [[nodiscard]] std::optional<DropReason> check_long_frame(std::uint16_t, const FrameBytes&) const {
    return {};
  }
};
static_assert(PacketIo<FrameSource>);

struct VirtualClock {
  TimePoint time;
  TimePoint now() const { return time; }
};

IpAddress host(std::string_view name, std::uint32_t number) {
  if (name != "ipv6") return ipv4_address(kNetwork + number);
  IpAddress result = address("2001:db8::");
  result[14] = static_cast<std::uint8_t>(number >> 8);
  result[15] = static_cast<std::uint8_t>(number);
  return result;
}

bool is_tcp(std::string_view name) { return name == "tcp" || name == "sampled"; }

Bytes frame_to(std::string_view name, std::uint32_t number) {
  FrameBuilder frame;
  if (name == "tagged") frame.tag(0x88a8, 7).tag(0x8100, 9);
  if (name == "ipv6") {
    Ipv6Fields fields;
    fields.dst = host(name, number);
    frame.ipv6(fields);
  } else {
    Ipv4Fields fields;
    fields.dst = host(name, number);
    if (is_tcp(name)) fields.protocol = 6;
    frame.ipv4(fields);
  }
  return frame.ports(5000, static_cast<std::uint16_t>(20'000 + number % 8))
      .raw(Bytes(4 + 18))
      .build();
}

int run(std::string_view name, std::uint64_t count) {
  FrameSource source;
  LcoreCounters counters;
  const FlowHash spread{1};
  Dispatcher<FrameSource> dispatcher(source, nullptr, nullptr, 0, {}, spread, counters);
  RxWorker<FrameSource> worker(0, source, dispatcher, counters);
  RuleSnapshot rules;
  std::vector<ClassifierRule> matches(kRules);
  for (std::uint32_t i = 0; i < kRules; ++i) {
    matches[i].match.dst_prefix = name == "ipv6" ? IpPrefix::of(IpVersion::kV6, host(name, i), 128)
                                                 : IpPrefix::of(IpVersion::kV4, host(name, i), 32);
    if (name == "ports") {
      const auto port = static_cast<std::uint16_t>(20'000 + i % 8);
      matches[i].match.dst_port = PortRange{port, port};
    }
    matches[i].result = i;
    rules.actions.push_back({RuleAction::Kind::kDrop, {}, 0});
  }
  rules.classifier = Classifier::build(matches).value();
  rules.prepare_workers(1);
  worker.set_rules(&rules);
  // As at 10 Mpps with --traffic-samples 20000: one packet of 1000 at random, one connection of
  // 1024. Of the few ones here none has its turn.
  SampleRing samples(0x9e3779b97f4a7c15);
  samples.plan.store({.mask = 1023, .turn = 5, .one_in = 1000});
  if (name == "sampled") worker.set_samples(&samples);
  // Any order will do that spreads over the rules.
  for (std::uint32_t i = 0; i < kBurst; ++i) {
    source.packets.push_back({frame_to(name, i * 389 % kRules)});
  }
  if (name != "none") source.left = count;
  VirtualClock clock{TimePoint{1'000'000'000}};
  std::uint64_t sampled = 0;
  for (std::uint64_t received = 0; received < count; received += kBurst) {
    worker.take();
    worker.handle(clock);
    dispatcher.flush();
    std::array<PacketSample, kBurst> taken;
    if (name == "sampled") sampled += samples.samples.pop(taken);
  }
  std::uint64_t matched = 0;
  for (std::size_t i = 0; i < kRules; ++i) matched += rules.workers[0][i].packets.get();
  std::printf("%s: %llu matched, %llu sampled\n", std::string(name).c_str(),
              static_cast<unsigned long long>(matched), static_cast<unsigned long long>(sampled));
  return name == "none" || (matched == count && source.dropped == count) ? 0 : 1;
}

}  // namespace
}  // namespace drip::datapath

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  return drip::datapath::run(argv[1], std::strtoull(argv[2], nullptr, 10));
}
