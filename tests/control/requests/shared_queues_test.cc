// SPDX-License-Identifier: BSD-3-Clause
// Buckets whose queue is in Redis: what its answers mean, and when this node's own queue decides.
#include "control/requests/shared_queues.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "control/config/bucket_registry.h"
#include "control/requests/admission_batch.h"
#include "control/requests/local_queues.h"
#include "control/support/fake_engine.h"

namespace drip::control {
namespace {

constexpr Duration kSecond{1'000'000'000};
const absl::Status kNoAnswer = absl::UnavailableError("no answer");

// Keeps the calls, for the test to answer.
class FakeSharedBuckets final : public SharedBuckets {
 public:
  struct Look {
    SharedRequestKey key;
    Duration in;
    Done<SharedRequestStatus> done;
  };

  void admit(std::vector<Admission> admissions) override {
    for (Admission& admission : admissions) admitted.push_back(std::move(admission));
  }
  void look(const Bucket& /*bucket*/, const std::string& /*request_id*/,
            const SharedRequestKey& key, Duration in, Done<SharedRequestStatus> done) override {
    looks.push_back({key, in, std::move(done)});
  }
  void release(const Bucket& /*bucket*/, const std::string& /*request_id*/,
               const SharedRequestKey& key, Done<SharedRequestStatus> /*done*/) override {
    released.push_back(key.sequence);
  }
  void read(const Bucket& /*bucket*/, Done<SharedStats> done) override {
    reads.push_back(std::move(done));
  }
  void list(const Bucket& /*bucket*/, std::uint64_t /*first*/, std::size_t /*limit*/,
            Done<SharedQueuePage> done) override {
    lists.push_back(std::move(done));
  }
  void remove(const Bucket& bucket, bool /*drop_backlog*/, Done<Removal> done) override {
    removed.push_back(bucket);
    done(Removal{3, 0});
  }
  [[nodiscard]] bool unreachable(std::string_view /*bucket_id*/) const override {
    return is_unreachable;
  }
  [[nodiscard]] std::optional<ShareState> share_of(std::string_view /*id*/) const override {
    return std::nullopt;
  }
  void shares(const SharesPage& /*page*/, Done<std::vector<BucketShares>> done) override {
    done(std::vector<BucketShares>{});
  }
  void forget(std::string /*node_id*/, Done<ForgottenNode> done) override { done(ForgottenNode{}); }

  // The oldest admission is answered.
  void answer(absl::StatusOr<SharedTicket> ticket) {
    const Admission admission = std::move(admitted.front());
    admitted.erase(admitted.begin());
    admission.done(std::move(ticket));
  }
  void answer_look(absl::StatusOr<SharedRequestStatus> status) {
    const Look look = std::move(looks.front());
    looks.erase(looks.begin());
    look.done(std::move(status));
  }

  std::vector<Admission> admitted;
  std::vector<Look> looks;
  std::vector<Done<SharedStats>> reads;
  std::vector<Done<SharedQueuePage>> lists;
  std::vector<std::uint64_t> released;
  std::vector<Bucket> removed;
  bool is_unreachable = false;
};

SharedTicket ticket_at(std::uint64_t sequence, Duration until_departure = {}) {
  SharedTicket ticket;
  ticket.admitted = 1;
  ticket.position = sequence + 1;
  ticket.until_departure = until_departure;
  ticket.key = {"i", sequence};
  return ticket;
}

class SharedQueuesTest : public testing::Test {
 protected:
  SharedQueuesTest() { buckets_.set_shared_queues(&queues_); }
  ~SharedQueuesTest() override { (void)engine_.drain_and_stop({}); }

  BucketEntryRef make_bucket(const std::string& id, std::optional<FailurePolicy> shared) {
    BucketPatch patch;
    patch.id = id;
    patch.capacity = 10;
    patch.units_per_second = 10;
    if (shared) {
      patch.scope = Scope::kCluster;
      patch.sharing = Sharing::kExact;
      patch.failure_policy = *shared;
    }
    const auto applied = buckets_.apply({&patch, 1}, std::array{std::uint64_t{5}});
    EXPECT_TRUE(applied.ok()) << applied.status();
    return buckets_.find(id);
  }
  std::optional<absl::StatusOr<Ticket>>& admit(const BucketEntryRef& bucket, std::string_view id) {
    ticket_.reset();
    bucket->queues().admit(*bucket, {.request_id = id},
                           [this](absl::StatusOr<Ticket> ticket) { ticket_ = std::move(ticket); });
    return ticket_;
  }
  std::shared_ptr<AwaitedTurn> await(const BucketEntryRef& bucket, std::string_view id) {
    turn_.reset();
    return bucket->queues().await(*bucket, {.request_id = id},
                                  [this](absl::StatusOr<TurnResult> turn) {
                                    EXPECT_FALSE(turn_) << "called twice";
                                    turn_ = std::move(turn);
                                  });
  }
  // This node's own queue has these.
  std::vector<std::string> waiting(const BucketEntryRef& bucket) {
    std::vector<std::string> ids;
    local_.list(*bucket, 0, 100, [&](const absl::StatusOr<QueuePage>& page) {
      for (const QueuedRequest& request : page->requests) ids.push_back(request.request_id);
    });
    return ids;
  }

  FakeEngine engine_;
  LocalQueues local_{engine_, 1000};
  FakeSharedBuckets shared_;
  BucketRegistry buckets_{engine_, local_};
  SharedQueues queues_{engine_, shared_, local_};
  std::optional<absl::StatusOr<Ticket>> ticket_;
  std::optional<absl::StatusOr<TurnResult>> turn_;
};

using Ids = std::vector<std::string>;

TEST_F(SharedQueuesTest, ABucketsSharingSaysWhereItsRequestsQueue) {
  const BucketEntryRef own = make_bucket("own", std::nullopt);
  const BucketEntryRef shared = make_bucket("shared", FailurePolicy::kClosed);
  EXPECT_EQ(&own->queues(), &local_);
  EXPECT_EQ(&shared->queues(), &queues_);
  EXPECT_TRUE(admit(own, "a"));
  EXPECT_FALSE(admit(shared, "a")) << "nobody has answered";
  shared_.answer(ticket_at(4));
  EXPECT_EQ((*ticket_)->request_id, "a");
  EXPECT_EQ((*ticket_)->admission.position, 5U);
  EXPECT_TRUE(waiting(shared).empty());
}

TEST_F(SharedQueuesTest, MakesUpIdsThatDiffer) {
  const BucketEntryRef bucket = make_bucket("b", FailurePolicy::kClosed);
  (void)admit(bucket, "");
  (void)admit(bucket, "");
  EXPECT_NE(shared_.admitted[0].request_id, "");
  EXPECT_NE(shared_.admitted[0].request_id, shared_.admitted[1].request_id);
}

TEST_F(SharedQueuesTest, AClosedBucketRejectsWhileRedisDoesNotAnswer) {
  const BucketEntryRef bucket = make_bucket("b", FailurePolicy::kClosed);
  shared_.is_unreachable = true;
  (void)admit(bucket, "a");
  shared_.answer(kNoAnswer);
  EXPECT_EQ(ticket_->status(), kNoAnswer);
  EXPECT_TRUE(waiting(bucket).empty());
}

TEST_F(SharedQueuesTest, AnOpenBucketIsTheNodesOwnWhileRedisDoesNotAnswer) {
  const BucketEntryRef bucket = make_bucket("b", FailurePolicy::kOpen);
  (void)admit(bucket, "a");
  shared_.is_unreachable = true;
  shared_.answer(kNoAnswer);  // Only now it is known.
  ASSERT_TRUE(ticket_ && ticket_->ok());
  EXPECT_EQ((*ticket_)->request_id, "a");
  ASSERT_TRUE(admit(bucket, "b")) << "at once";
  EXPECT_EQ((*ticket_)->admission.position, 2U);
  EXPECT_TRUE(shared_.admitted.empty());
  EXPECT_EQ(waiting(bucket), (Ids{"a", "b"}));
  shared_.is_unreachable = false;
  EXPECT_FALSE(admit(bucket, "c"));
  EXPECT_EQ(shared_.admitted.size(), 1U);
}

TEST_F(SharedQueuesTest, AnErrorThatIsNoSilenceIsTheCallersToo) {
  const BucketEntryRef bucket = make_bucket("b", FailurePolicy::kOpen);
  (void)admit(bucket, "a");
  shared_.answer(absl::NotFoundError("deleted"));
  EXPECT_EQ(ticket_->status(), absl::NotFoundError("deleted"));
  EXPECT_TRUE(waiting(bucket).empty());
}

// Redis answers to the next call before the end of the one that was lost is told.
TEST_F(SharedQueuesTest, ACallThatWasLostIsDecidedHereThoughRedisAnswersAgain) {
  const BucketEntryRef open = make_bucket("open", FailurePolicy::kOpen);
  (void)admit(open, "a");
  shared_.answer(kNoAnswer);
  ASSERT_TRUE(ticket_ && ticket_->ok()) << ticket_->status();
  const auto turn = await(open, "b");
  shared_.answer(kNoAnswer);
  EXPECT_FALSE(turn_);
  EXPECT_EQ(waiting(open), (Ids{"a", "b"}));
  const BucketEntryRef closed = make_bucket("closed", FailurePolicy::kClosed);
  (void)admit(closed, "a");
  shared_.answer(kNoAnswer);
  EXPECT_EQ(ticket_->status(), kNoAnswer);
  EXPECT_TRUE(waiting(closed).empty());
}

struct Answers final : AdmissionBatch::Results {
  void answered(std::size_t index, const Ticket& ticket) override {
    EXPECT_TRUE(positions.emplace(index, ticket.admission.position).second);
  }
  void failed(std::size_t index, const absl::Status& status) override {
    EXPECT_TRUE(errors.emplace(index, status).second);
  }
  std::map<std::size_t, std::uint64_t> positions;
  std::map<std::size_t, absl::Status> errors;
};

TEST_F(SharedQueuesTest, ABatchOfAllKindsIsAnsweredEntryByEntry) {
  const BucketEntryRef own = make_bucket("own", std::nullopt);
  const BucketEntryRef open = make_bucket("open", FailurePolicy::kOpen);
  const BucketEntryRef closed = make_bucket("closed", FailurePolicy::kClosed);
  Answers answers;
  AdmissionBatch batch(engine_, answers);
  const auto add = [&](const BucketEntryRef& bucket, std::string_view id, std::size_t index) {
    bucket->queues().admit(*bucket, {.request_id = id}, batch, index);
  };
  add(own, "", 0);
  add(open, "x", 1);
  add(own, "a", 2);
  add(closed, "", 3);
  add(open, "y", 4);
  add(own, "a", 5);  // In the same batch already.
  add(closed, "z", 6);
  bool done = false;
  batch.run([&] { done = true; });
  EXPECT_FALSE(done);
  EXPECT_EQ(answers.positions, (std::map<std::size_t, std::uint64_t>{{0, 1}, {2, 2}, {5, 2}}));
  ASSERT_EQ(shared_.admitted.size(), 4U);
  shared_.is_unreachable = true;
  shared_.answer(kNoAnswer);     // 1
  shared_.answer(ticket_at(7));  // 3
  shared_.answer(kNoAnswer);     // 4
  EXPECT_FALSE(done);
  shared_.answer(kNoAnswer);  // 6
  EXPECT_TRUE(done);
  EXPECT_EQ(answers.positions,
            (std::map<std::size_t, std::uint64_t>{{0, 1}, {1, 1}, {2, 2}, {3, 8}, {4, 2}, {5, 2}}));
  EXPECT_EQ(answers.errors, (std::map<std::size_t, absl::Status>{{6, kNoAnswer}}));
  EXPECT_EQ(waiting(open), (Ids{"x", "y"}));
}

TEST_F(SharedQueuesTest, ATurnEndsWhenRedisSaysSo) {
  const BucketEntryRef bucket = make_bucket("b", FailurePolicy::kClosed);
  const auto turn = await(bucket, "a");
  shared_.answer(ticket_at(0, Duration{300'000'000}));
  ASSERT_EQ(shared_.looks.size(), 1U);
  EXPECT_EQ(shared_.looks.front().in.ns, 300'000'000);
  engine_.advance(Duration{300'000'000});
  shared_.answer_look(
      SharedRequestStatus{SharedRequestStatus::State::kWaits, Duration{50'000'000}});
  EXPECT_FALSE(turn_);
  EXPECT_EQ(shared_.looks.front().in.ns, 50'000'000) << "its rate was lowered";
  engine_.advance(Duration{60'000'000});
  shared_.answer_look(SharedRequestStatus{SharedRequestStatus::State::kDeparted, {}});
  ASSERT_TRUE(turn_ && turn_->ok());
  EXPECT_EQ((*turn_)->sojourn.ns, 360'000'000);
  EXPECT_EQ((*turn_)->lateness.ns, 10'000'000);
  EXPECT_FALSE(turn->cancel(true)) << "it has ended";
  EXPECT_TRUE(shared_.released.empty());
}

TEST_F(SharedQueuesTest, ATurnWhoseTimeHasComeEndsWithoutAnAnswer) {
  const BucketEntryRef bucket = make_bucket("b", FailurePolicy::kClosed);
  const auto turn = await(bucket, "a");
  shared_.answer(ticket_at(0, Duration{300'000'000}));
  shared_.answer_look(kNoAnswer);
  EXPECT_FALSE(turn_);
  engine_.advance(Duration{300'000'000});
  shared_.answer_look(kNoAnswer);
  ASSERT_TRUE(turn_ && turn_->ok());
  EXPECT_EQ((*turn_)->sojourn.ns, 300'000'000);
}

TEST_F(SharedQueuesTest, ALostRequestIsAdmittedAgainUnlessItsBucketWasDeleted) {
  const BucketEntryRef bucket = make_bucket("b", FailurePolicy::kClosed);
  const auto turn = await(bucket, "a");
  shared_.answer(ticket_at(3, kSecond));
  shared_.answer_look(SharedRequestStatus{SharedRequestStatus::State::kLost, {}});
  ASSERT_EQ(shared_.admitted.size(), 1U);
  EXPECT_EQ(shared_.admitted.front().request_id, "a");
  shared_.answer(ticket_at(0, kSecond));
  EXPECT_EQ(shared_.looks.front().key.sequence, 0U);
  (void)buckets_.remove(bucket, false);
  shared_.answer_look(SharedRequestStatus{SharedRequestStatus::State::kLost, {}});
  ASSERT_TRUE(turn_ && turn_->ok());
  EXPECT_TRUE((*turn_)->dropped);
}

TEST_F(SharedQueuesTest, RedisLearnsTheTermsAndSaysWhatTheyMean) {
  const BucketEntryRef bucket = make_bucket("b", FailurePolicy::kClosed);
  AdmitRequest request{.request_id = "x"};
  request.terms = {.limits = {.start = Duration{5}}, .remember = kSecond, .peek = true};
  std::optional<Ticket> ticket;
  const auto take = [&](const absl::StatusOr<Ticket>& answer) { ticket = *answer; };
  bucket->queues().admit(*bucket, request, take);
  EXPECT_EQ(shared_.admitted.front().terms.limits.start.ns, 5);
  EXPECT_EQ(shared_.admitted.front().terms.remember, kSecond);
  EXPECT_TRUE(shared_.admitted.front().terms.peek);
  SharedTicket refused;
  refused.reason = RejectReason::kWaitTooLong;
  refused.wait = kSecond;
  shared_.answer(refused);
  EXPECT_EQ(ticket->admission.reason, RejectReason::kWaitTooLong);
  EXPECT_EQ(ticket->admission.wait, kSecond);
  // One that has left is not looked for any more.
  std::optional<TurnResult> turn;
  const auto awaited = bucket->queues().await(
      *bucket, request, [&](const absl::StatusOr<TurnResult>& answer) { turn = *answer; });
  EXPECT_EQ(shared_.admitted.front().terms.limits.start.ns, 5);
  SharedTicket left;
  left.admitted = 1;
  left.duplicate = true;
  left.has_left = true;
  shared_.answer(left);
  ASSERT_TRUE(turn);
  EXPECT_EQ(turn->reason, RejectReason::kAdmitted);
  EXPECT_TRUE(turn->duplicate);
  EXPECT_TRUE(shared_.looks.empty());
  // A lost one is admitted again, however long that takes.
  turn.reset();
  const auto lost = bucket->queues().await(
      *bucket, request, [&](const absl::StatusOr<TurnResult>& answer) { turn = *answer; });
  shared_.answer(ticket_at(0, kSecond));
  shared_.answer_look(SharedRequestStatus{SharedRequestStatus::State::kLost, {}});
  ASSERT_EQ(shared_.admitted.size(), 1U);
  EXPECT_FALSE(shared_.admitted.front().terms.limits.any());
  EXPECT_EQ(shared_.admitted.front().terms.remember, kSecond);
  EXPECT_FALSE(turn);
}

TEST_F(SharedQueuesTest, ATurnThatAnotherCallerReleasedIsAborted) {
  const BucketEntryRef bucket = make_bucket("b", FailurePolicy::kClosed);
  const auto turn = await(bucket, "a");
  shared_.answer(ticket_at(0, kSecond));
  shared_.answer_look(SharedRequestStatus{SharedRequestStatus::State::kReleased, {}});
  EXPECT_EQ(turn_->status().code(), absl::StatusCode::kAborted);
}

TEST_F(SharedQueuesTest, ACancelledTurnReleasesIfItIsAskedTo) {
  const BucketEntryRef bucket = make_bucket("b", FailurePolicy::kClosed);
  EXPECT_TRUE(await(bucket, "a")->cancel(true));  // Before it is admitted.
  shared_.answer(ticket_at(5));
  EXPECT_EQ(shared_.released, (std::vector<std::uint64_t>{5}));
  const auto turn = await(bucket, "b");
  shared_.answer(ticket_at(6, kSecond));
  EXPECT_TRUE(turn->cancel(true));
  EXPECT_FALSE(turn->cancel(true));
  EXPECT_EQ(shared_.released, (std::vector<std::uint64_t>{5, 6}));
  EXPECT_TRUE(await(bucket, "c")->cancel(false));
  shared_.answer(ticket_at(7));
  EXPECT_EQ(shared_.released.size(), 2U);
  EXPECT_FALSE(turn_) << "a cancelled turn has no result";
}

TEST_F(SharedQueuesTest, ATurnOfAnOpenBucketGoesOnInTheNodesOwnQueue) {
  const BucketEntryRef bucket = make_bucket("b", FailurePolicy::kOpen);
  const auto kept = await(bucket, "kept");
  const auto released = await(bucket, "released");
  const auto cancelled = await(bucket, "cancelled");
  EXPECT_TRUE(cancelled->cancel(true));
  shared_.is_unreachable = true;
  for (int i = 0; i < 3; ++i) shared_.answer(kNoAnswer);
  EXPECT_EQ(waiting(bucket), (Ids{"kept", "released"}));
  EXPECT_TRUE(released->cancel(true));
  EXPECT_TRUE(kept->cancel(false));
  EXPECT_EQ(waiting(bucket), (Ids{"kept"}));
  EXPECT_TRUE(shared_.released.empty());
  EXPECT_FALSE(turn_);
}

TEST_F(SharedQueuesTest, ReadsTheClustersCountersWhichNeverGoBack) {
  const BucketEntryRef bucket = make_bucket("b", FailurePolicy::kClosed);
  std::optional<absl::StatusOr<BucketState>> state;
  const auto read = [&](const absl::StatusOr<SharedStats>& answer) {
    state.reset();
    bucket->queues().read(*bucket,
                          [&](absl::StatusOr<BucketState> result) { state = std::move(result); });
    const auto done = std::move(shared_.reads.back());
    shared_.reads.pop_back();
    done(answer);
  };
  SharedStats stats;
  stats.stats.admitted = 42;
  read(stats);
  EXPECT_EQ((*state)->stats.admitted, 42U);
  read(absl::NotFoundError("deleted"));
  EXPECT_EQ(state->status(), absl::NotFoundError("deleted"));
  for (const bool unreachable : {true, false}) {
    shared_.is_unreachable = unreachable;  // False: Redis answers again when this is told.
    read(kNoAnswer);
    ASSERT_TRUE(state->ok()) << state->status();
    EXPECT_EQ((*state)->stats.admitted, 42U) << "as they were last";
  }
}

TEST_F(SharedQueuesTest, ListsWhatRedisSays) {
  const BucketEntryRef bucket = make_bucket("b", FailurePolicy::kClosed);
  std::optional<absl::StatusOr<QueuePage>> page;
  bucket->queues().list(*bucket, 0, 1,
                        [&](absl::StatusOr<QueuePage> result) { page = std::move(result); });
  shared_.lists.front()(SharedQueuePage{{{"a", 7, 2, Duration{100}, Duration{400}}},
                                        std::optional<std::uint64_t>(9)});
  ASSERT_TRUE(page && page->ok());
  EXPECT_EQ((*page)->next, 9U);
  EXPECT_EQ((*page)->requests.front().request_id, "a");
  EXPECT_EQ((*page)->requests.front().position.position, 2U);
  EXPECT_EQ((engine_.now() - (*page)->requests.front().arrival).ns, 400);
}

TEST_F(SharedQueuesTest, ARemoverKnowsTheQueueAsItWas) {
  const BucketEntryRef bucket = make_bucket("b", FailurePolicy::kClosed);
  const RequestQueues::Remover remove = bucket->queues().remover(*bucket);
  BucketPatch patch;
  patch.id = "b";
  patch.scope = Scope::kNode;
  ASSERT_TRUE(buckets_.apply({&patch, 1}, std::array{std::uint64_t{6}}).ok());
  EXPECT_EQ(&bucket->queues(), &local_);
  Removal removal;
  remove(true, {}, [&](const absl::StatusOr<Removal>& result) { removal = *result; });
  EXPECT_EQ(removal.dropped, 3U);
  EXPECT_EQ(shared_.removed.front().revision, 5U);
  bucket->queues().remover (*bucket)(
      true, {1, 2}, [&](const absl::StatusOr<Removal>& result) { removal = *result; });
  EXPECT_EQ(removal.draining, 2U);
  EXPECT_EQ(shared_.removed.size(), 1U);
}

TEST_F(SharedQueuesTest, CountersStayWhenABucketGetsAQueueOfItsNode) {
  const BucketEntryRef bucket = make_bucket("b", FailurePolicy::kClosed);
  const auto admitted = [&](std::optional<std::uint64_t> in_redis) {
    std::uint64_t count = 0;
    bucket->counted_by().read(*bucket, [&](const absl::StatusOr<BucketState>& state) {
      ASSERT_TRUE(state.ok()) << state.status();
      count = state->stats.admitted;
    });
    EXPECT_EQ(shared_.reads.size(), in_redis ? 1U : 0U);
    if (in_redis) {
      SharedStats stats;
      stats.stats.admitted = *in_redis;
      shared_.reads.front()(stats);
      shared_.reads.clear();
    }
    return count;
  };
  EXPECT_EQ(admitted(17), 17U);
  BucketPatch patch;
  patch.id = "b";
  patch.scope = Scope::kNode;
  ASSERT_TRUE(buckets_.apply({&patch, 1}).ok());
  EXPECT_EQ(admitted({}), 17U);
  for (const char* const id : {"1", "2", "3", "4", "5", "6"}) (void)admit(bucket, id);
  EXPECT_EQ(admitted({}), 23U);
  patch.scope = Scope::kCluster;
  patch.sharing = Sharing::kExact;
  ASSERT_TRUE(buckets_.apply({&patch, 1}).ok());
  EXPECT_EQ(admitted(17), 23U);
  EXPECT_EQ(admitted(20), 26U);
}

}  // namespace
}  // namespace drip::control
