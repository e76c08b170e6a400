// SPDX-License-Identifier: BSD-3-Clause
// shares.lua in a real Redis answers as the model does on which the lease simulation rests:
// thousands of drawn calls, right ones and wrong ones.
#include "cluster/shares/share_scripts.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iterator>
#include <random>

#include "cluster/redis/redis_link.h"
#include "cluster/shares/share_allocation.h"
#include "lease_store.h"
#include "support/redis_server.h"

namespace drip::cluster {
namespace {

std::string in_words(const std::optional<Shares>& shares) {
  return shares ? to_text(*shares) : std::string("none");
}

std::string in_words(const ShareSnapshot& snapshot) {
  std::string words =
      fmt::format("generation {}, version {}, learning {}, frozen {}", snapshot.generation,
                  snapshot.version, snapshot.learning, snapshot.safe_frozen);
  for (const auto& [id, session] : snapshot.sessions) {
    words +=
        fmt::format("\n{} of {} at {}, lost {}: held {}; taken {}; granted {}; demands {}", id,
                    session.node_id, session.sequence, session.lost, to_text(session.held),
                    in_words(session.taken), in_words(session.granted), to_text(session.demands));
  }
  return words;
}

class ShareScriptsTest : public testing::Test {
 protected:
  ShareScriptsTest() : link_(options_of(redis_.url())) {}

  static RedisOptions options_of(const std::string& url) {
    RedisOptions options;
    options.url = *parse_redis_url(url);
    return options;
  }

  std::uint64_t draw(std::uint64_t below) { return random_() % below; }
  std::string run_id() const { return fmt::format("server-{}", model_.server); }
  std::string draw_session() { return fmt::format("n{}:{}", draw(3), draw(2)); }
  Shares draw_shares() {
    Shares shares;
    for (const char* const bucket : {"a", "b/c", "d:e@f"}) {
      if (draw(2) == 0) continue;
      shares[bucket] = {draw(3) == 0 ? 0 : draw(kWholeRate),
                        draw(kWholeRate),
                        {static_cast<double>(1 + draw(1'000'000)) / 3600, 1e9 / 3}};
    }
    return shares;
  }

  RedisReply run(const ScriptCall& call) {
    auto replies = link_.scripts(std::span(&call, 1), deadline_in(std::chrono::seconds(10)));
    if (!replies.ok()) throw std::runtime_error(replies.status().ToString());
    return std::move(replies->front());
  }
  void set_epoch(std::uint64_t epoch) {
    model_.epoch = epoch;
    ASSERT_TRUE(link_.command({"HSET", kLeaderKey, "epoch", std::to_string(epoch)}).ok());
  }

  void exchange() {
    const std::string session = draw_session();
    ShareHolder::Exchange exchange;
    const auto known = model_.data.sessions.find(session);
    const std::uint64_t before = known == model_.data.sessions.end() ? 0 : known->second.sequence;
    // Mostly the next one, at times one of before or of other data.
    exchange.sequence = before + draw(4);
    exchange.generation = draw(10) == 0 ? draw(3) : model_.data.generation;
    if (draw(3) > 0) exchange.held = draw_shares();
    Demands demands;
    if (draw(2) == 0) demands["a"] = draw(kWholeRate * 3);
    std::uint64_t generation = 0;
    std::optional<Shares> granted;
    const ExchangeAnswer wanted =
        model_.exchange(session, "node of " + session, exchange, demands, generation, granted);
    const RedisReply reply =
        run(scripts_.exchange(run_id(), session, "node of " + session, exchange, demands));
    const auto answer = exchange_reply_of(reply);
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->answer, wanted);
    EXPECT_EQ(answer->generation, generation);
    EXPECT_EQ(in_words(answer->granted), in_words(granted));
    if (wanted == ExchangeAnswer::kRenewed) {
      EXPECT_EQ(answer->epoch, model_.epoch);
    }
    ++answers_[wanted];
  }

  // By the leader of `epoch`, or none if it is not.
  std::optional<ShareSnapshot> snapshot(std::uint64_t epoch) {
    const std::uint64_t generation = 1 + draw(std::uint64_t{1} << 52);
    std::optional<ShareSnapshot> wanted = model_.snapshot(epoch, generation);
    const RedisReply reply = run(scripts_.snapshot(run_id(), epoch, generation));
    if (!wanted) {
      EXPECT_THAT(std::string(status_of(reply).message()), testing::HasSubstr("is over"));
      return std::nullopt;
    }
    const auto found = snapshot_of(reply);
    EXPECT_TRUE(found.ok()) << found.status();
    if (found.ok()) {
      EXPECT_EQ(in_words(*found), in_words(*wanted));
    }
    return wanted;
  }

