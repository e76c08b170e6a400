// SPDX-License-Identifier: BSD-3-Clause
// Buckets of the whole cluster: flags of `bucket set`, lines of `bucket show`, `cluster shares`.
#include <gmock/gmock.h>

#include <array>
#include <string>
#include <vector>

#include "dripctl_fixture.h"

namespace drip {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using v1::ConfigureBucketRequest;

class DripctlSharingTest : public DripctlTest {
 protected:
  v1::Bucket* shared_bucket(v1::Sharing sharing, v1::FailurePolicy policy) {
    v1::Bucket* const bucket = reply_.mutable_bucket();
    bucket->set_bucket_id("b");
    bucket->set_scope(v1::SCOPE_CLUSTER);
    v1::BucketConfig& config = *bucket->mutable_config();
    config.set_scope(v1::SCOPE_CLUSTER);
    config.set_leak_rate(100);
    config.set_sharing(sharing);
    config.set_failure_policy(policy);
    config.set_decide_within_ns(50'000'000);
    bucket->set_true_leak_rate(52.54945899359882);
    return bucket;
  }
  std::string show() {
    server_->reply(reply_);
    return dripctl("bucket show b").out;
  }
  v1::GetBucketStatusResponse reply_;
};

TEST_F(DripctlSharingTest, SetSendsEverySetting) {
  const Outcome outcome = dripctl(
      "bucket set b --rate 10/s --capacity 20 --scope cluster --sharing split --on-failure "
      "last-share --decide-within 20ms --safe-reserve 25% --weight n1=3 --weight a=b=2 "
      "--if-revision 7");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto request = asked<ConfigureBucketRequest>();
  EXPECT_EQ(request.leak_rate(), 10);
  EXPECT_EQ(request.capacity(), 20U);
  EXPECT_EQ(request.scope(), v1::SCOPE_CLUSTER);
  EXPECT_EQ(request.sharing(), v1::SHARING_SPLIT);
  EXPECT_EQ(request.failure_policy(), v1::FAILURE_POLICY_LAST_SHARE);
  EXPECT_EQ(request.decide_within_ns(), 20'000'000U);
  EXPECT_EQ(request.safe_reserve(), 0.25);
  EXPECT_EQ(request.weights().at("n1"), 3U);
  EXPECT_EQ(request.weights().at("a=b"), 2U);
  EXPECT_EQ(request.expected_revision(), 7U);
}

TEST_F(DripctlSharingTest, SetReadsAllValues) {
  dripctl("bucket set b --scope node --sharing exact --on-failure closed --safe-reserve 0.5");
  dripctl("bucket set b --on-failure safe-share");
  dripctl("bucket set b --on-failure open --if-revision 0");
  const auto requests = server_->asked<ConfigureBucketRequest>();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[0].scope(), v1::SCOPE_NODE);
  EXPECT_EQ(requests[0].sharing(), v1::SHARING_EXACT);
  EXPECT_EQ(requests[0].failure_policy(), v1::FAILURE_POLICY_CLOSED);
  EXPECT_EQ(requests[0].safe_reserve(), 0.5);
  EXPECT_FALSE(requests[0].has_expected_revision());
  EXPECT_EQ(requests[1].failure_policy(), v1::FAILURE_POLICY_SAFE_SHARE);
  EXPECT_EQ(requests[2].failure_policy(), v1::FAILURE_POLICY_OPEN);
  EXPECT_TRUE(requests[2].has_expected_revision()) << "0: it must not exist";
}

TEST_F(DripctlSharingTest, UnknownValuesAreUsageErrors) {
  for (const auto& [flag, text, allowed] :
       std::vector<std::array<const char*, 3>>{{"--scope", "all", "node"},
                                               {"--sharing", "half", "exact"},
                                               {"--on-failure", "panic", "safe-share"},
                                               {"--decide-within", "soon", "ms"},
                                               {"--safe-reserve", "lots", "0.1 or 10%"},
                                               {"--weight", "n1", "NODE=N"},
                                               {"--weight", "=3", "NODE=N"},
                                               {"--weight", "n1=-1", "NODE=N"}}) {
    const Outcome outcome = dripctl(std::string("bucket set b ") + flag + " " + text);
    EXPECT_NE(outcome.exit_code, 0) << flag << " " << text;
    EXPECT_THAT(outcome.err, AllOf(HasSubstr(flag), HasSubstr(allowed)));
  }
  EXPECT_EQ(server_->calls(), 0U);
}

