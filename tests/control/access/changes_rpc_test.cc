// SPDX-License-Identifier: BSD-3-Clause
// ListChanges over real gRPC: what it selects, what of it whom it shows, and where it begins.
#include <gmock/gmock.h>

#include <chrono>

#include "control/access/access_fixture.h"

namespace drip::control {
namespace {

using access::Role;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class ChangesRpc : public AccessFixture {
 protected:
  void start_it() {
    start_with_tokens({{"admin", Role::kAdmin, ""},
                       {"ci", Role::kAdmin, ""},
                       {"reader", Role::kRead, ""},
                       {"acme", Role::kAdmin, "acme/"},
                       {"acme-reader", Role::kRead, "acme/"}});
    admin_.emplace(client("admin"));
  }
  template <class Stub, class Request, class Reply>
  void change(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
              const std::string& request) {
    const grpc::Status status = admin_->call(method, request);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  v1::ListChangesResponse list(const std::string& request = "", const std::string& who = "admin") {
    v1::ListChangesResponse response;
    const grpc::Status status = client(who).call(&Shaper::ListChanges, request, response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  static std::vector<std::string> targets(const v1::ListChangesResponse& response) {
    std::vector<std::string> targets;
    for (const v1::Change& one : response.changes()) targets.push_back(one.target());
    return targets;
  }

  std::optional<AccessClient> admin_;
};

TEST_F(ChangesRpc, HasWhoWhenFromWhereAndBothValuesWithoutALog) {
  start_it();
  const auto now_ms = [] {
    return std::chrono::floor<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  };
  const auto before_ms = now_ms();
  change(&Limiter::ConfigureBucket, "bucket_id: 'b' leak_rate: 10 capacity: 5");
  change(&Limiter::ConfigureBucket, "bucket_id: 'b' leak_rate: 20");
  change(&Limiter::DeleteBucket, "bucket_id: 'b'");
  const v1::ListChangesResponse all = list();
  ASSERT_EQ(all.changes_size(), 3);
  const v1::Change& made = all.changes(0);
  EXPECT_EQ(made.number(), 1U);
  EXPECT_GE(made.time(), before_ms);
  EXPECT_LE(made.time(), now_ms());
  EXPECT_EQ(made.caller(), "token \"admin\"");
  EXPECT_THAT(made.peer(), StartsWith("ipv4:127.0.0.1:"));
  EXPECT_EQ(made.method(), "RateLimiterService/ConfigureBucket");
  EXPECT_EQ(made.target(), "bucket b");
  EXPECT_EQ(made.result(), "OK");
  EXPECT_EQ(made.error(), "");
  EXPECT_FALSE(made.has_before());
  EXPECT_EQ(made.after().bucket().leak_rate(), 10);
  EXPECT_EQ(made.after().bucket().capacity(), 5U);
  EXPECT_EQ(all.changes(1).before().bucket().leak_rate(), 10);
  EXPECT_EQ(all.changes(1).after().bucket().leak_rate(), 20);
  EXPECT_TRUE(all.changes(2).has_before());
  EXPECT_FALSE(all.changes(2).has_after());
  EXPECT_EQ(all.forgotten(), 0U);
}

TEST_F(ChangesRpc, RulesListsAndCapturesHaveTheirValues) {
  start_it();
  change(&Shaper::SetAddressList, "list { name: 'l' prefixes: '192.0.2.0/24' }");
  change(&Shaper::SetRule, "rule { rule_id: 'r' pass: true match { src_list: 'l' } }");
  change(&Shaper::SetRules, "rule_set { protect_control_traffic: false }");
  change(&Limiter::ConfigureBucket, "bucket_id: 'b' leak_rate: 10 capacity: 5");
  EXPECT_TRUE(admin_->call_by_path("/drip.v1.ShaperService/Capture").error_code() !=
              grpc::StatusCode::OK);
  const v1::ListChangesResponse all = list();
  EXPECT_EQ(all.changes(0).after().list().entries(), 1U);
  EXPECT_THAT(all.changes(0).after().list().prefixes(), ElementsAre("192.0.2.0/24"));
  EXPECT_TRUE(all.changes(1).after().rule().pass());
  EXPECT_EQ(all.changes(2).target(), "rule r");
  EXPECT_FALSE(all.changes(2).has_after());
  EXPECT_EQ(all.changes(3).target(), "rules");
  EXPECT_TRUE(all.changes(3).before().rules().protect_control_traffic());
  EXPECT_FALSE(all.changes(3).after().rules().protect_control_traffic());
  EXPECT_EQ(all.changes(5).method(), "ShaperService/Capture");
  EXPECT_NE(all.changes(5).result(), "OK");
}

TEST_F(ChangesRpc, SelectsByTargetCallerTimeAndResult) {
  start_it();
  change(&Limiter::ConfigureBucket, "bucket_id: 'b' leak_rate: 10 capacity: 5");
  change(&Limiter::ConfigureBucket, "bucket_id: 'c' leak_rate: 10 capacity: 5");
  EXPECT_TRUE(client("ci").call(&Limiter::ConfigureBucket, "bucket_id: 'b' leak_rate: 20").ok());
  EXPECT_FALSE(client("ci").call(&Limiter::DeleteBucket, "bucket_id: 'none'").ok());
  EXPECT_FALSE(client("reader").call(&Shaper::SetRules).ok());
  EXPECT_THAT(targets(list()), ElementsAre("bucket b", "bucket c", "bucket b", "bucket none", ""));
  EXPECT_THAT(targets(list("target: 'bucket b'")), ElementsAre("bucket b", "bucket b"));
  EXPECT_THAT(targets(list("target: 'bucket'")), IsEmpty());
  for (const char* caller : {"caller: 'ci'", "caller: 'token \"ci\"'"}) {
    EXPECT_THAT(targets(list(caller)), ElementsAre("bucket b", "bucket none"));
  }
  EXPECT_THAT(targets(list("caller: 'c'")), IsEmpty());
  EXPECT_THAT(targets(list("caller: 'ci' failed: true")), ElementsAre("bucket none"));
  const v1::ListChangesResponse failed = list("failed: true");
  ASSERT_THAT(targets(failed), ElementsAre("bucket none", ""));
  EXPECT_EQ(failed.changes(0).result(), "NOT_FOUND");
  EXPECT_EQ(failed.changes(1).result(), "PERMISSION_DENIED");
  EXPECT_EQ(failed.changes(1).method(), "ShaperService/SetRules");
  EXPECT_THAT(failed.changes(1).error(), HasSubstr("seen as token \"reader\""));
  const std::int64_t last_ms = list().changes(4).time();
  EXPECT_THAT(targets(list("since: " + std::to_string(last_ms + 1))), IsEmpty());
  EXPECT_EQ(list("since: " + std::to_string(list().changes(0).time())).changes_size(), 5);
  EXPECT_THAT(targets(list("after_number: 3")), ElementsAre("bucket none", ""));
  EXPECT_THAT(targets(list("after_number: 18446744073709551615")), IsEmpty());
}

TEST_F(ChangesRpc, PagesGoOnWhereTheLastOneEnded) {
  start_it();
  for (int i = 0; i < 5; ++i) {
    change(&Limiter::ConfigureBucket,
           "bucket_id: 'b" + std::to_string(i) + "' leak_rate: 10 capacity: 5");
  }
  EXPECT_THAT(targets(list("last: 2")), ElementsAre("bucket b3", "bucket b4"));
  EXPECT_EQ(list("last: 6").changes_size(), 5);
  const v1::ListChangesResponse page = list("last: 3 page_size: 2");
  EXPECT_THAT(targets(page), ElementsAre("bucket b2", "bucket b3"));
  const v1::ListChangesResponse rest =
      list("last: 3 page_size: 2 page_token: '" + page.next_page_token() + "'");
  EXPECT_THAT(targets(rest), ElementsAre("bucket b4"));
  EXPECT_EQ(rest.next_page_token(), "");
  EXPECT_EQ(client("admin").call(&Shaper::ListChanges, "page_size: 1001").error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(client("admin").call(&Shaper::ListChanges, "page_token: 'x'").error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ChangesRpc, IsForAdminAndATenantSeesItsOwnBuckets) {
  start_it();
  change(&Limiter::ConfigureBucket, "bucket_id: 'b' leak_rate: 10 capacity: 5");
  change(&Limiter::ConfigureBucket, "bucket_id: 'acme/x' leak_rate: 10 capacity: 5");
  change(&Shaper::SetRule, "rule { rule_id: 'acme/r' pass: true }");
  EXPECT_TRUE(
      client("acme").call(&Limiter::ConfigureBucket, "bucket_id: 'acme/x' leak_rate: 9").ok());
  EXPECT_FALSE(client("acme").call(&Limiter::ConfigureBucket, "bucket_id: 'b' leak_rate: 9").ok());
  EXPECT_FALSE(client("acme").call(&Shaper::SetRules).ok());
  for (const char* who : {"reader", "acme-reader"}) {
    EXPECT_EQ(client(who).call(&Shaper::ListChanges).error_code(),
              grpc::StatusCode::PERMISSION_DENIED)
        << who;
  }
  const v1::ListChangesResponse own = list("", "acme");
  ASSERT_THAT(targets(own), ElementsAre("bucket acme/x", "bucket acme/x"));
  EXPECT_EQ(own.changes(0).caller(), "token \"admin\"");
  EXPECT_EQ(own.changes(0).peer(), "") << "where the operator is";
  EXPECT_EQ(own.changes(1).caller(), "token \"acme\"");
  EXPECT_THAT(own.changes(1).peer(), StartsWith("ipv4:"));
  EXPECT_THAT(targets(list("target: 'bucket b'", "acme")), IsEmpty());
  EXPECT_THAT(targets(list("failed: true", "acme")), IsEmpty());
  EXPECT_THAT(targets(list("last: 1", "acme")), ElementsAre("bucket acme/x"));
}

TEST_F(ChangesRpc, BeginsWithTheEndOfTheLog) {
  const std::string path = directory_.write(
      "audit.log",
      R"({"time":"2026-11-28T00:58:08.007Z","caller":"token \"ci\"","peer":"ipv4:192.0.2.7:4711",)"
      R"("method":"RateLimiterService/ConfigureBucket","target":"bucket web",)"
      R"("before":{"bucket_id":"web","leak_rate":10,"of_another_version":1},)"
      R"("after":{"bucket_id":"web","leak_rate":20},"result":"OK"})"
      "\n"
      R"({"time":"2026-11-28T00:58:09.000Z","caller":"","peer":"unix:","method":)"
      R"("ShaperService/Capture","target":"bucket web","after":"begun","result":"OK"})"
      "\n"
      R"({"time":"2026-11-28T00:58:10.000Z","caller":"tok)");
  auto log = access::AuditLog::open(path);
  ASSERT_TRUE(log.ok()) << log.status();
  options_.audit = *std::move(log);
  start_it();
  change(&Limiter::ConfigureBucket, "bucket_id: 'b' leak_rate: 10 capacity: 5");
  const v1::ListChangesResponse all = list();
  ASSERT_THAT(targets(all), ElementsAre("bucket web", "bucket web", "bucket b"));
  EXPECT_EQ(all.changes(0).time(), 1'795'827'488'007);
  EXPECT_EQ(all.changes(0).caller(), "token \"ci\"");
  EXPECT_EQ(all.changes(0).before().bucket().leak_rate(), 10);
  EXPECT_EQ(all.changes(0).after().bucket().leak_rate(), 20);
  EXPECT_EQ(all.changes(1).after().note(), "begun");
  EXPECT_EQ(all.changes(2).number(), 3U);
}

TEST_F(ChangesRpc, SecretsAreNotInIt) {
  start_it();
  EXPECT_FALSE(client("drip_topsecret").call(&Shaper::GetNode).ok());
  const v1::ListChangesResponse all = list();
  ASSERT_EQ(all.changes_size(), 1);
  EXPECT_EQ(all.changes(0).result(), "UNAUTHENTICATED");
  EXPECT_THAT(all.DebugString(), Not(HasSubstr("topsecret")));
}

}  // namespace
}  // namespace drip::control
