// SPDX-License-Identifier: BSD-3-Clause
// A node that is made anew on the same directory has what the one before it had.
#include "control/state/stored_changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/convert/convert_bucket_config.h"
#include "control/convert/convert_rule.h"
#include "control/requests/local_queues.h"
#include "control/support/fake_engine.h"
#include "control/support/messages.h"
#include "drip/v1/rate_limiter.pb.h"
#include "drip/v1/shaper.pb.h"
#include "support/temporary_directory.h"

namespace drip::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr ConfigurationChanges::Deadline kNoDeadline = ConfigurationChanges::Deadline::max();
constexpr Duration kHour{3'600'000'000'000};

// The part of a node that is about its configuration.
class Part {
 public:
  explicit Part(const std::string& path) {
    auto opened = state::StateStore::open(path);
    EXPECT_TRUE(opened.ok()) << opened.status();
    store = *std::move(opened);
    schedules.emplace(engine, buckets, *store);
    changes.emplace(configuration, buckets, *store, *schedules);
    requests.set_schedules(&*schedules);
    engine.advance(Duration{1'000'000'000'000});
    restored = changes->restore();
  }
  ~Part() {
    (void)engine.drain_and_stop({});
    store->stop();
  }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  absl::Status configure(const std::string& text) {
    const auto patch = read_patch(message<v1::BucketConfig>(text), "");
    EXPECT_TRUE(patch.ok()) << patch.status();
    return stored(changes->configure(std::span(&*patch, 1), kNoDeadline).status());
  }
  absl::Status set_rule(const std::string& text) {
    const auto rule = read_rule(message<v1::Rule>(text), "rule.");
    EXPECT_TRUE(rule.ok()) << rule.status();
    return stored(changes->set_rule(*rule, kNoDeadline).status());
  }
  absl::Status set_rules(const std::string& text) {
    return stored(changes->set_rules(rules_of(text), std::nullopt, kNoDeadline).status());
  }
  static RuleSetSpec rules_of(const std::string& text) {
    const auto rules = read_rule_set(message<v1::RuleSet>(text), "rule_set.");
    EXPECT_TRUE(rules.ok()) << rules.status();
    return *rules;
  }
  // What when_stored() says, if the change has succeeded.
  absl::Status stored(const absl::Status& changed) {
    std::promise<absl::Status> done;
    changes->when_stored([&](const absl::Status& status) { done.set_value(status); });
    const absl::Status status = done.get_future().get();
    return changed.ok() ? status : changed;
  }
  std::vector<std::string> rule_ids() const {
    std::vector<std::string> ids;
    configuration.with_rules([&](const RuleStore& rules) {
      for (const RuleSpec& rule : rules.rules().rules) ids.push_back(rule.id);
    });
    return ids;
  }
  // The answer, when it comes.
  absl::StatusOr<Ticket> allow(const std::string& id, const AdmitRequest& request = {}) {
    std::promise<absl::StatusOr<Ticket>> done;
    requests.admit(*buckets.find(id), request,
                   [&](absl::StatusOr<Ticket> ticket) { done.set_value(std::move(ticket)); });
    return done.get_future().get();
  }

  FakeEngine engine;
  LocalQueues requests{engine, 1000};
  BucketRegistry buckets{engine, requests};
  Configuration configuration{engine, buckets};
  std::unique_ptr<state::StateStore> store;
  std::optional<ScheduleKeeper> schedules;
  std::optional<StoredChanges> changes;
  absl::Status restored;
};

class StoredChangesTest : public testing::Test {
 protected:
  // Ends the present one, and makes another on the same directory.
  Part& restart() {
    part_.reset();
    part_.emplace(path_);
    EXPECT_TRUE(part_->restored.ok()) << part_->restored;
    return *part_;
  }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_.path_of("state");
  std::optional<Part> part_;
};

TEST_F(StoredChangesTest, BucketsAndTreesKeepSettingsAndRevisions) {
  Part& first = restart();
  EXPECT_TRUE(first.configure("bucket_id: 'up' inner: true leak_rate_bps: 1e9").ok());
  EXPECT_TRUE(first
                  .configure("bucket_id: 'leaf' parent_id: 'up' capacity: 7 leak_rate_bps: 1e6 "
                             "guarantee_bps: 5e5 weight: 3")
                  .ok());
  EXPECT_TRUE(first.configure("bucket_id: 'jobs' capacity: 5 leak_rate: 0.1").ok());
  EXPECT_TRUE(first.configure("bucket_id: 'jobs' capacity: 6").ok());
  EXPECT_TRUE(first.configure("bucket_id: 'gone' capacity: 5 leak_rate: 1").ok());
  EXPECT_TRUE(
      first
          .stored(
              first.changes->delete_bucket("gone", true, std::nullopt, false, kNoDeadline).status())
          .ok());
  const BucketDefinition leaf = first.buckets.find("leaf")->definition();
  const BucketDefinition jobs = first.buckets.find("jobs")->definition();
  const std::uint64_t revision = first.buckets.find("jobs")->revision();

  Part& second = restart();
  EXPECT_EQ(second.buckets.size(), 3U);
  EXPECT_TRUE(second.buckets.find("leaf")->definition() == leaf);
  EXPECT_TRUE(second.buckets.find("jobs")->definition() == jobs);
  EXPECT_EQ(second.buckets.find("jobs")->revision(), revision);
  EXPECT_EQ(second.buckets.children_of("up"), 1U);
  // The count goes on.
  EXPECT_TRUE(second.configure("bucket_id: 'new' capacity: 5 leak_rate: 1").ok());
  EXPECT_GT(second.buckets.find("new")->revision(), revision);
}