TEST_F(DripctlSharingTest, ShowTellsShareDemandAndPolicyOfASplitBucket) {
  v1::Bucket* const bucket = shared_bucket(v1::SHARING_SPLIT, v1::FAILURE_POLICY_SAFE_SHARE);
  bucket->mutable_config()->set_safe_reserve(0.1);
  (*bucket->mutable_config()->mutable_weights())["n2"] = 5;
  bucket->set_share_rate(52.54945899359882);
  bucket->set_demand_rate(1234.56);
  bucket->set_policy_state(v1::POLICY_STATE_SAFE_SHARE);
  bucket->set_policy_changes(3);
  bucket->set_share_epoch(9);
  const std::string text = show();
  EXPECT_THAT(text, ContainsRegex("\nscope +cluster: split, safe-share on failure, decided within "
                                  "50ms, 10 % in reserve, weights n2=5\n"));
  EXPECT_THAT(text, ContainsRegex("\npolicy state +safe share; changed 3 times\n"));
  EXPECT_THAT(text, ContainsRegex("\nshare +52.55/s until .*, epoch 9\n"));
  EXPECT_THAT(text, ContainsRegex("\ndemand +1.235k/s\n"));
  EXPECT_THAT(text, ContainsRegex("\ntrue rate +52.55/s\n"));
}

TEST_F(DripctlSharingTest, ShowTellsThePolicyOfAnExactBucketWhichHasNoShares) {
  v1::Bucket* const bucket = shared_bucket(v1::SHARING_EXACT, v1::FAILURE_POLICY_OPEN);
  bucket->set_policy_state(v1::POLICY_STATE_OPEN);
  bucket->set_policy_changes(1);
  const std::string text = show();
  EXPECT_THAT(text,
              ContainsRegex("\nscope +cluster: exact, open on failure, decided within 50ms\n"));
  EXPECT_THAT(text, ContainsRegex("\npolicy state +open; changed 1 times\n"));
  EXPECT_THAT(text, Not(HasSubstr("\nshare ")));
  EXPECT_THAT(text, Not(HasSubstr("\ndemand ")));
}

TEST_F(DripctlSharingTest, ShowHasNoSharingForABucketOfOneNode) {
  reply_.mutable_bucket()->set_scope(v1::SCOPE_NODE);
  EXPECT_THAT(show(), Not(HasSubstr("policy state")));
}

TEST_F(DripctlSharingTest, ClusterSharesIsATableOfParts) {
  v1::GetClusterSharesResponse reply;
  v1::BucketShares& bucket = *reply.add_buckets();
  bucket.set_bucket_id("b");
  v1::NodeShare& node = *bucket.add_nodes();
  node.set_node_id("n1");
  node.set_share(0.9333);
  node.set_safe_share(0.03333);
  node.set_demand(1.5);
  server_->reply(reply);
  const auto printed = lines(dripctl("cluster shares --bucket b").out);
  ASSERT_EQ(printed.size(), 2U);
  EXPECT_THAT(printed[0], ContainsRegex("^BUCKET +NODE +SHARE +SAFE SHARE +DEMAND"));
  EXPECT_THAT(printed[1], ContainsRegex("^b +n1 +93.3 % +3.3 % +150.0 %"));
  EXPECT_EQ(server_->asked<v1::GetClusterSharesRequest>().front().bucket_id(), "b");
  EXPECT_EQ(json("cluster shares")["buckets"][0]["nodes"][0]["share"], 0.9333);
}

TEST_F(DripctlSharingTest, ClusterForgetSaysWhatIsFree) {
  v1::ForgetNodeResponse reply;
  reply.set_listed(true);
  reply.set_had_shares(true);
  server_->reply(reply);
  EXPECT_EQ(dripctl("cluster forget n3").out, "n3 is forgotten, its safe shares are free\n");
  EXPECT_EQ(server_->asked<v1::ForgetNodeRequest>().front().node_id(), "n3");
  EXPECT_EQ(json("cluster forget n3")["had_shares"], true);
  EXPECT_EQ(dripctl("cluster forget").exit_code, 2);
}

}  // namespace
}  // namespace drip
