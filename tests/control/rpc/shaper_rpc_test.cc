// SPDX-License-Identifier: BSD-3-Clause
// ShaperService over gRPC.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "control/support/node_fixture.h"

namespace drip::control {
namespace {

using ShaperRpc = NodeFixture;
using Stub = v1::ShaperService::Stub;

TEST_F(ShaperRpc, BulkConfiguration) {
  configure("bucket_id: 'a' capacity: 1 leak_rate: 1");
  const auto bulk = call(*shaper_, &Stub::ConfigureBuckets,
                         "buckets { bucket_id: 'a' capacity: 2 } "
                         "buckets { bucket_id: 'b' capacity: 1 leak_rate_bps: 1e6 }");
  expect_ok();
  EXPECT_EQ(bulk.created(), 1U);
  EXPECT_EQ(bulk.changed(), 1U);
  EXPECT_EQ(status_of("a").capacity(), 2U);
  EXPECT_EQ(status_of("b").config().departure(), v1::DEPARTURE_AT_START);
  call(*shaper_, &Stub::ConfigureBuckets,
       "buckets { bucket_id: 'a' capacity: 3 } buckets { bucket_id: 'c' capacity: 0 }");
  expect_error(grpc::INVALID_ARGUMENT, "buckets[1].capacity: 0 is not allowed: 1 to 1048576 units");
  call(*shaper_, &Stub::ConfigureBuckets,
       "buckets { bucket_id: 'a' capacity: 3 } buckets { bucket_id: 'a' capacity: 4 }");
  EXPECT_EQ(status_.error_code(), grpc::INVALID_ARGUMENT);
  engine_.fail_apply = absl::ResourceExhaustedError("too much");
  call(*shaper_, &Stub::ConfigureBuckets, "buckets { bucket_id: 'a' capacity: 3 }");
  expect_error(grpc::RESOURCE_EXHAUSTED, "too much");
  EXPECT_EQ(status_of("a").capacity(), 2U);
  engine_.fail_apply = absl::OkStatus();
  call(*shaper_, &Stub::ConfigureBuckets, "");
  expect_ok();
}

TEST_F(ShaperRpc, BulkLargerThanGrpcsDefaultLimit) {
  v1::ConfigureBucketsRequest request;
  for (int i = 0; i < 60'000; ++i) {
    v1::BucketConfig& config = *request.add_buckets();
    config.set_bucket_id("customer/" + std::to_string(i) + "/" + std::string(60, 'x'));
    config.set_capacity(10);
    config.set_leak_rate(5);
  }
  ASSERT_GT(request.ByteSizeLong(), std::size_t{4} << 20);
  grpc::ClientContext context;
  v1::ConfigureBucketsResponse reply;
  status_ = shaper_->ConfigureBuckets(&context, request, &reply);
  expect_ok();
  EXPECT_EQ(reply.created(), 60'000U);
}

TEST_F(ShaperRpc, ListsInPages) {
  std::string request;
  for (int i = 100; i < 350; ++i) {
    request += "buckets { bucket_id: 'b" + std::to_string(i) + "' capacity: 1 leak_rate: 1 } ";
  }
  call(*shaper_, &Stub::ConfigureBuckets, request);
  std::vector<std::string> ids;
  std::string token;
  do {
    const auto page =
        call(*shaper_, &Stub::ListBuckets, "filter { id_prefix: 'b' } page_token: '" + token + "'");
    expect_ok();
    EXPECT_EQ(page.total_buckets(), 250U);
    EXPECT_LE(page.buckets_size(), 100);
    for (const v1::Bucket& bucket : page.buckets()) ids.push_back(bucket.bucket_id());
    token = page.next_page_token();
  } while (!token.empty());
  EXPECT_EQ(ids.size(), 250U);
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
  call(*shaper_, &Stub::ListBuckets, "filter { bucket_ids: 'b100' bucket_ids: 'no' }");
  expect_error(grpc::NOT_FOUND, "filter.bucket_ids[1]: no bucket is named \"no\"");
  call(*shaper_, &Stub::ListBuckets, "page_size: 5000");
  EXPECT_EQ(status_.error_code(), grpc::INVALID_ARGUMENT);
  call(*shaper_, &Stub::ListBuckets, "page_token: 'b100'");
  EXPECT_EQ(status_.error_code(), grpc::INVALID_ARGUMENT);
}

TEST_F(ShaperRpc, Rules) {
  configure("bucket_id: 'web' capacity: 10 leak_rate_bps: 1e6");
  const auto set = call(*shaper_, &Stub::SetRules,
                        "rule_set { rules { rule_id: 'r' match { ip_protocol: 6 dst_port { first: "
                        "80 last: 80 } } bucket_id: 'web' } default_bucket_id: 'web' }");
  expect_ok();
  EXPECT_EQ(set.revision(), 1U);
  const auto added = call(*shaper_, &Stub::SetRule,
                          "rule { rule_id: 'f' priority: 3 per_flow { key: FLOW_KEY_SOURCE "
                          "max_flows: 9 bucket { capacity: 5 leak_rate_bps: 1e5 } } }");
  expect_ok();
  EXPECT_TRUE(added.created());
  EXPECT_EQ(added.revision(), 2U);
  engine_.flows = {{.flow = "10.0.0.1/32"}};
  engine_.count_hits(0, 0, 3, 300);
  const auto listed = call(*shaper_, &Stub::ListRules, "");
  expect_ok();
  ASSERT_EQ(listed.rules_size(), 2);
  EXPECT_EQ(listed.rules(0).rule().rule_id(), "f");
  EXPECT_EQ(listed.rules(0).flows(), 1U);
  EXPECT_EQ(listed.rules(0).flows_created(), 6U);
  EXPECT_EQ(listed.rules(0).flows_refused(), 7U);
  EXPECT_EQ(listed.rules(1).packets(), 3U);
  EXPECT_EQ(listed.rules(1).bytes(), 300U);
  EXPECT_EQ(listed.rules(1).rule().match().dst_port().first(), 80U);
  EXPECT_EQ(listed.default_bucket_id(), "web");
  EXPECT_TRUE(listed.protect_control_traffic());
  EXPECT_EQ(listed.revision(), 2U);

  const auto flows = call(*shaper_, &Stub::ListBuckets, "filter { include_flows: true }");
  ASSERT_EQ(flows.buckets_size(), 3);
  EXPECT_EQ(flows.buckets(0).bucket_id(), "f/10.0.0.1/32");
  EXPECT_EQ(flows.buckets(1).bucket_id(), "f/overflow");
  EXPECT_EQ(flows.buckets(0).rule_id(), "f");
  EXPECT_EQ(flows.total_buckets(), 1U);

  EXPECT_EQ(call(*shaper_, &Stub::DeleteRule, "rule_id: 'f'").revision(), 3U);
  call(*shaper_, &Stub::DeleteRule, "rule_id: 'f'");
  expect_error(grpc::NOT_FOUND, "rule_id: no rule is named \"f\"");
  call(*shaper_, &Stub::DeleteRule, "rule_id: '?'");
  EXPECT_EQ(status_.error_code(), grpc::INVALID_ARGUMENT);
  call(*shaper_, &Stub::SetRule, "rule { rule_id: 'x' bucket_id: 'no' }");
  expect_error(grpc::NOT_FOUND, "rule.bucket_id: no bucket is named \"no\"");
  call(*shaper_, &Stub::SetRules, "rule_set { rules { rule_id: 'x' } }");
  expect_error(grpc::INVALID_ARGUMENT,
               "rule_set.rules[0].action: missing: one of bucket_id, per_flow, pass, drop");
  engine_.fail_swap = absl::ResourceExhaustedError("1024 mbufs more would be needed");
  call(*shaper_, &Stub::SetRules, "rule_set {}");
  expect_error(grpc::RESOURCE_EXHAUSTED, "1024 mbufs more would be needed");
}

TEST_F(ShaperRpc, AddressLists) {
  const auto made = call(*shaper_, &Stub::SetAddressList,
                         "list { name: 'l' prefixes: '10.0.0.1' prefixes: '10.0.0.2' }");
  expect_ok();
  EXPECT_TRUE(made.created());
  EXPECT_EQ(made.entries(), 2U);
  EXPECT_EQ(made.revision(), 1U);
  call(*shaper_, &Stub::SetRule, "rule { rule_id: 'r' match { src_list: 'l' } drop: true }");
  expect_ok();
  const auto more = call(
      *shaper_, &Stub::SetAddressList,
      "mode: ADDRESS_LIST_MODE_ADD list { name: 'l' prefixes: '10.0.0.2' prefixes: '9.9.9.9' }");
  EXPECT_EQ(more.entries(), 3U);
  EXPECT_FALSE(more.created());
  const auto fewer = call(*shaper_, &Stub::SetAddressList,
                          "mode: ADDRESS_LIST_MODE_REMOVE list { name: 'l' prefixes: '10.0.0.1' "
                          "prefixes: '8.8.8.8' }");
  EXPECT_EQ(fewer.entries(), 2U);
  // A new rule set leaves it as it is.
  call(*shaper_, &Stub::SetRules,
       "rule_set { rules { rule_id: 'r' match { src_list: 'l' } drop: true } }");
  expect_ok();
  const auto all = call(*shaper_, &Stub::ListAddressLists, "");
  ASSERT_EQ(all.lists_size(), 1);
  EXPECT_EQ(all.lists(0).entries(), 2U);
  EXPECT_EQ(all.lists(0).rule_ids(0), "r");
  EXPECT_EQ(all.prefixes_size(), 0);
  const auto first = call(*shaper_, &Stub::ListAddressLists, "name: 'l' page_size: 1");
  ASSERT_EQ(first.prefixes_size(), 1);
  EXPECT_EQ(first.prefixes(0), "9.9.9.9/32");
  const auto last = call(*shaper_, &Stub::ListAddressLists,
                         "name: 'l' page_size: 1 page_token: '" + first.next_page_token() + "'");
  ASSERT_EQ(last.prefixes_size(), 1);
  EXPECT_EQ(last.prefixes(0), "10.0.0.2/32");
  EXPECT_TRUE(last.next_page_token().empty());

  call(*shaper_, &Stub::DeleteAddressList, "name: 'l'");
  expect_error(grpc::FAILED_PRECONDITION, "name: \"l\" is named by rule \"r\"");
  call(*shaper_, &Stub::DeleteRule, "rule_id: 'r'");
  call(*shaper_, &Stub::DeleteAddressList, "name: 'l'");
  expect_ok();
  call(*shaper_, &Stub::ListAddressLists, "name: 'l'");
  expect_error(grpc::NOT_FOUND, "name: no address list is named \"l\"");
  call(*shaper_, &Stub::SetAddressList,
       "mode: ADDRESS_LIST_MODE_REMOVE list { name: 'l' prefixes: '10.0.0.1' }");
  expect_error(grpc::NOT_FOUND, "list.name: no address list is named \"l\"");
  call(*shaper_, &Stub::SetAddressList, "list { name: 'l' prefixes: '10.0.0.1/8' }");
  EXPECT_EQ(status_.error_code(), grpc::INVALID_ARGUMENT);
}

TEST_F(ShaperRpc, WarningsAreInTheReplies) {
  engine_.port_stats[0].mtu = 1500;
  const auto buckets = call(*shaper_, &Stub::ConfigureBuckets,
                            "buckets { bucket_id: 'b' capacity: 9 leak_rate_bps: 1e6 "
                            "capacity_bytes: 1000 }");
  ASSERT_EQ(buckets.warnings_size(), 1);
  EXPECT_TRUE(buckets.warnings(0).starts_with("bucket b: capacity_bytes 1000: the longest frame"));
  const auto set = call(*shaper_, &Stub::SetRules,
                        "rule_set { rules { rule_id: 'a' pass: true } "
                        "rules { rule_id: 'h' drop: true match { dscp: 1 } } }");
  ASSERT_EQ(set.warnings_size(), 1);
  EXPECT_TRUE(set.warnings(0).starts_with("rule h: hidden: "));
  const auto added = call(*shaper_, &Stub::SetRule, "rule { rule_id: 'i' drop: true }");
  ASSERT_EQ(added.warnings_size(), 1);
  const auto listed = call(*shaper_, &Stub::ListRules, "");
  EXPECT_EQ(listed.rules(0).warnings_size(), 0);
  EXPECT_EQ(listed.rules(1).warnings_size(), 1);
}

TEST_F(ShaperRpc, RulesAreReplacedOnlyAtTheExpectedRevision) {
  configure("bucket_id: 'web' capacity: 10 leak_rate_bps: 1e6");
  EXPECT_EQ(call(*shaper_, &Stub::SetRules, "rule_set {} expected_revision: 0").revision(), 1U);
  expect_ok();
  call(*shaper_, &Stub::SetRules, "rule_set { default_bucket_id: 'web' } expected_revision: 0");
  expect_error(grpc::ABORTED, "expected_revision: 0 is not the present revision, which is 1");
  const auto listed = call(*shaper_, &Stub::ListRules, "");
  EXPECT_EQ(listed.default_bucket_id(), "");
  EXPECT_EQ(listed.revision(), 1U);
  // What is refused for itself is no new revision.
  call(*shaper_, &Stub::SetRules, "rule_set { default_bucket_id: 'no' } expected_revision: 1");
  EXPECT_EQ(status_.error_code(), grpc::NOT_FOUND);
  call(*shaper_, &Stub::SetRules, "rule_set { default_bucket_id: 'web' } expected_revision: 1");
  expect_ok();
}

TEST_F(ShaperRpc, PortsLcoresAndNode) {
  engine_.port_stats = {{.name = "lan", .device = "net_null0", .link_up = true, .rx_packets = 7}};
  LcoreStats lcore;
  lcore.role = LcoreStats::Role::kTransmitter;
  lcore.cpu = 1;
  lcore.loops = 5;
  lcore.drops[0] = 3;
  lcore.dropped_bytes[0] = 180;
  lcore.transmitter = 0;
  engine_.lcore_readings = {{}, lcore};
  const auto ports = call(*shaper_, &Stub::ListPorts, "");
  ASSERT_EQ(ports.ports_size(), 1);
  EXPECT_EQ(ports.ports(0).device(), "net_null0");
  EXPECT_EQ(ports.ports(0).rx_packets(), 7U);
  const auto lcores = call(*shaper_, &Stub::ListLcores, "");
  ASSERT_EQ(lcores.lcores_size(), 2);
  EXPECT_EQ(lcores.lcores(0).role(), "fused");
  EXPECT_FALSE(lcores.lcores(0).has_transmitter());
  EXPECT_EQ(lcores.lcores(1).index(), 1U);
  EXPECT_EQ(lcores.lcores(1).role(), "transmitter");
  EXPECT_TRUE(lcores.lcores(1).has_transmitter());
  ASSERT_EQ(lcores.lcores(1).drops_size(), 1);
  EXPECT_EQ(lcores.lcores(1).drops(0).reason(), "bucket_full");
  EXPECT_EQ(lcores.lcores(1).drops(0).bytes(), 180U);

  configure("bucket_id: 'a' capacity: 1 leak_rate: 1");
  call(*shaper_, &Stub::SetRule, "rule { rule_id: 'x' pass: true }");
  const auto node = call(*shaper_, &Stub::GetNode, "");
  EXPECT_EQ(node.node_id(), "n1");
  EXPECT_EQ(node.dpdk_version(), "DPDK 0");
  EXPECT_GT(node.start_time(), 1'600'000'000'000);
  EXPECT_EQ(node.buckets(), 1U);
  EXPECT_EQ(node.rules(), 1U);
  EXPECT_EQ(node.memory().mbufs(), 8192U);
  EXPECT_EQ(node.clock().tsc_hz(), 2.5e9);
  ASSERT_EQ(node.warnings_size(), 1);
  engine_.port_stats[0].warnings = {"the kernel forwards"};
  const auto warned = call(*shaper_, &Stub::GetNode, "");
  ASSERT_EQ(warned.warnings_size(), 2);
  EXPECT_EQ(warned.warnings(1), "port lan: the kernel forwards");
}

class WatchRpc : public NodeFixture {
 protected:
  std::unique_ptr<grpc::ClientReader<v1::WatchBucketsResponse>> watch(grpc::ClientContext& context,
                                                                      const std::string& request) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    return shaper_->WatchBuckets(&context, message<v1::WatchBucketsRequest>(request));
  }
};

TEST_F(WatchRpc, StreamsUntilTheCallerCancels) {
  configure("bucket_id: 'a' capacity: 9 leak_rate: 1");
  configure("bucket_id: 'b' capacity: 9 leak_rate: 1");
  grpc::ClientContext context;
  const auto stream = watch(context, "filter { bucket_ids: 'a' } interval_ms: 100");
  v1::WatchBucketsResponse states;
  ASSERT_TRUE(stream->Read(&states));
  ASSERT_EQ(states.buckets_size(), 1);
  EXPECT_EQ(states.buckets(0).queue_size(), 0U);
  EXPECT_GT(states.time(), 0);
  EXPECT_EQ(states.monotonic_ns(), static_cast<std::int64_t>(engine_.now().ns));
  allow("bucket_id: 'a'");
  engine_.advance(Duration{5});
  for (int i = 0; i < 10 && states.buckets(0).queue_size() == 0; ++i) {
    ASSERT_TRUE(stream->Read(&states));
  }
  EXPECT_EQ(states.buckets(0).queue_size(), 1U);
  EXPECT_EQ(states.monotonic_ns(), static_cast<std::int64_t>(engine_.now().ns));
  context.TryCancel();
  while (stream->Read(&states)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::CANCELLED);
}

TEST_F(WatchRpc, EndsWhenANamedBucketIsDeleted) {
  configure("bucket_id: 'a' capacity: 9 leak_rate: 1");
  grpc::ClientContext context;
  const auto stream = watch(context, "filter { bucket_ids: 'a' } interval_ms: 100");
  v1::WatchBucketsResponse states;
  ASSERT_TRUE(stream->Read(&states));
  remove("bucket_id: 'a'");
  while (stream->Read(&states)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::NOT_FOUND);
}

TEST_F(WatchRpc, ManyBucketsComeInSeveralMessages) {
  std::string request;
  for (int i = 0; i < 2500; ++i) {
    request += "buckets { bucket_id: 'b" + std::to_string(i) + "' capacity: 1 leak_rate: 1 } ";
  }
  call(*shaper_, &v1::ShaperService::Stub::ConfigureBuckets, request);
  expect_ok();
  grpc::ClientContext context;
  const auto stream = watch(context, "filter { include_flows: true } interval_ms: 3600000");
  int buckets = 0;
  std::int64_t time = 0;
  for (int i = 0; i < 3; ++i) {
    v1::WatchBucketsResponse states;
    ASSERT_TRUE(stream->Read(&states));
    buckets += states.buckets_size();
    EXPECT_TRUE(i == 0 || states.time() == time);
    time = states.time();
  }
  EXPECT_EQ(buckets, 2500);
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::CANCELLED);
}

TEST_F(WatchRpc, Refuses) {
  for (const char* bad : {"interval_ms: 99", "interval_ms: 3600001"}) {
    grpc::ClientContext context;
    EXPECT_EQ(watch(context, bad)->Finish().error_code(), grpc::INVALID_ARGUMENT) << bad;
  }
  grpc::ClientContext context;
  const grpc::Status status = watch(context, "filter { bucket_ids: 'no' }")->Finish();
  EXPECT_EQ(status.error_code(), grpc::NOT_FOUND);
}

TEST_F(WatchRpc, AStopEndsStreamsThatSleep) {
  grpc::ClientContext context;
  const auto stream = watch(context, "interval_ms: 3600000");
  v1::WatchBucketsResponse states;
  ASSERT_TRUE(stream->Read(&states));
  node_->stop(std::chrono::seconds(20));
  EXPECT_FALSE(stream->Read(&states));
  EXPECT_EQ(stream->Finish().error_code(), grpc::UNAVAILABLE);
}

TEST_F(WatchRpc, OpenedAndCancelledAtAnyMoment) {
  configure("bucket_id: 'a' capacity: 9 leak_rate: 1");
  for (int i = 0; i < 100; ++i) {
    grpc::ClientContext context;
    const auto stream = watch(context, "interval_ms: 100");
    if (i % 3 != 0) std::this_thread::sleep_for(std::chrono::microseconds(i * 30));
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::CANCELLED);
  }
}

}  // namespace
}  // namespace drip::control