TEST_F(StoredChangesTest, RulesKeepOrderListsAndRevision) {
  Part& first = restart();
  EXPECT_TRUE(first
                  .set_rules("rules { rule_id: 'a' drop: true match { src_list: 'l' } } "
                             "rules { rule_id: 'b' pass: true } rules { rule_id: 'c' drop: true } "
                             "address_lists { name: 'l' prefixes: '192.0.2.0/24' } "
                             "protect_control_traffic: false")
                  .ok());
  EXPECT_TRUE(first.set_rule("rule_id: 'd' drop: true").ok());
  EXPECT_TRUE(first.stored(first.changes->delete_rule("a", kNoDeadline).status()).ok());
  EXPECT_TRUE(first.set_rule("rule_id: 'e' drop: true").ok());
  EXPECT_TRUE(first.set_rule("rule_id: 'b' drop: true priority: 4").ok());
  const std::uint64_t revision = first.configuration.rules_revision();
  const std::vector<std::string> order = first.rule_ids();
  EXPECT_THAT(order, ElementsAre("b", "c", "d", "e"));

  Part& second = restart();
  EXPECT_EQ(second.rule_ids(), order);
  EXPECT_EQ(second.configuration.rules_revision(), revision);
  second.configuration.with_rules([](const RuleStore& rules) {
    EXPECT_FALSE(rules.rules().protect_control_traffic);
    ASSERT_TRUE(rules.rules().lists.contains("l"));
    EXPECT_EQ(rules.rules().lists.at("l")->size(), 1U);
    EXPECT_EQ(rules.rules().rules[0].priority, 4);
  });
  // Another order, fewer rules, no list.
  EXPECT_TRUE(second
                  .set_rules("rules { rule_id: 'e' drop: true } rules { rule_id: 'x' drop: true } "
                             "rules { rule_id: 'b' drop: true }")
                  .ok());
  Part& third = restart();
  EXPECT_THAT(third.rule_ids(), ElementsAre("e", "x", "b"));
  third.configuration.with_rules(
      [](const RuleStore& rules) { EXPECT_TRUE(rules.rules().lists.empty()); });
}

TEST_F(StoredChangesTest, ANodeWithoutMemoryForItDoesNotStart) {
  restart().configure("bucket_id: 'web' capacity: 5 leak_rate: 1").IgnoreError();
  part_.reset();
  Part part(path_);
  EXPECT_TRUE(part.restored.ok());
  FakeEngine small;
  small.fail_apply = absl::ResourceExhaustedError("ring memory: 5 slots are needed, 4 are there");
  LocalQueues requests{small, 1000};
  BucketRegistry buckets{small, requests};
  Configuration configuration{small, buckets};
  SharedConfig wanted;
  wanted.buckets.push_back(
      {*read_patch(message<v1::BucketConfig>("bucket_id: 'web' capacity: 5 leak_rate: 1"), ""), 1});
  const absl::Status status = configuration.restore(wanted, 1, {});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("bucket \"web\": ring memory: 5 slots are needed, 4 are there"));
}

TEST_F(StoredChangesTest, WhatCannotBeReadIsNamed) {
  state::Image image;
  image["x/what"] = "";
  EXPECT_THAT(std::string(read_state(image).status().message()),
              HasSubstr("state: \"x/what\": this version of dripd does not know what that is"));
  image = {{"b/web", "no message at all"}};
  EXPECT_THAT(std::string(read_state(image).status().message()), HasSubstr("state: \"b/web\": "));
  image = {{"s/web", "never"}};
  EXPECT_THAT(std::string(read_state(image).status().message()),
              HasSubstr("\"s/web\": a boot id and three numbers are needed"));
  // Under another name than its own nobody could delete it.
  v1::Bucket bucket;
  bucket.mutable_config()->set_bucket_id("dns");
  v1::Rule rule;
  rule.set_rule_id("dns");
  v1::AddressList list;
  list.set_name("dns");
  for (const auto& [key, value] :
       {std::pair("b/web", bucket.SerializeAsString()),
        std::pair("r/web", std::string(8, '\0') + rule.SerializeAsString()),
        std::pair("l/web", list.SerializeAsString())}) {
    image = {{key, value}};
    EXPECT_THAT(std::string(read_state(image).status().message()),
                HasSubstr(std::string("\"") + key + "\": it is of \"dns\""));
  }
}

