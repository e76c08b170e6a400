// SPDX-License-Identifier: BSD-3-Clause
// A node in virtual time that samples traffic; the test puts samples where workers would.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "control/traffic/traffic_monitor.h"
#include "engine/packet_sample.h"
#include "recorder_fixture.h"

namespace drip::control {

/// With the leaves down, up and probe, whose names the traffic monitor knows.
class SampledFixture : public RecorderFixture {
 protected:
  SampledFixture() : RecorderFixture(options()) {
    configure("bucket_id: 'down' capacity: 100 leak_rate_bps: 8000");
    configure("bucket_id: 'up' capacity: 100 leak_rate_bps: 8000");
    // Names are read once a second.
    configure("bucket_id: 'probe' capacity: 100 leak_rate_bps: 8000");
    EXPECT_TRUE(wait_until([&] {
      engine_.advance(kSecond);
      push(packet("probe", 60));
      return node_->context().traffic->read("probe").has_value();
    }));
  }
  /// At this moment, and it stands for itself.
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
    sample.bucket = ref(bucket);
    sample.frame_bytes = frame_bytes;
    sample.stands_for = 1;
    return sample;
  }
  /// Of a connection, with time stamps; `answer`: from its other end.
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
  /// Lets `trip` pass between a segment in `down` and its answer in `up`, and waits until the
  /// monitor knows of it.
  void round_trip(Duration trip) {
    const auto measured = [&] {
      const auto reading = node_->context().traffic->read("up");
      return reading ? reading->to(traffic::Side::kSource).all.total() : 0;
    };
    const std::uint64_t before = measured();
    push(segment("down", ++time_stamp_, 0, 1000, false));
    engine_.advance(trip);
    push(segment("up", 7, time_stamp_, 0, true));
    engine_.advance(Duration{1'000'000});
    EXPECT_TRUE(wait_until([&] { return measured() > before; }));
  }

 private:
  static NodeOptions options() {
    NodeOptions options = default_options();
    options.traffic_samples = 1000;
    return options;
  }
  std::uint32_t time_stamp_ = 10;
};

}  // namespace drip::control
