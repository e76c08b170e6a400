// SPDX-License-Identifier: BSD-3-Clause
// `bucket traffic`.
#include <gmock/gmock.h>

#include "dripctl_fixture.h"

namespace drip {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

class DripctlTrafficTest : public DripctlTest {
 protected:
  DripctlTrafficTest() {
    traffic_.set_connections_one_in(4);
    traffic_.set_packets_one_in(7);
  }
  std::string text() {
    server_->reply(traffic_);
    const Outcome outcome = dripctl("bucket traffic web");
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.out;
  }

  v1::GetBucketTrafficResponse traffic_;
};

TEST_F(DripctlTrafficTest, ShowsRoundTripsRetransmissionsAndFlows) {
  v1::RoundTrips& trips = *traffic_.mutable_to_destination();
  trips.set_count(500);
  trips.set_recent_count(64);
  trips.set_recent_min_ns(20'000'000);
  trips.set_recent_p50_ns(62'800'000);
  trips.set_recent_p90_ns(80'000'000);
  trips.set_recent_max_ns(95'000'000);
  traffic_.mutable_to_source()->set_count(3);
  traffic_.set_segments(1000);
  traffic_.set_retransmitted_segments(25);
  traffic_.set_bps(10'000'000);
  traffic_.set_measured_over_ns(10'000'000'000);
  v1::TrafficFlow& flow = *traffic_.add_flows();
  flow.set_flow("10.0.0.1:443>10.0.0.2:5000/tcp");
  flow.set_bps(8'000'000);
  flow.set_overrated_bps(500'000);
  const std::string shown = text();
  EXPECT_THAT(shown, ContainsRegex("bucket +web\n"));
  EXPECT_THAT(shown, ContainsRegex("rtt to destination +p50 62.8ms, p90 80ms, 20ms to 95ms "
                                   "\\(64 in the last minute\\)\n"));
  EXPECT_THAT(shown, ContainsRegex("rtt to source +none in the last minute, 3 before\n"));
  EXPECT_THAT(shown, ContainsRegex("retransmitted +25 of 1000 segments \\(2.50 %\\)\n"));
  EXPECT_THAT(shown, ContainsRegex("sampled +1 of 4 TCP connections, 1 of 7 packets\n"));
  EXPECT_THAT(shown, HasSubstr("flows that sent most, over 10s\n"));
  EXPECT_THAT(shown, ContainsRegex("10.0.0.1:443>10.0.0.2:5000/tcp +7.5mbit +75.0 %"));
}

TEST_F(DripctlTrafficTest, SaysSoIfThereIsNothing) {
  const std::string shown = text();
  EXPECT_THAT(shown, ContainsRegex("rtt to destination +none measured\n"));
  EXPECT_THAT(shown, ContainsRegex("retransmitted +0 of 0 segments \\(0.00 %\\)\n"));
  EXPECT_THAT(shown, HasSubstr("no packets were sampled"));
}

TEST_F(DripctlTrafficTest, AsksForTheBucketAndItsFlows) {
  server_->reply(traffic_);
  EXPECT_EQ(json("bucket traffic hosts/10.0.0.7/32 --flows 3")["connections_one_in"], 4);
  const auto request = asked<v1::GetBucketTrafficRequest>();
  EXPECT_EQ(request.bucket_id(), "hosts/10.0.0.7/32");
  EXPECT_EQ(request.max_flows(), 3U);
}

}  // namespace
}  // namespace drip
