// SPDX-License-Identifier: BSD-3-Clause
// shares.lua in a real Redis answers as the model does on which the lease simulation rests:
// thousands of drawn calls, right ones and wrong ones.
#include "cluster/shares/store/share_scripts.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iterator>
#include <random>

#include "cluster/redis/redis_link.h"
#include "cluster/shares/lease/rate_division.h"
#include "lease_store.h"
#include "support/redis_server.h"

namespace drip::cluster {
namespace {

std::string in_words(const std::optional<Shares>& shares) {
  return shares ? to_text(*shares) : std::string("none");
}

std::string in_words(const ShareSnapshot& snapshot) {
  std::string words = fmt::format("generation {}, version {}, changes {}, learning {}, frozen {}",
                                  snapshot.generation, snapshot.version, snapshot.changes,
                                  snapshot.learning, snapshot.safe_frozen);
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

  // Of some groups with one call.
  void exchange() {
    const std::string session = draw_session();
    const std::string node = "node of " + session;
    const std::uint64_t meant_for = draw(10) == 0 ? draw(3) : model_.poll().generation;
    std::vector<GroupExchange> exchanges;
    std::vector<ExchangeAnswer> answers;
    std::vector<std::optional<Shares>> granted;
    std::uint64_t generation = 0;
    for (std::uint32_t group = 0; group < kGroups; ++group) {
      if (draw(3) == 0) continue;
      const auto& sessions = model_.data.groups[group].sessions;
      const auto known = sessions.find(session);
      const std::uint64_t before = known == sessions.end() ? 0 : known->second.sequence;
      GroupExchange& each = exchanges.emplace_back();
      each.group = group;
      // Mostly the next one, at times one of before or of other data.
      each.exchange.sequence = before + draw(4);
      each.exchange.generation = meant_for;
      each.exchange.renewal = draw(4) == 0;
      if (!each.exchange.renewal) {
        if (draw(3) > 0) each.exchange.held = draw_shares();
        // At times as a node that has fetched its grant.
        if (known != sessions.end() && known->second.granted && draw(2) == 0) {
          each.exchange.held = *known->second.granted;
        }
        if (draw(2) == 0) each.demands["a"] = draw(3) == 0 ? 5 : draw(kWholeRate * 3);
      }
      answers.push_back(model_.exchange(group, session, node, each.exchange, each.demands,
                                        generation, granted.emplace_back()));
    }
    if (exchanges.empty()) return;
    const RedisReply reply = run(scripts_.exchange(run_id(), session, node, meant_for, exchanges));
    const auto replies = exchange_replies_of(reply, exchanges.size());
    ASSERT_TRUE(replies.ok()) << replies.status();
    EXPECT_EQ(replies->generation, generation);
    for (std::size_t i = 0; i < exchanges.size(); ++i) {
      const ExchangeReply& answer = replies->groups[i];
      EXPECT_EQ(answer.answer, answers[i]);
      ++answers_[answers[i]];
      if (answers[i] != ExchangeAnswer::kRenewed) continue;
      EXPECT_EQ(replies->epoch, model_.epoch);
      if (answer.as_held) {
        ASSERT_FALSE(exchanges[i].exchange.renewal);
        EXPECT_EQ(in_words(exchanges[i].exchange.held), in_words(granted[i]));
      } else {
        EXPECT_EQ(in_words(answer.granted), in_words(granted[i]));
      }
    }
  }

  void begin(std::uint64_t epoch) {
    const std::uint64_t generation = 1 + draw(std::uint64_t{1} << 52);
    const bool wanted = model_.begin(epoch, generation);
    expect_done(run(scripts_.begin(run_id(), epoch, generation)), wanted);
  }

  // What the leader of `epoch` writes is refused if it is not the leader.
  void expect_done(const RedisReply& reply, bool done) {
    EXPECT_EQ(status_of(reply).ok(), done) << status_of(reply);
    if (!done) {
      EXPECT_THAT(std::string(status_of(reply).message()), testing::HasSubstr("is over"));
      ++stale_;
    }
  }

  void step() {
    const std::uint64_t epoch = draw_epoch();
    const std::uint64_t generation = model_.poll().generation + (draw(8) == 0 ? 1 : 0);
    const auto step = draw(2) == 0 ? ShareLearning::Step::kLearned : ShareLearning::Step::kThawed;
    const bool done = model_.step(epoch, generation, step);
    const RedisReply reply = run(scripts_.step(run_id(), epoch, generation, step));
    if (epoch != model_.epoch) return expect_done(reply, false);
    ASSERT_NE(reply.array(), nullptr);
    EXPECT_EQ(*reply.array()->front().text(), done ? "done" : "outdated");
  }

  std::uint64_t draw_epoch() { return draw(8) > 0 ? model_.epoch : model_.epoch - 1; }

  std::map<std::uint32_t, ShareSnapshot> read() {
    const std::vector<std::uint32_t> groups{0, 1, 2};
    const auto found = snapshots_of(run(scripts_.read(run_id(), groups)));
    EXPECT_TRUE(found.ok()) << found.status();
    if (!found.ok()) return {};
    if (!model_.known()) {
      EXPECT_TRUE(found->empty());
      return {};
    }
    EXPECT_EQ(found->size(), kGroups);
    for (const auto& [group, snapshot] : *found) {
      EXPECT_EQ(in_words(snapshot), in_words(model_.snapshot(group))) << "group " << group;
    }
    return *found;
  }

  SharePlan draw_plan(const ShareSnapshot& snapshot) {
    SharePlan plan;
    plan.version = snapshot.version - (draw(10) == 0 && snapshot.version > 0 ? 1 : 0);
    for (const auto& [id, session] : snapshot.sessions) {
      const std::uint64_t what = draw(7);
      const std::uint64_t sequence = session.sequence + (draw(8) == 0 ? 1 : 0);
      if (what == 0) {
        plan.lost.emplace_back(id, sequence);
        plan.left[id] = draw_shares();
      } else if (what == 1) {
        plan.departed.emplace_back(id, sequence);
      } else if (what < 4) {
        plan.grants[id] = draw_shares();
      } else if (what == 4) {
        plan.grants[id] = session.held;
      }
    }
    if (draw(5) == 0) plan.grants["n9:unknown"] = draw_shares();
    return plan;
  }

  void plan() {
    const std::uint64_t epoch = draw_epoch();
    const std::map<std::uint32_t, ShareSnapshot> snapshots = read();
    if (snapshots.empty()) return;
    std::uint64_t generation = model_.poll().generation;
    // Something happens before the plans are there, now and then.
    if (draw(4) == 0) exchange();
    if (draw(12) == 0) ++generation;
    std::vector<GroupPlan> plans;
    for (const auto& [group, snapshot] : snapshots) {
      if (draw(3) > 0) plans.push_back({group, draw_plan(snapshot)});
    }
    if (plans.empty()) return;
    const std::uint64_t later = draw(10) == 0 ? epoch + 1 : model_.epoch;
    if (later != model_.epoch) set_epoch(later);
    std::vector<bool> wanted;
    for (const GroupPlan& each : plans) {
      wanted.push_back(model_.apply_plan(epoch, generation, each.group, each.plan));
    }
    const RedisReply reply = run(scripts_.apply(run_id(), epoch, generation, plans));
    if (epoch != model_.epoch) return expect_done(reply, false);
    const auto applied = applied_of(reply, plans.size());
    ASSERT_TRUE(applied.ok()) << applied.status();
    EXPECT_EQ(*applied, wanted);
    for (const bool done : wanted) ++(done ? done_ : outdated_);
  }

  void look() {
    const auto poll = poll_of(run(scripts_.poll(run_id(), true)));
    ASSERT_TRUE(poll.ok()) << poll.status();
    EXPECT_EQ(poll->data.generation, model_.poll().generation);
    EXPECT_EQ(poll->data.learning, model_.poll().learning);
    EXPECT_EQ(poll->data.safe_frozen, model_.poll().safe_frozen);
    if (!model_.known()) return;
    const auto heads = heads_of(run(scripts_.heads(run_id())));
    ASSERT_TRUE(heads.ok()) << heads.status();
    for (const auto& [group, content] : model_.data.groups) {
      const auto version = poll->versions.find(group);
      EXPECT_EQ(version == poll->versions.end() ? 0 : version->second, content.version);
      const auto changes = poll->changes.find(group);
      EXPECT_EQ(changes == poll->changes.end() ? 0 : changes->second, content.changes);
      if (content.sessions.empty()) continue;
      ASSERT_TRUE(heads->contains(group));
      EXPECT_EQ(heads->at(group).size(), content.sessions.size());
      for (const auto& [id, session] : content.sessions) {
        const ShareHead& head = heads->at(group).at(id);
        EXPECT_EQ(head.sequence, session.sequence);
        EXPECT_EQ(head.lost, session.lost);
        EXPECT_EQ(head.node_id, session.node_id);
      }
    }
  }

  void leave() {
    const std::string session = draw_session();
    const std::vector<std::uint32_t> groups{0, 2};
    for (const std::uint32_t group : groups) {
      if (model_.known()) model_.leave(group, session);
    }
    if (model_.known()) run(scripts_.leave(run_id(), session, groups));
  }

  void forget() {
    const std::string node = "node of " + draw_session();
    const std::optional<std::uint64_t> wanted = model_.forget(node);
    const auto gone = forgotten_of(run(scripts_.forget(run_id(), node, "drip:{t}:members")));
    ++(wanted ? forgotten_ : living_);
    if (wanted) {
      ASSERT_TRUE(gone.ok()) << gone.status();
      EXPECT_EQ(gone->sessions, *wanted);
      EXPECT_FALSE(gone->listed);
    } else {
      EXPECT_TRUE(absl::IsFailedPrecondition(gone.status())) << gone.status();
    }
  }

  static constexpr std::uint32_t kGroups = 3;
  static constexpr char kLeaderKey[] = "drip:{t}:leader";
  RedisServer redis_;
  RedisLink link_;
  const ShareScripts scripts_{"drip:{t}:", kLeaderKey};
  LeaseStore model_;
  std::minstd_rand random_{4711};
  std::map<ExchangeAnswer, int> answers_;
  int done_ = 0, outdated_ = 0, stale_ = 0, forgotten_ = 0, living_ = 0;
};

TEST_F(ShareScriptsTest, AnswerAsTheModelDoes) {
  set_epoch(7);
  for (int i = 0; i < 4000 && !HasFailure(); ++i) {
    const std::uint64_t what = draw(100);
    if (what < 50) {
      exchange();
    } else if (what < 82) {
      plan();
    } else if (what < 88) {
      look();
    } else if (what < 92) {
      step();
    } else if (what < 94) {
      leave();
    } else if (what < 97) {
      forget();
    } else if (what < 98) {
      ++model_.server;  // Another process answers, with what this one has.
    } else {
      begin(draw_epoch());
    }
  }
  // All of the ways were gone, and not by chance only once.
  for (const ExchangeAnswer answer :
       {ExchangeAnswer::kRenewed, ExchangeAnswer::kStale, ExchangeAnswer::kUnknown,
        ExchangeAnswer::kLost, ExchangeAnswer::kForgotten, ExchangeAnswer::kChanged}) {
    EXPECT_GT(answers_[answer], 20) << static_cast<int>(answer);
  }
  EXPECT_GT(done_, 100);
  EXPECT_GT(outdated_, 100);
  EXPECT_GT(stale_, 50);
  EXPECT_GT(forgotten_, 5);
  EXPECT_GT(living_, 5);
}

TEST_F(ShareScriptsTest, WhoLeavesIsForgottenAtOnce) {
  set_epoch(1);
  begin(1);
  const std::vector<std::uint32_t> groups{1};
  const std::vector<GroupExchange> first{{1, {1, model_.data.state.generation, {}, false}, {}}};
  const auto replies = exchange_replies_of(
      run(scripts_.exchange(run_id(), "n1:a", "n1", model_.data.state.generation, first)), 1);
  ASSERT_TRUE(replies.ok());
  EXPECT_EQ(replies->groups.front().answer, ExchangeAnswer::kRenewed);
  EXPECT_EQ(snapshots_of(run(scripts_.read(run_id(), groups)))->at(1).sessions.size(), 1U);
  run(scripts_.leave(run_id(), "n1:a", groups));
  EXPECT_TRUE(snapshots_of(run(scripts_.read(run_id(), groups)))->at(1).sessions.empty());
}

}  // namespace
}  // namespace drip::cluster
