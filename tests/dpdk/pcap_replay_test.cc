// SPDX-License-Identifier: BSD-3-Clause
// The whole packet path in virtual time from one pcap file to another: spacing exact to the ns.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "datapath/harness.h"
#include "frames.h"

namespace drip::vdev {
namespace {

using datapath::Harness;

class PcapReplayTest : public testing::Test {
 protected:
  PcapReplayTest() { std::filesystem::create_directories(directory_); }
  ~PcapReplayTest() override { std::filesystem::remove_all(directory_); }

  // Bursts of `burst` frames of `frame_bytes`, each `pause` after the one before.
  std::vector<Captured> replay(const BucketSettings& settings, std::uint32_t frames,
                               std::uint32_t burst, Duration pause, std::size_t frame_bytes) {
    std::vector<Captured> traffic;
    for (std::uint32_t i = 0; i < frames; ++i) {
      traffic.push_back({numbered_frame(i, frame_bytes), i / burst * pause.ns});
    }
    write_pcap(directory_ / "in.pcap", traffic);

    Harness path;
    const TimePoint start = path.time;
    path.send_all_to(path.add_bucket(settings));
    for (const Captured& arriving : read_pcap(directory_ / "in.pcap")) {
      path.run_until(start + Duration{arriving.ns}, Duration{1});
      path.ports.arrive(0, arriving.frame);
    }
    path.run_until(path.time + Duration{2'000'000}, Duration{1});
    EXPECT_TRUE(path.balanced());

    std::vector<Captured> sent;
    for (const auto& packet : path.ports.sent(1)) {
      sent.push_back({traffic[packet.id].frame, (packet.at - start).ns});
    }
    write_pcap(directory_ / "out.pcap", sent);
    return read_pcap(directory_ / "out.pcap");
  }

  const std::filesystem::path directory_ =
      std::filesystem::temp_directory_path() / ("drip-replay-" + std::to_string(getpid()));
};

TEST_F(PcapReplayTest, ABurstLeavesAtExactlyTheRate) {
  BucketSettings settings;
  settings.bits_per_second = 1e9;
  settings.capacity = 1000;
  settings.departure = Departure::kAtStart;
  const auto out = replay(settings, 100, 100, Duration{0}, 1500);
  ASSERT_EQ(out.size(), 100U);
  for (std::uint32_t i = 0; i < 100; ++i) {
    EXPECT_EQ(out[i].frame, numbered_frame(i, 1500));
    // 12,000 bits at 1 Gbit/s: 12 us.
    EXPECT_EQ(out[i].ns, 12'000LL * i) << i;
  }
}

TEST_F(PcapReplayTest, ARateOfNoWholeNanosecondsDoesNotDrift) {
  BucketSettings settings;
  settings.bits_per_second = 7e9;
  settings.capacity = 1000;
  settings.overhead_bytes = 24;
  settings.departure = Departure::kAtStart;
  const auto out = replay(settings, 700, 700, Duration{0}, 1500);
  ASSERT_EQ(out.size(), 700U);
  for (std::uint32_t i = 1; i < 700; ++i) {
    // 1524 bytes at 7 Gbit/s are 1741 5/7 ns: the i-th leaves at the next whole ns.
    EXPECT_EQ(out[i].ns, (12'192LL * i + 6) / 7) << i;
  }
}

TEST_F(PcapReplayTest, PausesSaveNothingUp) {
  BucketSettings settings;
  settings.units_per_second = 1e6;
  settings.capacity = 100;
  settings.departure = Departure::kAtEnd;
  const auto out = replay(settings, 30, 10, Duration{50'000}, 64);
  ASSERT_EQ(out.size(), 30U);
  for (std::uint32_t i = 0; i < 30; ++i) {
    EXPECT_EQ(out[i].ns, 50'000LL * (i / 10) + 1'000LL * (i % 10 + 1)) << i;
  }
}

}  // namespace
}  // namespace drip::vdev
