// SPDX-License-Identifier: BSD-3-Clause
// Revisions of buckets: expected_revision, and reconcile() with a cluster's configuration.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "control/config/configuration.h"
#include "control/convert/convert_bucket_config.h"
#include "control/convert/convert_rule.h"
#include "control/requests/local_queues.h"
#include "control/support/fake_engine.h"
#include "control/support/messages.h"

namespace drip::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class RevisionTest : public testing::Test {
 protected:
  RevisionTest() { EXPECT_TRUE(configuration_.start().ok()); }
  ~RevisionTest() override { (void)engine_.drain_and_stop({}); }

  static BucketPatch patch(const std::string& config) {
    const auto result = read_patch(message<v1::BucketConfig>(config), "");
    EXPECT_TRUE(result.ok()) << result.status();
    return *result;
  }
  absl::Status configure(const std::string& config) {
    const BucketPatch change = patch(config);
    return configuration_.configure({&change, 1}).status();
  }
  std::uint64_t revision(const std::string& id) const {
    const BucketEntryRef bucket = buckets_.find(id);
    return bucket == nullptr ? 0 : bucket->revision();
  }
  double rate(const std::string& id) const {
    return buckets_.find(id)->settings().units_per_second;
  }
  static SharedConfig::Bucket shared(const std::string& id, int rate, std::uint64_t revision) {
    return {patch("bucket_id: '" + id + "' capacity: 10 leak_rate: " + std::to_string(rate)),
            revision};
  }
  static RuleSetSpec rules(const std::string& text) {
    return *read_rule_set(message<v1::RuleSet>(text), "rule_set.");
  }
  std::vector<std::string> ids() const {
    std::vector<std::string> result;
    for (const BucketEntryRef& bucket : buckets_.list("", "", 1000)) result.push_back(bucket->id());
    return result;
  }

  FakeEngine engine_;
  LocalQueues requests_{engine_, 1000};
  BucketRegistry buckets_{engine_, requests_};
  Configuration configuration_{engine_, buckets_};
};

TEST_F(RevisionTest, GrowsWithEachChange) {
  ASSERT_TRUE(configure("bucket_id: 'a' capacity: 10 leak_rate: 1").ok());
  const std::uint64_t first = revision("a");
  EXPECT_GT(first, 0U);
  ASSERT_TRUE(configure("bucket_id: 'b' capacity: 10 leak_rate: 1").ok());
  EXPECT_GT(revision("b"), first);
  EXPECT_EQ(revision("a"), first);
  ASSERT_TRUE(configure("bucket_id: 'a' leak_rate: 2").ok());
  EXPECT_GT(revision("a"), revision("b"));
}

// Who would change what it read at that revision must not take another's change back, and Redis
// takes the settings of a shared queue that it first sees with a revision.
TEST_F(RevisionTest, SettingsAreReadWithTheRevisionThatMadeThem) {
  ASSERT_TRUE(configure("bucket_id: 'a' capacity: 10 leak_rate: 1").ok());
  ASSERT_EQ(revision("a"), 1U);
  const BucketEntryRef bucket = buckets_.find("a");
  std::atomic<bool> stop{false};
  std::uint64_t torn = 0;
  std::uint64_t torn_shared = 0;
  std::thread reader([&] {
    while (!stop) {
      const std::optional<BucketState> state = bucket->state();
      torn += state->settings.units_per_second != static_cast<double>(state->revision);
      const SharedBuckets::Bucket shared = shared_bucket(*bucket);
      torn_shared += shared.settings.units_per_second != static_cast<double>(shared.revision);
    }
  });
  BucketPatch change;
  change.id = "a";
  for (std::uint64_t i = 2; i <= 20000; ++i) {
    change.units_per_second = static_cast<double>(i);
    if (i % 2 == 0) {
      EXPECT_TRUE(configuration_.configure({&change, 1}, i).ok());
    } else {
      SharedConfig wanted;
      wanted.buckets.push_back({change, i});
      EXPECT_THAT(configuration_.reconcile(wanted, false), IsEmpty());
    }
  }
  stop = true;
  reader.join();
  EXPECT_EQ(torn, 0U);
  EXPECT_EQ(torn_shared, 0U);
}

// It may have been seen, with settings that are not there any more.
TEST_F(RevisionTest, TheRevisionOfAFileThatIsTakenBackIsNotGivenAgain) {
  ASSERT_TRUE(configure("bucket_id: 'a' capacity: 10 leak_rate: 1").ok());
  FileConfig file;
  file.buckets.push_back(patch("bucket_id: 'a' capacity: 10 leak_rate: 2"));
  file.rules = rules("rules { rule_id: 'r' bucket_id: 'nowhere' }");
  EXPECT_FALSE(configuration_.replace(std::move(file)).ok());
  EXPECT_EQ(rate("a"), 1);
  EXPECT_EQ(revision("a"), 1U);
  ASSERT_TRUE(configure("bucket_id: 'a' leak_rate: 3").ok());
  EXPECT_EQ(revision("a"), 3U);
}

