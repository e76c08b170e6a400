// SPDX-License-Identifier: BSD-3-Clause
// `dripctl history`: what it asks for, and how it writes what changed.
#include <gmock/gmock.h>
#include <signal.h>

#include <chrono>

#include "dripctl_fixture.h"
#include "support/wait_until.h"

namespace drip {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::MatchesRegex;

class HistoryTest : public DripctlTest {
 protected:
  static v1::Change change(std::uint64_t number, const std::string& target) {
    v1::Change change;
    change.set_number(number);
    change.set_time(1'795'827'488'007);
    change.set_caller("token \"ci\"");
    change.set_peer("ipv4:192.0.2.7:4711");
    change.set_method("RateLimiterService/ConfigureBucket");
    change.set_target(target);
    change.set_result("OK");
    return change;
  }
  // The line of one change without its first columns.
  std::string shown(const v1::Change& change) {
    v1::ListChangesResponse response;
    *response.add_changes() = change;
    server_->reply(response);
    const auto table = lines(dripctl("history").out);
    return table.size() == 2 ? table[1].substr(table[0].find("WHAT")) : "not one line";
  }
};

TEST_F(HistoryTest, AsksForTheLastHundredAndReadsAllPages) {
  v1::ListChangesResponse first;
  *first.add_changes() = change(1, "bucket a");
  first.set_next_page_token("2");
  v1::ListChangesResponse second;
  *second.add_changes() = change(2, "bucket b");
  server_->reply(first);
  server_->reply(second);
  const auto table = lines(dripctl("history").out);
  ASSERT_EQ(table.size(), 3U);
  EXPECT_THAT(table[0], MatchesRegex("TIME +CALLER +FROM +WHAT +CHANGE"));
  EXPECT_THAT(table[1], ContainsRegex("^20..-..-.. ..:..:08.007 +token \"ci\" +192.0.2.7:4711 +"
                                      "bucket a +ConfigureBucket: nothing to change"));
  EXPECT_THAT(table[2], HasSubstr("bucket b"));
  const auto asked = server_->asked<v1::ListChangesRequest>();
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_EQ(asked[0].last(), 100U);
  EXPECT_EQ(asked[0].page_token(), "");
  EXPECT_EQ(asked[0].since(), 0);
  EXPECT_EQ(asked[1].page_token(), "2");
}

TEST_F(HistoryTest, FlagsBecomeTheRequest) {
  const auto before = std::chrono::floor<std::chrono::milliseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  EXPECT_EQ(dripctl("history --bucket web --caller ci --failed --since 2h -n 7").exit_code, 0);
  auto request = asked<v1::ListChangesRequest>();
  EXPECT_EQ(request.target(), "bucket web");
  EXPECT_EQ(request.caller(), "ci");
  EXPECT_TRUE(request.failed());
  EXPECT_EQ(request.last(), 7U);
  EXPECT_GE(request.since(), before - 2 * 3'600'000);
  EXPECT_LT(request.since(), before - 3'600'000);
  EXPECT_EQ(dripctl("history --rule r1 --all").exit_code, 0);
  EXPECT_EQ(dripctl("history --list customers").exit_code, 0);
  const auto all = server_->asked<v1::ListChangesRequest>();
  EXPECT_EQ(all[1].target(), "rule r1");
  EXPECT_EQ(all[1].last(), 0U);
  EXPECT_EQ(all[2].target(), "list customers");
}

TEST_F(HistoryTest, TellsWhatDiffers) {
  v1::Change changed = change(1, "bucket web");
  v1::BucketConfig& before = *changed.mutable_before()->mutable_bucket();
  before.set_bucket_id("web");
  before.set_capacity(1000);
  before.set_leak_rate_bps(100e6);
  *changed.mutable_after() = changed.before();
  changed.mutable_after()->mutable_bucket()->set_leak_rate_bps(50e6);
  changed.mutable_after()->mutable_bucket()->mutable_queue()->set_kind(v1::QUEUE_KIND_FAIR);
  const std::string text = shown(changed);
  EXPECT_THAT(text, ContainsRegex("bucket web +leak_rate_bps 100mbit -> 50mbit, "));
  EXPECT_THAT(text, HasSubstr("queue.kind - -> QUEUE_KIND_FAIR"));
  EXPECT_THAT(text, testing::Not(HasSubstr("capacity ")));
}

TEST_F(HistoryTest, TellsWhatWasMade) {
  v1::Change made = change(1, "rule r1");
  made.mutable_after()->mutable_rule()->set_rule_id("r1");
  made.mutable_after()->mutable_rule()->set_priority(5);
  made.mutable_after()->mutable_rule()->mutable_match()->mutable_dst_port()->set_first(80);
  const std::string text = shown(made);
  EXPECT_THAT(text, ContainsRegex("rule r1 +created: priority 5, "));
  EXPECT_THAT(text, HasSubstr("match.dst_port.first 80"));
  EXPECT_THAT(text, testing::Not(HasSubstr("match.src_prefix"))) << "which is empty";
}

TEST_F(HistoryTest, OfRefusedCallsTheReason) {
  v1::Change refused = change(1, "");
  refused.set_caller("");
  refused.set_peer("ipv6:%5B::1%5D:4711");
  refused.set_method("ShaperService/SetRules");
  refused.set_result("PERMISSION_DENIED");
  refused.set_error("SetRules needs the role admin");
  v1::ListChangesResponse response;
  *response.add_changes() = refused;
  v1::Change capture = change(2, "bucket web");
  capture.set_method("ShaperService/Capture");
  capture.set_peer("unix:");
  capture.mutable_after()->set_note("begun");
  *response.add_changes() = capture;
  v1::Change gone = change(3, "bucket web");
  gone.mutable_before()->mutable_bucket()->set_bucket_id("web");
  *response.add_changes() = gone;
  server_->reply(response);
  const auto table = lines(dripctl("history").out);
  ASSERT_EQ(table.size(), 4U);
  EXPECT_THAT(table[1], ContainsRegex(" - +\\[::1\\]:4711 +SetRules +PERMISSION_DENIED: SetRules "
                                      "needs the role admin"));
  EXPECT_THAT(table[2], ContainsRegex(" unix: +bucket web +Capture begun"));
  EXPECT_THAT(table[3], ContainsRegex(" bucket web +deleted"));
  EXPECT_EQ(json("history")["changes"][1]["after"]["note"], "begun");
  EXPECT_EQ(json("history")["changes"][0]["number"], 1);
}

TEST_F(HistoryTest, FollowsUntilItIsInterrupted) {
  v1::ListChangesResponse response;
  *response.add_changes() = change(8, "bucket a");
  server_->reply(response);
  response.mutable_changes(0)->set_number(9);
  response.mutable_changes(0)->set_target("bucket b");
  server_->reply(response);
  server_->reply(v1::ListChangesResponse());
  Process process(words("history --follow --json"), "", {{"DRIPCTL_SERVER", server_.address()}});
  ASSERT_TRUE(wait_until([&] { return server_->asked<v1::ListChangesRequest>().size() >= 3; }));
  process.send_signal(SIGINT);
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto shown = lines(outcome.out);
  ASSERT_EQ(shown.size(), 2U) << "a line of JSON for each";
  EXPECT_EQ(nlohmann::json::parse(shown[0])["target"], "bucket a");
  EXPECT_EQ(nlohmann::json::parse(shown[1])["number"], 9);
  const auto asked = server_->asked<v1::ListChangesRequest>();
  EXPECT_EQ(asked[0].after_number(), 0U);
  EXPECT_EQ(asked[0].last(), 100U);
  EXPECT_EQ(asked[1].after_number(), 8U);
  EXPECT_EQ(asked[1].last(), 0U);
  EXPECT_EQ(asked[2].after_number(), 9U);
}

}  // namespace
}  // namespace drip
