// SPDX-License-Identifier: BSD-3-Clause
// A starting dripd finds traffic at its port: the rules of its file hold from the first packet.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "dpdk/frames.h"
#include "support/client.h"
#include "support/dripd_process.h"
#include "support/temporary_directory.h"
#include "support/wait_until.h"

namespace drip {
namespace {

// As many as a polling thread takes in some milliseconds.
constexpr std::uint32_t kPackets = 20'000;

struct Counts {
  Counts() = default;
  explicit Counts(const v1::ListLcoresResponse& lcores) {
    for (const v1::Lcore& lcore : lcores.lcores()) {
      received += lcore.rx_packets();
      sent += lcore.tx_packets();
      waiting += lcore.waiting_packets();
      for (const v1::DropCount& drop : lcore.drops()) dropped += drop.packets();
    }
  }
  [[nodiscard]] bool balanced() const { return received == sent + dropped + waiting; }

  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  std::uint64_t dropped = 0;
  std::uint64_t waiting = 0;
};

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
  Counts found;
  EXPECT_TRUE(wait_until([&] {
    found = Counts(client.call(&v1::ShaperService::Stub::ListLcores, std::string()));
    return found.received >= kPackets && found.balanced();
  }));
  EXPECT_EQ(found.received, kPackets);
  EXPECT_EQ(found.dropped, kPackets);
  EXPECT_EQ(found.sent, 0U);
  EXPECT_EQ(found.waiting, 0U);

  const auto rules = client.call(&v1::ShaperService::Stub::ListRules, std::string());
  ASSERT_EQ(rules.rules_size(), 1);
  EXPECT_EQ(rules.rules(0).packets(), kPackets);
  EXPECT_EQ(rules.default_packets(), 0U);
}

}  // namespace
}  // namespace drip
