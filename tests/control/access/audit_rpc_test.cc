// SPDX-License-Identifier: BSD-3-Clause
// What the audit log has of calls: changes with both values, refused calls, no secrets.
#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "control/access/access_fixture.h"

namespace drip::control {
namespace {

using access::Role;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class AuditRpc : public AccessFixture {
 protected:
  void SetUp() override {
    auto log = access::AuditLog::open(path());
    ASSERT_TRUE(log.ok()) << log.status();
    options_.audit = *std::move(log);
    start_with_tokens({{"admin", Role::kAdmin, ""},
                       {"reader", Role::kRead, ""},
                       {"acme", Role::kAdmin, "acme/"}});
    admin_.emplace(client("admin"));
  }
  [[nodiscard]] std::string path() const { return directory_.path_of("audit.log"); }
  template <class Stub, class Request, class Reply>
  void change(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
              const std::string& request) {
    const grpc::Status status = admin_->call(method, request);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  /// The lines so far, when there are `count`.
  std::vector<json> lines(std::size_t count) {
    std::vector<json> result;
    EXPECT_TRUE(wait_until([&] {
      result.clear();
      std::ifstream file(path());
      for (std::string line; std::getline(file, line);) {
        if (!file.eof()) result.push_back(json::parse(line));
      }
      return result.size() >= count;
    }));
    EXPECT_EQ(result.size(), count);
    result.resize(count);
    return result;
  }

  std::optional<AccessClient> admin_;
};

TEST_F(AuditRpc, ChangesOfBucketsHaveBothValues) {
  change(&Limiter::ConfigureBucket, "bucket_id: 'b' leak_rate: 10 capacity: 5");
  change(&Limiter::ConfigureBucket, "bucket_id: 'b' leak_rate: 20");
  change(&Shaper::ConfigureBuckets,
         "buckets { bucket_id: 'b' leak_rate: 30 } "
         "buckets { bucket_id: 'c' leak_rate: 1 capacity: 1 }");
  change(&Limiter::ConfigureBucket, "bucket_id: 'b' leak_rate: 30");
  change(&Limiter::DeleteBucket, "bucket_id: 'b'");
  const auto log = lines(6);
  EXPECT_EQ(log[0]["caller"], "token \"admin\"");
  EXPECT_THAT(log[0]["peer"].get<std::string>(), StartsWith("ipv4:127.0.0.1:"));
  EXPECT_EQ(log[0]["method"], "RateLimiterService/ConfigureBucket");
  EXPECT_EQ(log[0]["target"], "bucket b");
  EXPECT_EQ(log[0]["result"], "OK");
  EXPECT_FALSE(log[0].contains("before"));
  EXPECT_EQ(log[0]["after"]["leak_rate"], 10);
  EXPECT_EQ(log[1]["before"]["leak_rate"], 10);
  EXPECT_EQ(log[1]["after"]["leak_rate"], 20);
  EXPECT_EQ(log[2]["target"], "bucket b");
  EXPECT_EQ(log[2]["before"]["leak_rate"], 20);
  EXPECT_EQ(log[3]["target"], "bucket c");
  EXPECT_EQ(log[3]["method"], "ShaperService/ConfigureBuckets");
  EXPECT_FALSE(log[4].contains("after")) << "nothing was changed";
  EXPECT_EQ(log[5]["before"]["leak_rate"], 30);
  EXPECT_FALSE(log[5].contains("after"));
}

TEST_F(AuditRpc, CapturesAreInItAndWhoWasRefusedOne) {
  change(&Limiter::ConfigureBucket, "bucket_id: 'b' leak_rate: 10 capacity: 5");
  const auto capture = [](const AccessClient& client, const char* request) {
    grpc::ClientContext context;
    client.authorize(context);
    const auto stream =
        Shaper(client.channel()).Capture(&context, message<v1::CaptureRequest>(request));
    v1::CaptureResponse response;
    if (stream->Read(&response)) context.TryCancel();
    (void)stream->Finish();
  };
  capture(*admin_, "bucket_id: 'b'");
  (void)lines(3);  // Its end is written before another one can begin.
  capture(*admin_, "bucket_id: 'b' one_in: 9999999");
  capture(client("reader"), "bucket_id: 'b'");
  const auto log = lines(5);
  EXPECT_EQ(log[1]["caller"], "token \"admin\"");
  EXPECT_EQ(log[1]["method"], "ShaperService/Capture");
  EXPECT_EQ(log[1]["target"], "bucket b");
  EXPECT_EQ(log[1]["after"], "begun");
  EXPECT_EQ(log[2]["after"], "ended, 0 frames sent");
  EXPECT_EQ(log[3]["result"], "INVALID_ARGUMENT");
  EXPECT_EQ(log[4]["result"], "PERMISSION_DENIED");
}

TEST_F(AuditRpc, ChangesOfRulesAndListsToo) {
  change(&Shaper::SetAddressList, "list { name: 'l' prefixes: '192.0.2.0/24' }");
  change(&Shaper::SetRule, "rule { rule_id: 'r' pass: true match { src_list: 'l' } }");
  change(&Shaper::SetRule, "rule { rule_id: 'r' drop: true match { src_list: 'l' } }");
  change(&Shaper::SetRules,
         "rule_set { rules { rule_id: 'r' drop: true } rules { rule_id: 's' pass: true } "
         "protect_control_traffic: false }");
  change(&Shaper::DeleteRule, "rule_id: 's'");
  change(&Shaper::DeleteAddressList, "name: 'l'");
  const auto log = lines(8);
  EXPECT_EQ(log[0]["after"], json::parse(R"({"entries":1,"prefixes":["192.0.2.0/24"]})"));
  EXPECT_EQ(log[1]["after"]["pass"], true);
  EXPECT_EQ(log[2]["before"]["pass"], true);
  EXPECT_EQ(log[2]["after"]["drop"], true);
  EXPECT_EQ(log[3]["target"], "rule r");
  EXPECT_EQ(log[4]["target"], "rule s");
  EXPECT_EQ(log[5]["target"], "rules");
  EXPECT_EQ(log[5]["before"]["protect_control_traffic"], true);
  EXPECT_EQ(log[6]["method"], "ShaperService/DeleteRule");
  EXPECT_FALSE(log[6].contains("after"));
  EXPECT_EQ(log[7]["target"], "list l");
}

TEST_F(AuditRpc, WhatFailedOrWasRefusedIsThereWithItsReason) {
  EXPECT_FALSE(admin_->call(&Limiter::DeleteBucket, "bucket_id: 'none'").ok());
  EXPECT_FALSE(client("reader").call(&Shaper::SetRules).ok());
  EXPECT_FALSE(client().call(&Shaper::GetNode).ok());
  EXPECT_FALSE(client("acme")
                   .call(&Limiter::ConfigureBucket, "bucket_id: 'b' leak_rate: 1 capacity: 1")
                   .ok());
  EXPECT_FALSE(admin_->call(&Limiter::ForgetNode, "node_id: 'n2'").ok());
  const auto log = lines(4);
  EXPECT_EQ(log[0]["result"], "NOT_FOUND");
  EXPECT_THAT(log[0]["error"].get<std::string>(), HasSubstr("no bucket is named \"none\""));
  EXPECT_EQ(log[1]["caller"], "token \"reader\"");
  EXPECT_EQ(log[1]["result"], "PERMISSION_DENIED");
  EXPECT_EQ(log[1]["method"], "ShaperService/SetRules");
  EXPECT_THAT(log[1]["error"].get<std::string>(), HasSubstr("seen as token \"reader\""));
  EXPECT_EQ(log[2]["result"], "UNAUTHENTICATED");
  EXPECT_EQ(log[2]["caller"], "");
  EXPECT_EQ(log[3]["caller"], "token \"acme\"");
  EXPECT_EQ(log[3]["target"], "bucket b");
  EXPECT_EQ(log[3]["result"], "PERMISSION_DENIED");
}

TEST_F(AuditRpc, SecretsAreNotInIt) {
  EXPECT_FALSE(client("drip_topsecret").call(&Shaper::GetNode).ok());
  lines(1);
  std::ifstream file(path());
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_THAT(text, Not(HasSubstr("topsecret")));
}

}  // namespace
}  // namespace drip::control