TEST_F(StoredChangesTest, TheFileThatWasAppliedIsKnownAgain) {
  Part& first = restart();
  EXPECT_TRUE(first.changes->file_digest().empty());
  FileConfig file;
  file.buckets.push_back(
      *read_patch(message<v1::BucketConfig>("bucket_id: 'web' capacity: 5 leak_rate: 1"), ""));
  file.digest = "d1";
  EXPECT_TRUE(first.stored(first.changes->replace(file)).ok());

  Part& second = restart();
  EXPECT_EQ(second.changes->file_digest(), "d1");
  EXPECT_THAT(second.configuration.file_memory().buckets, ElementsAre("web"));
  file.buckets.clear();
  file.digest = "d2";
  EXPECT_TRUE(second.stored(second.changes->replace(file)).ok());
  Part& third = restart();
  EXPECT_EQ(third.buckets.size(), 0U);
  EXPECT_EQ(third.changes->file_digest(), "d2");
}

// The crash comes right after the answer: nothing is stored when a node ends.
TEST_F(StoredChangesTest, ABucketIsAsBusyAfterARestart) {
  Part& first = restart();
  EXPECT_TRUE(first.configure("bucket_id: 'hourly' capacity: 3 leak_rate: 0.000277777777778").ok());
  EXPECT_EQ(first.allow("hourly")->admitted, 1U);
  EXPECT_EQ(first.allow("hourly")->admitted, 1U);

  Part& second = restart();
  ASSERT_EQ(second.engine.occupied.size(), 1U);
  const Duration busy = second.engine.occupied.begin()->second;
  EXPECT_GT(busy.ns, 2 * kHour.ns - 120'000'000'000);
  EXPECT_LE(busy.ns, 2 * kHour.ns + 1'000'000'000);
  // The third is as much later.
  EXPECT_EQ(second.allow("hourly")->admitted, 1U);
  const Duration more = restart().engine.occupied.begin()->second;
  EXPECT_GT(more.ns, 3 * kHour.ns - 240'000'000'000);
}

// So that not each of a thousand a second waits for the disk.
TEST_F(StoredChangesTest, AQuickBucketIsStoredASecondAhead) {
  Part& first = restart();
  EXPECT_TRUE(first.configure("bucket_id: 'quick' capacity: 1000 leak_rate: 1000").ok());
  const std::uint64_t before = first.store->stats().commits;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(first.allow("quick")->admitted, 1U);
  EXPECT_LT(first.store->stats().commits - before, 5U);
  const Duration busy = restart().engine.occupied.begin()->second;
  EXPECT_GT(busy.ns, 0);
  EXPECT_LE(busy.ns, 1'200'000'000);
}

TEST_F(StoredChangesTest, ABucketThatIsDeletedTakesItsScheduleAlong) {
  Part& first = restart();
  EXPECT_TRUE(first.configure("bucket_id: 'hourly' capacity: 3 leak_rate: 0.000277777777778").ok());
  EXPECT_EQ(first.allow("hourly")->admitted, 1U);
  EXPECT_TRUE(
      first
          .stored(first.changes->delete_bucket("hourly", true, std::nullopt, false, kNoDeadline)
                      .status())
          .ok());
  EXPECT_TRUE(first.configure("bucket_id: 'hourly' capacity: 3 leak_rate: 0.000277777777778").ok());
  EXPECT_TRUE(restart().engine.occupied.empty());
}

// What waits takes longer at a lower rate, and a restart knows.
TEST_F(StoredChangesTest, ALowerRateIsStoredWithWhatItMakesOfTheSchedule) {
  Part& first = restart();
  EXPECT_TRUE(first.configure("bucket_id: 'jobs' capacity: 5 leak_rate: 1").ok());
  EXPECT_EQ(first.allow("jobs")->admitted, 1U);
  EXPECT_EQ(first.allow("jobs")->admitted, 1U);
  EXPECT_TRUE(first.configure("bucket_id: 'jobs' leak_rate: 0.001").ok());
  EXPECT_GT(restart().engine.occupied.begin()->second.ns, 1'500'000'000'000);
}

TEST_F(StoredChangesTest, ALookAtWhatWouldHappenStoresNothing) {
  Part& first = restart();
  EXPECT_TRUE(first.configure("bucket_id: 'hourly' capacity: 3 leak_rate: 0.000277777777778").ok());
  AdmitRequest look;
  look.terms.peek = true;
  EXPECT_EQ(first.allow("hourly", look)->admitted, 1U);
  EXPECT_TRUE(restart().engine.occupied.empty());
}

}  // namespace
}  // namespace drip::control