  void plan() {
    const bool leads = draw(8) > 0;
    const std::uint64_t epoch = leads ? model_.epoch : model_.epoch - 1;
    const std::optional<ShareSnapshot> snapshot = this->snapshot(epoch);
    if (!snapshot) {
      ++stale_;
      return;
    }
    ShareSnapshot basis = *snapshot;
    // Something happens before the plan is there, now and then.
    if (draw(4) == 0) exchange();
    SharePlan plan;
    plan.version = basis.version - (draw(10) == 0 ? 1 : 0);
    if (draw(12) == 0) ++basis.generation;
    plan.learned = basis.learning && draw(3) == 0;
    plan.safe_frozen = draw(3) == 0;
    for (const auto& [id, session] : basis.sessions) {
      const std::uint64_t what = draw(5);
      const std::uint64_t sequence = session.sequence + (draw(8) == 0 ? 1 : 0);
      if (what == 0) {
        plan.lost.emplace_back(id, sequence);
        plan.left[id] = draw_shares();
      } else if (what == 1) {
        plan.departed.emplace_back(id, sequence);
      } else if (what < 4) {
        plan.grants[id] = draw_shares();
      }
    }
    if (draw(5) == 0) plan.grants["n9:unknown"] = draw_shares();
    const std::uint64_t later = draw(10) == 0 ? epoch + 1 : epoch;
    if (later != epoch) set_epoch(later);
    const bool done = model_.apply_plan(epoch, basis.generation, plan);
    const RedisReply reply = run(scripts_.apply_plan(run_id(), epoch, basis, plan));
    if (later != epoch) {
      EXPECT_FALSE(done);
      EXPECT_THAT(std::string(status_of(reply).message()), testing::HasSubstr("FENCED"));
      ++stale_;
      return;
    }
    ASSERT_NE(reply.array(), nullptr);
    EXPECT_EQ(*reply.array()->front().text(), done ? "done" : "outdated");
    ++(done ? done_ : outdated_);
  }

  void look() {
    const auto found = snapshot_of(run(scripts_.look(run_id())));
    ASSERT_TRUE(found.ok()) << found.status();
    ShareSnapshot wanted;
    wanted.learning = true;
    if (model_.data_of == model_.server) wanted = model_.data;
    EXPECT_EQ(in_words(*found), in_words(wanted));
  }

  static constexpr char kLeaderKey[] = "drip:{t}:leader";
  RedisServer redis_;
  RedisLink link_;
  const ShareScripts scripts_{"drip:{t}:", kLeaderKey};
  LeaseStore model_;
  std::minstd_rand random_{4711};
  std::map<ExchangeAnswer, int> answers_;
  int done_ = 0, outdated_ = 0, stale_ = 0;
};

TEST_F(ShareScriptsTest, AnswerAsTheModelDoes) {
  set_epoch(7);
  for (int i = 0; i < 4000 && !HasFailure(); ++i) {
    const std::uint64_t what = draw(100);
    if (what < 55) {
      exchange();
    } else if (what < 90) {
      plan();
    } else if (what < 97) {
      look();
    } else if (what < 98) {
      ++model_.server;  // Another process answers, with what this one has.
    } else {
      (void)snapshot(model_.epoch);
    }
  }
  // All of the ways were gone, and not by chance only once.
  for (const ExchangeAnswer answer :
       {ExchangeAnswer::kRenewed, ExchangeAnswer::kStale, ExchangeAnswer::kUnknown,
        ExchangeAnswer::kLost, ExchangeAnswer::kForgotten}) {
    EXPECT_GT(answers_[answer], 20) << static_cast<int>(answer);
  }
  EXPECT_GT(done_, 100);
  EXPECT_GT(outdated_, 100);
  EXPECT_GT(stale_, 50);
}

TEST_F(ShareScriptsTest, WhoLeavesIsForgottenAtOnce) {
  set_epoch(1);
  (void)snapshot(1);
  const ShareHolder::Exchange first{1, model_.data.generation, {}};
  ASSERT_TRUE(exchange_reply_of(run(scripts_.exchange(run_id(), "n1:a", "n1", first, {}))).ok());
  EXPECT_EQ(snapshot_of(run(scripts_.look(run_id())))->sessions.size(), 1U);
  run(scripts_.leave(run_id(), "n1:a"));
  EXPECT_TRUE(snapshot_of(run(scripts_.look(run_id())))->sessions.empty());
}

}  // namespace
}  // namespace drip::cluster
