// SPDX-License-Identifier: BSD-3-Clause
// apply_sharing(): defaults, changes and errors.
#include "control/model/bucket_sharing.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "control/config/bucket_registry.h"
#include "control/config/configuration.h"
#include "control/convert/convert_bucket_config.h"
#include "control/requests/local_queues.h"
#include "control/support/fake_engine.h"
#include "control/support/messages.h"

namespace drip::control {
namespace {

BucketSettings units() { return {.capacity = 10, .units_per_second = 10}; }
BucketSettings bits() { return {.capacity = 10, .bits_per_second = 1e6}; }

BucketPatch in_cluster() {
  BucketPatch patch;
  patch.id = "b";
  patch.capacity = 10;
  patch.units_per_second = 10;
  patch.scope = Scope::kCluster;
  return patch;
}

std::string error_of(const BucketPatch& patch, const BucketSettings& settings = units()) {
  return std::string(message_of(apply_sharing(patch, settings, nullptr).status()));
}

TEST(BucketSharing, DefaultsDependOnTheRates) {
  const BucketSharing requests = apply_sharing(in_cluster(), units(), nullptr).value();
  EXPECT_TRUE(requests.exact());
  EXPECT_EQ(requests.failure_policy, FailurePolicy::kClosed);
  EXPECT_EQ(requests.decide_within.ns, 50'000'000);
  const BucketSharing packets = apply_sharing(in_cluster(), bits(), nullptr).value();
  EXPECT_TRUE(packets.split());
  EXPECT_EQ(packets.failure_policy, FailurePolicy::kSafeShare);
  EXPECT_DOUBLE_EQ(packets.safe_reserve, 0.1);
  EXPECT_EQ(apply_sharing({}, units(), nullptr).value(), BucketSharing{});
}

TEST(BucketSharing, AbsentFieldsKeepTheirValue) {
  BucketPatch patch = in_cluster();
  patch.sharing = Sharing::kSplit;
  patch.failure_policy = FailurePolicy::kLastShare;
  patch.weights = {{"a", 3}};
  const BucketSharing first = apply_sharing(patch, units(), nullptr).value();
  BucketPatch second;
  second.weights = {{"b", 2}};
  second.decide_within = Duration{20'000'000};
  const BucketSharing changed = apply_sharing(second, units(), &first).value();
  EXPECT_TRUE(changed.split());
  EXPECT_EQ(changed.failure_policy, FailurePolicy::kLastShare);
  EXPECT_EQ(changed.weights, (std::map<std::string, std::uint32_t>{{"a", 3}, {"b", 2}}));
  // To EXACT: the policy of the split bucket cannot stay.
  BucketPatch exact;
  exact.sharing = Sharing::kExact;
  EXPECT_EQ(apply_sharing(exact, units(), &first).value().failure_policy, FailurePolicy::kClosed);
  // Back to the node: nothing is left.
  BucketPatch node;
  node.scope = Scope::kNode;
  EXPECT_EQ(apply_sharing(node, units(), &first).value(), BucketSharing{});
}

TEST(BucketSharing, ErrorsNameTheFieldAndWhatIsAllowed) {
  BucketPatch patch;
  patch.sharing = Sharing::kSplit;
  EXPECT_EQ(error_of(patch),
            "sharing: a value is not allowed: none, for the bucket's scope is NODE; set scope to "
            "CLUSTER as well");
  patch = in_cluster();
  patch.sharing = Sharing::kExact;
  EXPECT_NE(error_of(patch, bits()).find("SHARING_SPLIT where leak_rate_bps is set"),
            std::string::npos);
  patch.failure_policy = FailurePolicy::kSafeShare;
  EXPECT_NE(error_of(patch).find("failure_policy: FAILURE_POLICY_SAFE_SHARE is not allowed"),
            std::string::npos);
  patch.failure_policy = FailurePolicy::kOpen;
  EXPECT_EQ(error_of(patch), "");
  patch.safe_reserve = 0.5;
  EXPECT_NE(error_of(patch).find("safe_reserve: 0.5 is not allowed"), std::string::npos);
}

TEST(BucketSharing, MessagesReadBackTheSame) {
  BucketSharing sharing;
  sharing.scope = Scope::kCluster;
  sharing.failure_policy = FailurePolicy::kOpen;
  sharing.decide_within = Duration{7'000'000};
  sharing.safe_reserve = 0.25;
  sharing.weights = {{"n1", 1}, {"n2", 1000}};
  v1::BucketConfig config;
  config.set_bucket_id("b");
  write_sharing(sharing, config);
  const BucketPatch patch = read_patch(config, "").value();
  EXPECT_EQ(apply_sharing(patch, bits(), nullptr).value(), sharing);
  BucketPatch complete;
  complete_sharing(sharing, complete);
  EXPECT_EQ(apply_sharing(complete, bits(), nullptr).value(), sharing);
  // The flat request has the same fields.
  v1::ConfigureBucketRequest request;
  request.set_bucket_id("b");
  request.set_scope(config.scope());
  request.set_sharing(config.sharing());
  request.set_failure_policy(config.failure_policy());
  request.set_decide_within_ns(config.decide_within_ns());
  request.set_safe_reserve(config.safe_reserve());
  *request.mutable_weights() = config.weights();
  EXPECT_EQ(config_of(request).ShortDebugString(), config.ShortDebugString());
}

TEST(BucketSharing, FieldsHaveRanges) {
  const auto message = [](auto change) {
    v1::BucketConfig config;
    config.set_bucket_id("b");
    change(config);
    return std::string(message_of(read_patch(config, "buckets[1].").status()));
  };
  EXPECT_EQ(message([](auto& c) { c.set_decide_within_ns(4'999'999); }),
            "buckets[1].decide_within_ns: 4999999 is not allowed: 5000000 to 10000000000 ns");
  EXPECT_EQ(message([](auto& c) { c.set_safe_reserve(1.5); }),
            "buckets[1].safe_reserve: 1.5 is not allowed: 0 to 1");
  EXPECT_EQ(message([](auto& c) { c.set_scope(static_cast<v1::Scope>(9)); }),
            "buckets[1].scope: 9 is not allowed: SCOPE_NODE (1), SCOPE_CLUSTER (2) or unset");
  EXPECT_EQ(message([](auto& c) { (*c.mutable_weights())["n"] = 0; }),
            "buckets[1].weights[\"n\"]: 0 is not allowed: 1 to 1000");
}

TEST(BucketSharing, ScopeClusterNeedsACluster) {
  FakeEngine engine;
  LocalQueues requests(engine, 100);
  BucketRegistry buckets(engine, requests);
  const BucketPatch patch = in_cluster();
  const auto applied = buckets.apply(std::span(&patch, 1));
  EXPECT_EQ(applied.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(message_of(applied.status()),
            "scope: SCOPE_CLUSTER needs a node that is in a cluster (dripd --cluster)");
}

}  // namespace
}  // namespace drip::control
