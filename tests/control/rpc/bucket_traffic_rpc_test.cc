// SPDX-License-Identifier: BSD-3-Clause
// GetBucketTraffic over real gRPC, of samples that the test puts where workers would.
#include <gmock/gmock.h>

#include "control/recorder/sampled_fixture.h"

namespace drip::control {
namespace {

using grpc::StatusCode;

class BucketTrafficRpc : public SampledFixture {
 protected:
  BucketTrafficRpc() { configure("bucket_id: 'site' inner: true leak_rate_bps: 8000"); }
  v1::GetBucketTrafficResponse traffic(const std::string& id, const std::string& more = "") {
    return call(*shaper_, &v1::ShaperService::Stub::GetBucketTraffic,
                "bucket_id: '" + id + "' " + more);
  }
};

TEST_F(BucketTrafficRpc, TellsRoundTripsOfBothSidesAndRetransmissions) {
  push(segment("down", 10, 0, 1000, false), 0);
  push(segment("down", 12, 0, 1000, false), 0);  // The same bytes once more.
  engine_.advance(Duration{30'000'000});
  push(segment("up", 7, 12, 0, true), 1);
  engine_.advance(Duration{1'000'000});
  v1::GetBucketTrafficResponse down;
  ASSERT_TRUE(wait_until([&] {
    down = traffic("down");
    return down.to_destination().count() > 0;
  }));
  EXPECT_EQ(down.to_destination().count(), 1U);
  EXPECT_EQ(down.to_destination().sum_ns(), 30'000'000U);
  EXPECT_EQ(down.to_destination().recent_count(), 1U);
  for (const std::uint64_t ns :
       {down.to_destination().recent_min_ns(), down.to_destination().recent_p50_ns(),
        down.to_destination().recent_p90_ns(), down.to_destination().recent_max_ns()}) {
    EXPECT_EQ(ns, 30'000'000U);
  }
  EXPECT_EQ(down.to_source().count(), 0U);
  EXPECT_EQ(down.segments(), 2U);
  EXPECT_EQ(down.retransmitted_segments(), 1U);
  const v1::GetBucketTrafficResponse up = traffic("up");
  EXPECT_EQ(up.to_source().recent_p50_ns(), 30'000'000U);
  EXPECT_EQ(up.segments(), 0U);
  engine_.advance(Duration{61 * kSecond.ns});
  EXPECT_EQ(traffic("up").to_source().recent_count(), 0U);
  EXPECT_EQ(traffic("up").to_source().count(), 1U);
}

TEST_F(BucketTrafficRpc, FlowsByWhatTheySentMostFirst) {
  PacketSample small = packet("down", 500);
  small.flow.src_port = 80;
  push(small);
  push(packet("down", 1500));
  engine_.advance(Duration{2 * kSecond.ns});
  v1::GetBucketTrafficResponse down;
  ASSERT_TRUE(wait_until([&] {
    down = traffic("down");
    return down.flows_size() == 2;
  }));
  EXPECT_EQ(down.flows(0).flow(), "10.0.0.1:443>10.0.0.2:5000/tcp");
  EXPECT_EQ(down.flows(0).bps(), 6000U);
  EXPECT_EQ(down.flows(1).bps(), 2000U);
  EXPECT_EQ(down.bps(), 8000U);
  EXPECT_EQ(down.measured_over_ns(), 2U * kSecond.ns);
  EXPECT_EQ(traffic("down", "max_flows: 1").flows_size(), 1);
  EXPECT_EQ(traffic("down", "max_flows: 1").bps(), 8000U);
}

TEST_F(BucketTrafficRpc, ABucketWithoutSamplesHasNothing) {
  const v1::GetBucketTrafficResponse up = traffic("up");
  expect_ok();
  EXPECT_EQ(up.flows_size(), 0);
  EXPECT_EQ(up.to_destination().count(), 0U);
  EXPECT_GT(up.connections_one_in(), 0U);
  EXPECT_GT(up.packets_one_in(), 0U);
}

TEST_F(BucketTrafficRpc, ABucketWithAQueueIsOneLikeOthers) {
  configure("bucket_id: 'fair' capacity: 100 leak_rate_bps: 8000 queue { kind: QUEUE_KIND_FAIR }");
  expect_ok();
  (void)traffic("fair");
  expect_ok();
}

TEST_F(BucketTrafficRpc, BadRequestsSayWhatIsWrong) {
  (void)traffic("none");
  EXPECT_EQ(status_.error_code(), StatusCode::NOT_FOUND) << status_.error_message();
  (void)traffic("site");
  EXPECT_EQ(status_.error_code(), StatusCode::FAILED_PRECONDITION) << status_.error_message();
  (void)traffic("down", "max_flows: 17");
  expect_error(StatusCode::INVALID_ARGUMENT, "max_flows: 17 is not allowed: 1 to 16, or 0 for 10");
}

class NoBucketTrafficRpc : public NodeFixture {};

TEST_F(NoBucketTrafficRpc, IsOffByDefault) {
  EXPECT_TRUE(engine_.sample_rings().empty());
  configure("bucket_id: 'b' capacity: 100 leak_rate_bps: 8000");
  (void)call(*shaper_, &v1::ShaperService::Stub::GetBucketTraffic, "bucket_id: 'b'");
  expect_error(StatusCode::FAILED_PRECONDITION,
               "bucket_id: the node takes no samples of traffic; dripd --traffic-samples turns it "
               "on");
}

}  // namespace
}  // namespace drip::control
