// SPDX-License-Identifier: BSD-3-Clause
// Which of the packets that a worker has received are sampled.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "drip/counter.h"
#include "engine/packet_sample.h"
#include "packet/headers.h"
#include "packet/protocol_numbers.h"

namespace drip::datapath {

/// Runs on the worker's thread. It decides by headers that the worker has read anyway: some cycles
/// a packet, and a copy of what is sampled.
class PacketSampler {
 public:
  explicit PacketSampler(SampleRing& ring) : ring_(ring) { begin_burst(); }

  /// Takes the plan for the packets that follow.
  void begin_burst() {
    const SamplePlan plan = ring_.plan.load(std::memory_order_relaxed);
    if (plan == plan_) return;
    const bool new_gap = plan.one_in != plan_.one_in;
    // Those since the last one are not forgotten, unless none was to stand for them.
    if (plan_.one_in == 0) since_last_ = 0;
    plan_ = plan;
    if (new_gap) until_next_ = random_gap();
  }

  enum Choice : std::uint8_t { kNot = 0, kForItsFlow = 1, kAtRandom = 2 };
  /// Of the next packet; both bits may be set.
  [[nodiscard]] std::uint8_t choose(const Headers& headers) {
    std::uint8_t choice = kNot;
    if (headers.ip_protocol == ip_protocol::kTcp && headers.ports_valid &&
        (hash(headers) & plan_.mask) == (plan_.turn & plan_.mask)) {
      choice = kForItsFlow;
    }
    ++since_last_;
    if (--until_next_ == 0) [[unlikely]]
      choice |= kAtRandom;
    return choice;
  }

  /// For how many packets one that was chosen at random stands, itself included. Begins to wait for
  /// the next one.
  [[nodiscard]] std::uint32_t take_weight() {
    const std::uint32_t weight = since_last_;
    since_last_ = 0;
    until_next_ = random_gap();
    return weight;
  }

  void push(const PacketSample& sample) {
    if (ring_.samples.push(sample)) return;
    ring_.lost.store(ring_.lost.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

 private:
  // The same for both directions of a connection.
  [[nodiscard]] std::uint32_t hash(const Headers& headers) const {
    std::uint64_t words[4];
    std::memcpy(&words[0], headers.src_address.data(), 16);
    std::memcpy(&words[2], headers.dst_address.data(), 16);
    const std::uint64_t ports = headers.src_port ^ headers.dst_port;
    std::uint64_t mixed = (words[0] ^ words[2]) * ring_.hash_key +
                          ((words[1] ^ words[3]) + (ports << 32 | ports)) * kOdd;
    // Without this neighbouring ports would be at a constant distance.
    mixed ^= mixed >> 32;
    return static_cast<std::uint32_t>((mixed * ring_.hash_key) >> 40);
  }

  // 1 to 2 one_in - 1, so that traffic that repeats itself is not seen at the same place always.
  [[nodiscard]] std::uint32_t random_gap() {
    if (plan_.one_in == 0) return ~std::uint32_t{0};
    // xorshift64: Marsaglia, Journal of Statistical Software 8(14), 2003.
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    const std::uint64_t range = 2 * std::uint64_t{plan_.one_in} - 1;
    return static_cast<std::uint32_t>(1 + ((random_ >> 32) * range >> 32));
  }

  static constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;  // 2^64 by the golden ratio.

  SampleRing& ring_;
  SamplePlan plan_{};
  std::uint32_t until_next_ = ~std::uint32_t{0};
  std::uint32_t since_last_ = 0;
  std::uint64_t random_ = kOdd;
};

}  // namespace drip::datapath
