// SPDX-License-Identifier: BSD-3-Clause
// A starting dripd finds traffic at its port: the rules of its file hold from the first packet.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "client.h"
#include "dripd_process.h"
#include "frames.h"
#include "temporary_directory.h"

namespace drip {
namespace {

// As many as a polling thread takes in some milliseconds.
constexpr std::uint32_t kPackets = 20'000;

std::uint64_t received(const v1::ListLcoresResponse& lcores) {
  std::uint64_t sum = 0;
  for (const v1::Lcore& lcore : lcores.lcores()) sum += lcore.rx_packets();
  return sum;
}

TEST(FirstPacket, FindsTheRulesOfTheFile) {
  const TemporaryDirectory directory;
  const std::string pcap = directory.path_of("traffic.pcap");
  {
    std::vector<vdev::Frame> frames;
    for (std::uint32_t i = 0; i < kPackets; ++i) frames.push_back(vdev::numbered_frame(i, 64));
    vdev::write_pcap(pcap, frames);
  }
  const std::string file = directory.write("dripd.toml", R"([[ports]]
name = "in"
device = "net_pcap0,rx_pcap=)" + pcap + R"("
peer = "out"

[[ports]]
name = "out"
device = "net_null0,no-rx=1"
peer = "in"

[memory]
mbufs = 8192
hugepages = "never"

[[rules]]
rule_id = "all"
drop = true
)");
  ServingDripd dripd({"--config", file});
  Client client(dripd.address());
  // The device gives them all, once, to whoever asks first.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  v1::ListLcoresResponse lcores;
  do {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    lcores = client.call(&v1::ShaperService::Stub::ListLcores, std::string());
  } while (received(lcores) < kPackets && std::chrono::steady_clock::now() < deadline);
  EXPECT_EQ(received(lcores), kPackets);

  const auto rules = client.call(&v1::ShaperService::Stub::ListRules, std::string());
  ASSERT_EQ(rules.rules_size(), 1);
  EXPECT_EQ(rules.rules(0).packets(), kPackets);
  EXPECT_EQ(rules.default_packets(), 0U);
  for (const v1::Lcore& lcore : lcores.lcores()) EXPECT_EQ(lcore.tx_packets(), 0U);
}

}  // namespace
}  // namespace drip
