// SPDX-License-Identifier: BSD-3-Clause
// GetBucketTraffic over real gRPC, of samples that the test puts where workers would.
#include <gmock/gmock.h>

#include "control/support/node_fixture.h"
#include "engine/packet_sample.h"

namespace drip::control {
namespace {

using grpc::StatusCode;

NodeOptions sampling() {
  NodeOptions options;
  options.server.addresses = {"127.0.0.1:0"};
  options.traffic_samples = 1000;
  return options;
}

class BucketTrafficRpc : public NodeFixture {
 protected:
  BucketTrafficRpc() : NodeFixture(sampling()) {
    configure("bucket_id: 'down' capacity: 100 leak_rate_bps: 8000");
    configure("bucket_id: 'up' capacity: 100 leak_rate_bps: 8000");
    configure("bucket_id: 'site' inner: true leak_rate_bps: 8000");
    // Names are read once a second.
    configure("bucket_id: 'probe' capacity: 100 leak_rate_bps: 8000");
    EXPECT_TRUE(wait_until([&] {
      engine_.advance(kSecond);
      push(packet("probe", 60));
      return traffic("probe").bps() > 0;
    }));
  }
  v1::GetBucketTrafficResponse traffic(const std::string& id, const std::string& more = "") {
    return call(*shaper_, &v1::ShaperService::Stub::GetBucketTraffic,
                "bucket_id: '" + id + "' " + more);
  }
  // A packet at this moment, that stands for itself.
  PacketSample packet(const std::string& bucket, std::uint32_t frame_bytes) {
    PacketSample sample;
    sample.at = engine_.now();
    sample.flow.src_address = {10, 0, 0, 1};
    sample.flow.dst_address = {10, 0, 0, 2};
    sample.flow.src_port = 443;
    sample.flow.dst_port = 5000;
    sample.flow.ip_protocol = 6;
    sample.flow.ip_version = IpVersion::kV4;
    sample.target = RuleAction::Kind::kBucket;
    sample.bucket = node_->context().buckets.find(bucket)->ref();
    sample.frame_bytes = frame_bytes;
    sample.stands_for = 1;
    return sample;
  }
  PacketSample segment(const std::string& bucket, std::uint32_t value, std::uint32_t echo,
                       std::uint32_t length, bool answer) {
    PacketSample sample = packet(bucket, 66 + length);
    sample.stands_for = 0;
    sample.is_tcp = true;
    sample.tcp.ack = true;
    sample.tcp.timestamps = true;
    sample.tcp.ts_value = value;
    sample.tcp.ts_echo = echo;
    sample.tcp.length = length;
    if (answer) {
      std::swap(sample.flow.src_address, sample.flow.dst_address);
      std::swap(sample.flow.src_port, sample.flow.dst_port);
    }
    return sample;
  }
  void push(const PacketSample& sample, std::size_t worker = 0) {
    EXPECT_TRUE(engine_.sample_rings().at(worker)->samples.push(sample));
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
