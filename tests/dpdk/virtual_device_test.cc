// SPDX-License-Identifier: BSD-3-Clause
// Devices that live in the process: net_pcap, net_null, net_ring, net_memif.
#include <gtest/gtest.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "frames.h"
#include "node.h"

namespace drip::vdev {
namespace {

BucketSettings bits(double bits_per_second, std::uint32_t capacity) {
  BucketSettings settings;
  settings.bits_per_second = bits_per_second;
  settings.capacity = capacity;
  settings.departure = Departure::kAtStart;
  return settings;
}

class VirtualDeviceTest : public testing::Test {
 protected:
  VirtualDeviceTest() { std::filesystem::create_directories(directory_); }
  ~VirtualDeviceTest() override { std::filesystem::remove_all(directory_); }
  [[nodiscard]] std::string path(const std::string& name) const { return directory_ / name; }

  const std::filesystem::path directory_ =
      std::filesystem::temp_directory_path() / ("drip-vdev-" + std::to_string(getpid()));
};

TEST_F(VirtualDeviceTest, PcapInGivesPcapOutInOrderAndSpaced) {
  constexpr std::uint32_t kFrames = 60;
  std::vector<Frame> frames;
  for (std::uint32_t i = 0; i < kFrames; ++i) frames.push_back(numbered_frame(i, 1000));
  write_pcap(path("in.pcap"), frames);
  {
    Node node({{"in", "net_pcap0,rx_pcap=" + path("in.pcap"), "out"},
               {"out", "net_pcap1,tx_pcap=" + path("out.pcap"), "in"}});
    ASSERT_TRUE(node.is_open()) << node.status();
    // 400 kbit/s: a frame of 1000 bytes each 20 ms. Wide gaps, since the machine may hold the
    // polling thread up for milliseconds; pcap_replay_test.cc has the exact ones.
    const BucketRef bucket = node.add_bucket(bits(400e3, kFrames));
    node.set_rules({{0, to_bucket(bucket)}}, {bucket});
    EXPECT_TRUE(wait_until([&] { return node.tx() == kFrames; }));
    EXPECT_EQ(node.engine().read(bucket).departed, kFrames);
    node.stop_and_check_balance();
  }
  const std::vector<Captured> out = read_pcap(path("out.pcap"));
  ASSERT_EQ(out.size(), kFrames);
  std::vector<std::int64_t> gaps;
  for (std::uint32_t i = 0; i < kFrames; ++i) {
    EXPECT_EQ(out[i].frame, frames[i]) << i;
    if (i > 0) gaps.push_back(out[i].ns - out[i - 1].ns);
  }
  std::nth_element(gaps.begin(), gaps.begin() + static_cast<std::ptrdiff_t>(gaps.size() / 2),
                   gaps.end());
  EXPECT_NEAR(static_cast<double>(gaps[gaps.size() / 2]), 20e6, 1e6);
}

TEST_F(VirtualDeviceTest, JumboFramesArriveWholeAndAreChargedWhole) {
  constexpr std::uint32_t kFrames = 40;
  constexpr std::uint16_t kMtu = 9000;
  std::vector<Frame> frames;
  for (std::uint32_t i = 0; i < kFrames; ++i) frames.push_back(numbered_frame(i, kMtu + 14));
  write_pcap(path("in.pcap"), frames);
  {
    Node node({{"in", "net_pcap0,rx_pcap=" + path("in.pcap"), "out", kMtu},
               {"out", "net_pcap1,tx_pcap=" + path("out.pcap"), "in", kMtu}},
              {datapath::LcorePlan{}}, dpdk::longest_frame(kMtu));
    ASSERT_TRUE(node.is_open()) << node.status();
    for (const PortStats& port : node.engine().ports()) EXPECT_EQ(port.mtu, kMtu);
    const BucketRef bucket = node.add_bucket(bits(1e9, kFrames));
    node.set_rules({{0, to_bucket(bucket)}}, {bucket});
    EXPECT_TRUE(wait_until([&] { return node.tx() == kFrames; }));
    EXPECT_EQ(node.engine().read(bucket).departed_bytes, kFrames * (kMtu + 14U));
    node.stop_and_check_balance();
  }
  const std::vector<Captured> out = read_pcap(path("out.pcap"));
  ASSERT_EQ(out.size(), kFrames);
  for (std::uint32_t i = 0; i < kFrames; ++i) EXPECT_EQ(out[i].frame, frames[i]) << i;
}

TEST_F(VirtualDeviceTest, RefusesAnMtuThatDoesNotFit) {
  const Node small_buffers({{"x", "net_null0", "x", 9000}});
  EXPECT_EQ(small_buffers.status().message(),
            "port x (net_null0): mtu: 9000 allows frames of 9022 bytes, a packet buffer holds 2048 "
            "and net_null does not split frames over several: raise mbuf_data, or leave it out and "
            "it follows the MTU");
  const Node below_all({{"x", "net_null0", "x", 67}});
  EXPECT_EQ(below_all.status().message(),
            "port x (net_null0): mtu: 67 is not allowed: 68 to 16362 with net_null");
}

TEST_F(VirtualDeviceTest, NullDeviceOffersMoreThanTheRateAndAllIsAccountedFor) {
  Node node({{"in", "net_null0,size=200", "out"}, {"out", "net_null1,no-rx=1", "in"}});
  ASSERT_TRUE(node.is_open()) << node.status();
  const BucketRef bucket = node.add_bucket(bits(100e6, 64));
  node.set_rules({{0, to_bucket(bucket)}}, {bucket});
  EXPECT_TRUE(wait_until([&] { return node.engine().read(bucket).departed > 5000; }));
  EXPECT_GT(node.drops(DropReason::kBucketFull), 0U);
  const auto ports = node.engine().ports();
  EXPECT_GE(ports[0].rx_packets, node.tx());
  EXPECT_GT(ports[1].tx_packets, 0U);
  node.stop_and_check_balance();
  const BucketStats stats = node.engine().read(bucket);
  EXPECT_EQ(stats.admitted, stats.departed + stats.dropped + stats.backlog);
}

TEST_F(VirtualDeviceTest, RingDevicesCarryEveryPacketInOrder) {
  constexpr std::uint32_t kFrames = 500;
  Node node({{"a", "net_ring0", "b"}, {"b", "net_ring1", "a"}});
  ASSERT_TRUE(node.is_open()) << node.status();
  // A net_ring device gives out what it was given: fill the ring of a, and what leaves by b comes
  // in by b again, where it ends.
  rte_ring* const ring = rte_ring_lookup("ETH_RXTX0_net_ring0");
  ASSERT_NE(ring, nullptr);
  rte_mempool* const pool = rte_mempool_lookup("drip-packets");
  ASSERT_NE(pool, nullptr);
  const unsigned free_before = rte_mempool_avail_count(pool);
  const BucketRef bucket = node.add_bucket(bits(1e9, 1024));
  node.set_rules({{0, to_bucket(bucket)}, {1, drop_all()}}, {bucket});
  for (std::uint32_t i = 0; i < kFrames; ++i) {
    rte_mbuf* const mbuf = rte_pktmbuf_alloc(pool);
    ASSERT_NE(mbuf, nullptr);
    const Frame frame = numbered_frame(i, 300);
    std::memcpy(rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(frame.size())), frame.data(),
                frame.size());
    ASSERT_EQ(rte_ring_enqueue(ring, mbuf), 0);
  }
  EXPECT_TRUE(wait_until([&] { return node.drops(DropReason::kRuleDrop) == kFrames; }));
  EXPECT_EQ(node.rx(), 2 * kFrames);
  EXPECT_EQ(node.tx(), kFrames);
  node.stop_and_check_balance();
  // No mbuf is lost; the caches of threads that have ended were returned.
  EXPECT_EQ(rte_mempool_avail_count(pool), free_before);
}

TEST_F(VirtualDeviceTest, MemifCarriesShapedFrames) {
  constexpr std::uint32_t kFrames = 200;
  std::vector<Frame> frames;
  for (std::uint32_t i = 0; i < kFrames; ++i) frames.push_back(numbered_frame(i, 64 + i * 7));
  write_pcap(path("in.pcap"), frames);
  const std::string socket = ",socket-abstract=no,socket=" + path("memif.sock");
  {
    Node node({{"in", "net_pcap0,rx_pcap=" + path("in.pcap"), "near"},
               {"near", "net_memif0,role=server" + socket, "in"},
               {"far", "net_memif1,role=client" + socket, "out"},
               {"out", "net_pcap1,tx_pcap=" + path("out.pcap"), "far"}});
    ASSERT_TRUE(node.is_open()) << node.status();
    ASSERT_TRUE(wait_until([&] {
      const auto ports = node.engine().ports();
      return ports[1].link_up && ports[2].link_up;
    }));
    const BucketRef bucket = node.add_bucket(bits(20e6, kFrames));
    node.set_rules({{0, to_bucket(bucket)}, {2, pass_all()}}, {bucket});
    EXPECT_TRUE(wait_until([&] { return node.tx() == 2 * kFrames; }));
    node.stop_and_check_balance();
  }
  const std::vector<Captured> out = read_pcap(path("out.pcap"));
  ASSERT_EQ(out.size(), kFrames);
  for (std::uint32_t i = 0; i < kFrames; ++i) EXPECT_EQ(out[i].frame, frames[i]) << i;
}

TEST_F(VirtualDeviceTest, WorkersAndTransmittersOnThreadsOfTheirOwn) {
  using Role = LcoreStats::Role;
  Node node({{"in", "net_null0,size=200", "out"}, {"out", "net_null1,no-rx=1", "in"}},
            {{Role::kWorker, -1, -1, false, 0}, {Role::kTransmitter, -1, -1, false, 0}});
  ASSERT_TRUE(node.is_open()) << node.status();
  const BucketRef bucket = node.add_bucket(bits(50e6, 64));
  node.set_rules({{0, to_bucket(bucket)}}, {bucket});
  EXPECT_TRUE(wait_until([&] { return node.engine().read(bucket).departed > 2000; }));
  node.stop_and_check_balance();
}

TEST_F(VirtualDeviceTest, RefusesWhatCannotBeOpened) {
  const Node missing({{"x", "net_nonsense0", "x"}});
  EXPECT_FALSE(missing.is_open());
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(missing.status().message().find("port x (net_nonsense0)"), std::string::npos)
      << missing.status();

  const Node no_peer({{"x", "net_null0", "y"}});
  EXPECT_EQ(no_peer.status().message(), "port x: its peer y is not among the ports");

  const Node twice({{"x", "net_null0", "x"}, {"x", "net_null1", "x"}});
  EXPECT_EQ(twice.status().message(), "port x: named twice");
}

TEST_F(VirtualDeviceTest, RefusesMoreThanThePacketBuffersCanHold) {
  Node node({{"in", "net_null0,no-rx=1", "in"}});
  ASSERT_TRUE(node.is_open()) << node.status();
  const BucketRef bucket = node.add_bucket(bits(1e6, 1 << 16));
  auto snapshot = std::make_shared<RuleSnapshot>();
  snapshot->fallback = to_bucket(bucket);
  snapshot->prepare_workers(1);
  const auto refused = node.engine().swap_rules(snapshot, std::vector{bucket});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(refused.status().message().find("would add up to 65536"), std::string::npos)
      << refused.status();
  node.stop_and_check_balance();
}

TEST_F(VirtualDeviceTest, ReservationsOfOneCallAreAddedUp) {
  Node node({{"in", "net_null0,no-rx=1", "in"}});
  ASSERT_TRUE(node.is_open()) << node.status();
  const std::vector<BucketRef> buckets = {node.add_bucket(bits(1e6, 10)),
                                          node.add_bucket(bits(1e6, 10))};
  node.set_rules({{0, to_bucket(buckets[0])}}, buckets);
  // Either alone would fit into the 16384 buffers.
  std::vector<BucketChange> changes = {{buckets[0], bits(1e6, 8000)},
                                       {buckets[1], bits(1e6, 8000)}};
  EXPECT_EQ(node.engine().apply(changes).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(node.engine().memory().mbufs_reserved, 20U);
  changes.pop_back();
  EXPECT_TRUE(node.engine().apply(changes).ok());
  EXPECT_EQ(node.engine().memory().mbufs_reserved, 8010U);
  node.stop_and_check_balance();
}

}  // namespace
}  // namespace drip::vdev