TEST_F(RevisionTest, AChangeThatExpectsAnotherRevisionIsAborted) {
  ASSERT_TRUE(configure("bucket_id: 'a' capacity: 10 leak_rate: 1 expected_revision: 0").ok());
  const std::string now = std::to_string(revision("a"));
  const absl::Status twice = configure("bucket_id: 'a' leak_rate: 2 expected_revision: 0");
  EXPECT_TRUE(absl::IsAborted(twice)) << twice;
  EXPECT_EQ(twice.message(), "expected_revision: 0 is expected, but \"a\" is at revision " + now);
  EXPECT_EQ(rate("a"), 1);
  EXPECT_TRUE(configure("bucket_id: 'a' leak_rate: 3 expected_revision: " + now).ok());
  EXPECT_TRUE(absl::IsAborted(configure("bucket_id: 'a' leak_rate: 4 expected_revision: " + now)));
  EXPECT_EQ(rate("a"), 3);
  const absl::Status absent =
      configure("bucket_id: 'x' capacity: 1 leak_rate: 4 expected_revision: 7");
  EXPECT_TRUE(absl::IsAborted(absent));
  EXPECT_THAT(std::string(absent.message()), HasSubstr("7 is expected, but \"x\" does not exist"));
  EXPECT_TRUE(absl::IsAborted(configuration_.delete_bucket("a", false, 1).status()));
  EXPECT_TRUE(configuration_.delete_bucket("a", false, revision("a")).ok());
}

TEST_F(RevisionTest, OneWrongRevisionAbortsAllChanges) {
  ASSERT_TRUE(configure("bucket_id: 'a' capacity: 10 leak_rate: 1").ok());
  const std::vector<BucketPatch> both = {
      patch("bucket_id: 'b' capacity: 10 leak_rate: 1"),
      patch("bucket_id: 'a' leak_rate: 2 expected_revision: 99")};
  EXPECT_TRUE(absl::IsAborted(configuration_.configure(both).status()));
  EXPECT_THAT(ids(), ElementsAre("a"));
}

TEST_F(RevisionTest, ReconcileAppliesTheClustersConfiguration) {
  ASSERT_TRUE(configure("bucket_id: 'mine' capacity: 10 leak_rate: 1").ok());
  SharedConfig wanted;
  wanted.buckets = {shared("a", 5, 3), shared("b", 6, 9)};
  wanted.rules = rules("rules { rule_id: 'r' match {} bucket_id: 'a' }");
  wanted.rules_revision = 8;
  EXPECT_THAT(configuration_.reconcile(wanted, false), IsEmpty());
  EXPECT_THAT(ids(), ElementsAre("a", "b"));
  EXPECT_EQ(revision("a"), 3U);
  EXPECT_EQ(revision("b"), 9U);
  configuration_.with_rules([](const RuleStore& store) {
    EXPECT_EQ(store.revision(), 8U);
    EXPECT_EQ(store.rules().rules.size(), 1U);
  });

  // Only buckets at another revision are changed, unless `all`.
  wanted.buckets = {shared("a", 50, 3), shared("b", 60, 10)};
  EXPECT_THAT(configuration_.reconcile(wanted, false), IsEmpty());
  EXPECT_EQ(rate("a"), 5);
  EXPECT_EQ(rate("b"), 60);
  EXPECT_THAT(configuration_.reconcile(wanted, true), IsEmpty());
  EXPECT_EQ(rate("a"), 50);
}

TEST_F(RevisionTest, ReconcileAppliesWhatItCanAndReturnsTheErrors) {
  SharedConfig wanted;
  wanted.buckets = {shared("a", 5, 3)};
  wanted.rules = rules("rules { rule_id: 'r' match { ingress_port: 'none' } bucket_id: 'a' }");
  wanted.rules_revision = 4;
  auto errors = configuration_.reconcile(wanted, false);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_TRUE(absl::IsNotFound(errors.front())) << errors.front();
  EXPECT_THAT(ids(), ElementsAre("a"));

  engine_.fail_apply = absl::ResourceExhaustedError("no memory");
  wanted.buckets = {shared("a", 6, 5), shared("b", 6, 5)};
  wanted.rules = {};
  errors = configuration_.reconcile(wanted, false);
  ASSERT_EQ(errors.size(), 2U);
  EXPECT_TRUE(absl::IsResourceExhausted(errors.front()));
  EXPECT_THAT(std::string(errors.front().message()), HasSubstr("bucket \"a\": no memory"));
  EXPECT_EQ(revision("a"), 3U) << "so that the next attempt changes it";
  engine_.fail_apply = absl::OkStatus();
  EXPECT_THAT(configuration_.reconcile(wanted, false), IsEmpty());
  EXPECT_EQ(revision("a"), 5U);
  EXPECT_EQ(rate("a"), 6);
}

}  // namespace
}  // namespace drip::control
