// SPDX-License-Identifier: BSD-3-Clause
// The families of a whole node, on an engine in virtual time.
#include "metrics/collector.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

#include "control/support/node_fixture.h"
#include "engine/packet_sample.h"
#include "metric_samples.h"
#include "metrics/families/groups.h"

namespace drip::metrics {
namespace {

using control::kSecond;

class CollectorTest : public control::NodeFixture {
 protected:
  explicit CollectorTest(control::NodeOptions options = counting())
      : NodeFixture(std::move(options)) {}
  static control::NodeOptions counting() {
    control::NodeOptions options = default_options();
    options.count_calls = true;
    return options;
  }
  Collector collector(const std::string& choice) {
    return {node_->context(), node_->call_counts(), *parse_bucket_choice("choice", choice)};
  }
  std::vector<MetricFamily> scrape(const std::string& choice = "all") {
    return collector(choice).collect();
  }
  BucketRef ref(const std::string& id) { return node_->context().buckets.find(id)->ref(); }
};

TEST_F(CollectorTest, ABucketIsWhatTheApiShows) {
  configure(
      "bucket_id: 'b' capacity: 3 leak_rate_bps: 8000 capacity_bytes: 5000 departure: "
      "DEPARTURE_AT_END");
  for (int i = 0; i < 5; ++i) engine_.offer_packet(ref("b"), 1000);
  engine_.advance(Duration{1'500'000'000});  // 1 s each: one has left.
  const auto families = scrape();
  const LabelList b = {{"bucket", "b"}};
  EXPECT_EQ(value_of(families, "drip_bucket_admitted_packets_total", b), 3);
  EXPECT_EQ(value_of(families, "drip_bucket_admitted_bytes_total", b), 3000);
  EXPECT_EQ(value_of(families, "drip_bucket_sent_packets_total", b), 1);
  EXPECT_EQ(value_of(families, "drip_bucket_sent_bytes_total", b), 1000);
  EXPECT_EQ(value_of(families, "drip_bucket_backlog_packets", b), 2);
  EXPECT_EQ(value_of(families, "drip_bucket_backlog_bytes", b), 2000);
  EXPECT_EQ(value_of(families, "drip_bucket_rejected_packets_total",
                     {{"bucket", "b"}, {"reason", "full"}}),
            2);
  EXPECT_EQ(value_of(families, "drip_bucket_rejected_packets_total",
                     {{"bucket", "b"}, {"reason", "too_long"}}),
            0);
  EXPECT_EQ(value_of(families, "drip_bucket_rejected_bytes_total", b), 2000);
  EXPECT_EQ(value_of(families, "drip_bucket_queue_limit_packets", b), 3);
  EXPECT_EQ(value_of(families, "drip_bucket_queue_limit_bytes", b), 5000);
  EXPECT_EQ(value_of(families, "drip_bucket_ceiling_bytes_per_second", b), 1000);
  EXPECT_NEAR(*value_of(families, "drip_bucket_rate_bytes_per_second", b), 1000, 1e-6);
  EXPECT_FALSE(has_family(families, "drip_bucket_ceiling_packets_per_second"));
  EXPECT_FALSE(has_family(families, "drip_bucket_marked_packets_total"));
  EXPECT_FALSE(has_family(families, "drip_bucket_policy_state"));
  const ClientMetric* const sojourn = find_series(families, "drip_bucket_sojourn_seconds", b);
  ASSERT_NE(sojourn, nullptr);
  EXPECT_EQ(sojourn->histogram.sample_count, 1U);
  EXPECT_DOUBLE_EQ(sojourn->histogram.sample_sum, 1.0);
  const ClientMetric* const lateness = find_series(families, "drip_bucket_lateness_seconds", b);
  ASSERT_NE(lateness, nullptr);
  EXPECT_EQ(lateness->histogram.bucket.front().cumulative_count, 1U);
  EXPECT_NE(find_series(families, "drip_bucket_info",
                        {{"bucket", "b"}, {"kind", "leaf"}, {"sharing", "node"}, {"parent", ""}}),
            nullptr);
}

TEST_F(CollectorTest, ATreeIsInLabelsOfTheInfoSeries) {
  configure("bucket_id: 'up' inner: true leak_rate_bps: 8000000");
  configure(
      "bucket_id: 'leaf' capacity: 3 parent_id: 'up' leak_rate_bps: 800000 "
      "guarantee_bps: 80000");
  const auto families = scrape();
  EXPECT_NE(find_series(families, "drip_bucket_info", {{"bucket", "up"}, {"kind", "inner"}}),
            nullptr);
  EXPECT_NE(find_series(families, "drip_bucket_info", {{"bucket", "leaf"}, {"parent", "up"}}),
            nullptr);
  EXPECT_EQ(value_of(families, "drip_bucket_guarantee_bytes_per_second", {{"bucket", "leaf"}}),
            10'000);
  // An inner node holds no packets.
  EXPECT_FALSE(value_of(families, "drip_bucket_backlog_packets", {{"bucket", "up"}}));
}

TEST_F(CollectorTest, TopBucketsAreThoseThatSentMostSinceTheLastScrape) {
  for (const char* id : {"a", "b", "c", "d"}) {
    configure(std::string("bucket_id: '") + id + "' capacity: 100 leak_rate_bps: 8000000");
  }
  Collector top = collector("top:2");
  const auto send = [&](const char* id, int packets) {
    for (int i = 0; i < packets; ++i) engine_.offer_packet(ref(id), 1000);
  };
  const auto chosen = [&] {
    std::set<std::string> ids;
    const auto families = top.collect();
    for (const char* id : {"a", "b", "c", "d"}) {
      if (value_of(families, "drip_bucket_sent_bytes_total", {{"bucket", id}})) ids.insert(id);
    }
    EXPECT_EQ(value_of(families, "drip_metrics_buckets_left_out"), 2);
    EXPECT_EQ(value_of(families, "drip_buckets"), 4);
    return ids;
  };
  using Ids = std::set<std::string>;
  send("a", 10);
  send("b", 5);
  send("c", 2);
  engine_.advance(Duration{2'000'000'000});
  EXPECT_EQ(chosen(), (Ids{"a", "b"}));
  send("c", 3);
  send("d", 4);
  engine_.advance(Duration{2'000'000'000});
  EXPECT_EQ(chosen(), (Ids{"c", "d"}));
  // A second server comes at once: the interval is the same.
  EXPECT_EQ(chosen().size(), 2U);
  send("b", 1);
  engine_.advance(kSecond);
  EXPECT_TRUE(chosen().contains("b"));
}

TEST_F(CollectorTest, APrefixChoosesBucketsAndFlowsOnlyWithASlash) {
  configure("bucket_id: 'cust-1' capacity: 3 leak_rate: 1");
  configure("bucket_id: 'other' capacity: 3 leak_rate: 1");
  call(*shaper_, &v1::ShaperService::Stub::SetRule,
       "rule { rule_id: 'cust-f' match {} per_flow { key: FLOW_KEY_SOURCE max_flows: 4 "
       "bucket { leak_rate: 1 capacity: 1 } } }");
  expect_ok();
  engine_.flows = {{.flow = "10.0.0.1/32"}};
  auto families = scrape("prefix:cust-");
  EXPECT_TRUE(value_of(families, "drip_bucket_backlog_packets", {{"bucket", "cust-1"}}));
  EXPECT_FALSE(value_of(families, "drip_bucket_backlog_packets", {{"bucket", "other"}}));
  EXPECT_FALSE(
      value_of(families, "drip_bucket_backlog_packets", {{"bucket", "cust-f/10.0.0.1/32"}}));
  EXPECT_EQ(value_of(families, "drip_metrics_buckets_left_out"), 1);
  families = scrape("prefix:cust-f/");
  EXPECT_NE(find_series(families, "drip_bucket_info",
                        {{"bucket", "cust-f/10.0.0.1/32"}, {"kind", "flow"}, {"rule", "cust-f"}}),
            nullptr);
  EXPECT_FALSE(value_of(families, "drip_bucket_backlog_packets", {{"bucket", "cust-1"}}));
  EXPECT_EQ(value_of(families, "drip_metrics_buckets_left_out"), 2);
}

TEST_F(CollectorTest, ACounterThatNobodyKeepsHasNoSeries) {
  engine_.port_stats = {{.name = "lan", .link_up = true, .link_bps = 8000, .rx_packets = 7},
                        {.name = "wan", .rx_missed = 3, .unknown_counters = {"rx_no_mbuf"}}};
  const auto families = scrape();
  EXPECT_EQ(value_of(families, "drip_port_up", {{"port", "lan"}}), 1);
  EXPECT_EQ(value_of(families, "drip_port_up", {{"port", "wan"}}), 0);
  EXPECT_EQ(value_of(families, "drip_port_received_packets_total", {{"port", "lan"}}), 7);
  EXPECT_EQ(value_of(families, "drip_port_missed_packets_total", {{"port", "wan"}}), 3);
  EXPECT_EQ(value_of(families, "drip_port_no_buffer_packets_total", {{"port", "lan"}}), 0);
  EXPECT_FALSE(value_of(families, "drip_port_no_buffer_packets_total", {{"port", "wan"}}));
  EXPECT_EQ(value_of(families, "drip_port_speed_bytes_per_second", {{"port", "lan"}}), 1000);
  EXPECT_FALSE(value_of(families, "drip_port_speed_bytes_per_second", {{"port", "wan"}}));
}

TEST_F(CollectorTest, LcoresMemoryAndClock) {
  LcoreStats lcore;
  lcore.role = LcoreStats::Role::kWorker;
  lcore.cpu = 5;
  lcore.stalled_ns = 1'500'000;
  lcore.longest_stall_ns = 250'000;
  lcore.drops[static_cast<std::size_t>(DropReason::kAqm)] = 9;
  lcore.lateness.counts[0] = 4;
  engine_.lcore_readings = {lcore};
  const auto families = scrape();
  EXPECT_NE(
      find_series(families, "drip_lcore_info", {{"lcore", "0"}, {"cpu", "5"}, {"role", "worker"}}),
      nullptr);
  EXPECT_DOUBLE_EQ(*value_of(families, "drip_lcore_stalled_seconds_total"), 0.0015);
  EXPECT_DOUBLE_EQ(*value_of(families, "drip_lcore_longest_stall_seconds"), 0.00025);
  EXPECT_EQ(value_of(families, "drip_lcore_dropped_packets_total", {{"reason", "aqm"}}), 9);
  EXPECT_EQ(find_series(families, "drip_lcore_lateness_seconds")->histogram.sample_count, 4U);
  EXPECT_EQ(value_of(families, "drip_ring_memory_bytes"), 1 << 30);
  EXPECT_EQ(value_of(families, "drip_mbufs"), 8192);
  EXPECT_DOUBLE_EQ(*value_of(families, "drip_clock_drift_ratio"), 0.25e-6);
  EXPECT_EQ(value_of(families, "drip_clock_tsc_hertz"), 2.5e9);
  EXPECT_FALSE(has_family(families, "drip_clock_last_jump_seconds"));
  EXPECT_FALSE(has_family(families, "drip_cluster_connected"));
}

TEST_F(CollectorTest, CallsAreCountedByMethodAndCode) {
  configure("bucket_id: 'b' capacity: 3 leak_rate: 1");
  allow("bucket_id: 'b'");
  allow("bucket_id: 'b'");
  allow("bucket_id: 'nobody'");
  const std::string method = "RateLimiterService/AllowRequest";
  const auto families = scrape();
  EXPECT_EQ(value_of(families, "drip_rpc_calls_total", {{"method", method}, {"code", "OK"}}), 2);
  EXPECT_EQ(value_of(families, "drip_rpc_calls_total", {{"method", method}, {"code", "NOT_FOUND"}}),
            1);
  EXPECT_FALSE(
      value_of(families, "drip_rpc_calls_total", {{"method", method}, {"code", "ABORTED"}}));
  EXPECT_EQ(value_of(families, "drip_rpc_calls_in_progress", {{"method", method}}), 0);
  const ClientMetric* const duration =
      find_series(families, "drip_rpc_duration_seconds", {{"method", method}});
  ASSERT_NE(duration, nullptr);
  EXPECT_EQ(duration->histogram.sample_count, 3U);
  EXPECT_GT(duration->histogram.sample_sum, 0);
  EXPECT_EQ(find_series(families, "drip_rpc_duration_seconds",
                        {{"method", "RateLimiterService/AwaitTurn"}}),
            nullptr);
}

TEST_F(CollectorTest, ACallThatWaitsIsInProgress) {
  configure("bucket_id: 'b' capacity: 3 leak_rate: 0.001");
  grpc::ClientContext context;
  v1::AwaitTurnResponse reply;
  grpc::CompletionQueue done;
  const auto pending = limiter_->AsyncAwaitTurn(
      &context, control::message<v1::AwaitTurnRequest>("bucket_id: 'b'"), &done);
  grpc::Status status;
  pending->Finish(&reply, &status, this);
  const LabelList method = {{"method", "RateLimiterService/AwaitTurn"}};
  EXPECT_TRUE(
      wait_until([&] { return value_of(scrape(), "drip_rpc_calls_in_progress", method) == 1; }));
  context.TryCancel();
  void* tag = nullptr;
  bool ok = false;
  done.Next(&tag, &ok);
  EXPECT_TRUE(wait_until([&] {
    return value_of(scrape(), "drip_rpc_calls_total",
                    {{"method", "RateLimiterService/AwaitTurn"}, {"code", "CANCELLED"}}) == 1;
  }));
  EXPECT_EQ(value_of(scrape(), "drip_rpc_calls_in_progress", method), 0);
  done.Shutdown();
}

TEST_F(CollectorTest, EveryFamilyIsDescribed) {
  configure("bucket_id: 'b' capacity: 3 leak_rate: 1 leak_rate_bps: 8000");
  engine_.lcore_readings = {LcoreStats{}};
  std::set<std::string> described;
  for (const FamilyGroup& group : all_groups()) {
    for (const FamilySpec* const spec : group.specs) {
      EXPECT_TRUE(described.insert(spec->name).second) << spec->name << " is there twice";
      EXPECT_EQ(std::string(spec->help).find_first_of("\"\\\n"), std::string::npos) << spec->name;
      EXPECT_EQ(spec->type == kCounter, std::string(spec->name).ends_with("_total")) << spec->name;
    }
  }
  for (const MetricFamily& family : scrape()) {
    EXPECT_TRUE(described.contains(family.name)) << family.name;
  }
}

TEST(ClusterFamilies, TellWhoLeadsAndWhoIsThere) {
  using control::ClusterMember;
  control::ClusterStatus status;
  Families none;
  add_cluster(status, "n1", none);
  EXPECT_TRUE(none.take().empty());

  status.clustered = true;
  status.epoch = 4;
  status.redis_round_trip = std::chrono::microseconds(250);
  status.config_revision = 9;
  ClusterMember self;
  self.node_id = "n1";
  self.role = ClusterMember::Role::kLeader;
  self.state = ClusterMember::State::kUp;
  self.config_revision = 8;
  ClusterMember other;
  other.node_id = "n2";
  status.members = {self, other};
  Families leading;
  add_cluster(status, "n1", leading);
  auto families = leading.take();
  EXPECT_EQ(value_of(families, "drip_cluster_leader"), 1);
  EXPECT_EQ(value_of(families, "drip_cluster_has_leader"), 1);
  EXPECT_EQ(value_of(families, "drip_cluster_nodes", {{"state", "up"}}), 1);
  EXPECT_EQ(value_of(families, "drip_cluster_nodes", {{"state", "unknown"}}), 1);
  EXPECT_DOUBLE_EQ(*value_of(families, "drip_cluster_redis_round_trip_seconds"), 0.00025);
  EXPECT_EQ(value_of(families, "drip_cluster_config_applied_revision"), 8);

  status.connected = false;
  Families cut_off;
  add_cluster(status, "n2", cut_off);
  families = cut_off.take();
  EXPECT_EQ(value_of(families, "drip_cluster_connected"), 0);
  EXPECT_EQ(value_of(families, "drip_cluster_leader"), 0);
  EXPECT_FALSE(has_family(families, "drip_cluster_redis_round_trip_seconds"));
}

TEST(BucketFamilies, WhatEachThreadHoldsOfASpreadRoot) {
  control::BucketState state;
  state.id = "wide";
  state.place = {.inner = true, .spread = true};
  state.settings.bits_per_second = 8e9;
  state.stats.core_shares = {{0, {0, 2e9}, 30, 3000, NodeState::kReady},
                             {1, {0, 6e9}, 50, 5000, NodeState::kIdle}};
  const HistogramCounts nothing;
  const ChosenBucket chosen{&state, &nothing, &nothing};
  Families into;
  add_buckets(std::span(&chosen, 1), into);
  const auto families = into.take();
  const auto of = [&](const char* family, const char* transmitter) {
    return value_of(families, family, {{"bucket", "wide"}, {"transmitter", transmitter}});
  };
  EXPECT_EQ(of("drip_bucket_core_rate_bytes_per_second", "0"), 2.5e8);
  EXPECT_EQ(of("drip_bucket_core_rate_bytes_per_second", "1"), 7.5e8);
  EXPECT_EQ(of("drip_bucket_core_sent_packets_total", "0"), 30);
  EXPECT_EQ(of("drip_bucket_core_sent_bytes_total", "1"), 5000);
  EXPECT_FALSE(has_family(families, "drip_bucket_core_rate_packets_per_second"));
}

TEST(BucketFamilies, SharesAndQueuesOfABucket) {
  control::BucketState state;
  state.id = "s";
  state.settings.bits_per_second = 8e6;
  state.sharing.scope = control::Scope::kCluster;
  state.share.emplace();
  state.share->policy_state = control::PolicyState::kSafeShare;
  state.share->demand.bits_per_second = 16e6;
  state.share->policy_changes = 3;
  state.stats.paused = true;
  state.stats.dropped = 10;
  state.stats.queue = QueueCounters{
      .marks = 5, .overflow_drops = 1, .aqm_drops = 2, .max_wait_drops = 3, .flows = 4};
  const HistogramCounts nothing;
  const ChosenBucket chosen{&state, &nothing, &nothing};
  Families into;
  add_buckets(std::span(&chosen, 1), into);
  const auto families = into.take();
  EXPECT_EQ(value_of(families, "drip_bucket_rate_bytes_per_second"), 0);
  EXPECT_EQ(value_of(families, "drip_bucket_ceiling_bytes_per_second"), 1e6);
  EXPECT_EQ(value_of(families, "drip_bucket_demand_bytes_per_second"), 2e6);
  EXPECT_EQ(value_of(families, "drip_bucket_policy_state", {{"state", "safe_share"}}), 1);
  EXPECT_EQ(value_of(families, "drip_bucket_policy_state", {{"state", "shared"}}), 0);
  EXPECT_EQ(value_of(families, "drip_bucket_policy_changes_total"), 3);
  EXPECT_EQ(value_of(families, "drip_bucket_marked_packets_total"), 5);
  EXPECT_EQ(value_of(families, "drip_bucket_queue_flows"), 4);
  const auto dropped = [&](const char* reason) {
    return value_of(families, "drip_bucket_dropped_packets_total", {{"reason", reason}});
  };
  EXPECT_EQ(dropped("overflow"), 1);
  EXPECT_EQ(dropped("aqm"), 2);
  EXPECT_EQ(dropped("max_wait"), 3);
  EXPECT_EQ(dropped("other"), 4);
  EXPECT_NE(find_series(families, "drip_bucket_info", {{"sharing", "split"}}), nullptr);
}

class TrafficCollectorTest : public CollectorTest {
 protected:
  TrafficCollectorTest() : CollectorTest(sampling()) {}
  static control::NodeOptions sampling() {
    control::NodeOptions options = default_options();
    options.traffic_samples = 1000;
    return options;
  }
};

TEST_F(TrafficCollectorTest, TrafficIsOfBucketsThatWereSampled) {
  configure("bucket_id: 'down' capacity: 100 leak_rate_bps: 8000");
  configure("bucket_id: 'idle' capacity: 100 leak_rate_bps: 8000");
  PacketSample segment;
  segment.target = RuleAction::Kind::kBucket;
  segment.bucket = ref("down");
  segment.is_tcp = true;
  segment.tcp.length = 100;
  const LabelList down = {{"bucket", "down"}};
  // Names are read once a second; what comes before is not counted.
  ASSERT_TRUE(wait_until([&] {
    engine_.advance(kSecond);
    segment.at = engine_.now();
    EXPECT_TRUE(engine_.sample_rings().at(0)->samples.push(segment));
    return value_of(scrape(), "drip_bucket_tcp_segments_total", down).value_or(0) >= 2;
  }));
  const auto families = scrape();
  EXPECT_EQ(*value_of(families, "drip_bucket_tcp_retransmitted_segments_total", down),
            *value_of(families, "drip_bucket_tcp_segments_total", down) - 1);
  for (const char* side : {"destination", "source"}) {
    EXPECT_NE(
        find_series(families, "drip_bucket_tcp_rtt_seconds", {{"bucket", "down"}, {"side", side}}),
        nullptr);
  }
  EXPECT_FALSE(value_of(families, "drip_bucket_tcp_segments_total", {{"bucket", "idle"}}));
  EXPECT_GE(*value_of(families, "drip_traffic_samples_total"), 2);
  EXPECT_EQ(value_of(families, "drip_traffic_samples_lost_total"), 0);
}

TEST_F(CollectorTest, WithoutSamplesThereIsNoTraffic) {
  configure("bucket_id: 'b' capacity: 3 leak_rate_bps: 8000");
  EXPECT_FALSE(has_family(scrape(), "drip_traffic_samples_total"));
}

}  // namespace
}  // namespace drip::metrics
