// SPDX-License-Identifier: BSD-3-Clause
// What RPCs ask of the agent, answered by its thread: shares of all nodes, and to forget a node.
#include <algorithm>
#include <utility>

#include "base/errors.h"
#include "base/log.h"
#include "base/text.h"
#include "cluster/shares/lease/rate_division.h"
#include "cluster/shares/share_agent.h"

namespace drip::cluster {
namespace {

constexpr std::chrono::milliseconds kForgetTimeout{250};
// How long what was read of Redis for shares() is told again.
constexpr std::chrono::milliseconds kFresh{1000};

}  // namespace

void ShareAgent::look(const SharePoll& poll) {
  const std::vector<std::uint32_t> groups = snapshots_.changed(poll, {});
  for (std::size_t first = 0; first < groups.size();) {
    const std::span<const std::uint32_t> rest = std::span(groups).subspan(first);
    const auto some = rest.first(
        groups_of_a_call(rest, [this](std::uint32_t i) { return groups_[i].entries.size(); }));
    if (!snapshots_.read(some, Clock::now() + patience()).ok()) return;
    first += some.size();
  }
  MutexLock lock(mutex_);
  looked_ = Clock::now();
}

void ShareAgent::shares(const control::SharesPage& page,
                        control::Done<std::vector<control::BucketShares>> done) {
  {
    MutexLock lock(mutex_);
    if (!stopped_ && Clock::now() - looked_ > kFresh) {
      questions_.push_back({page, std::move(done)});
      return;
    }
  }
  done(shares_of(page));
}

void ShareAgent::forget(std::string node_id, control::Done<control::ForgottenNode> done) {
  {
    MutexLock lock(mutex_);
    if (!stopped_) {
      farewells_.push_back({std::move(node_id), std::move(done)});
      return;
    }
  }
  done(absl::UnavailableError("the node stops"));
}

void ShareAgent::forget_nodes() {
  std::vector<Farewell> farewells;
  {
    MutexLock lock(mutex_);
    farewells.swap(farewells_);
  }
  for (const Farewell& farewell : farewells) farewell.done(forget_node(farewell.node_id));
}

absl::StatusOr<control::ForgottenNode> ShareAgent::forget_node(const std::string& node_id) {
  const Deadline deadline = Clock::now() + std::max(patience(), kForgetTimeout);
  if (absl::Status status = link_.open(deadline, deadline); !status.ok()) {
    return absl::UnavailableError(std::string(message_of(status)));
  }
  const auto reply =
      link_.run(scripts_.forget(link_.run_id(), node_id, options_.members_key), deadline);
  if (!reply.ok()) return reply.status();
  const auto forgotten = forgotten_of(*reply);
  if (!forgotten.ok()) return forgotten.status();
  if (!forgotten->listed && forgotten->sessions == 0) {
    return absl::NotFoundError(joined("node_id: nothing is known of a node ", quoted(node_id)));
  }
  write_log(LogLevel::kInfo, joined("cluster: ", node_id, " is forgotten"));
  return control::ForgottenNode{forgotten->listed, forgotten->sessions > 0};
}

void ShareAgent::answer() {
  std::vector<Question> questions;
  {
    MutexLock lock(mutex_);
    questions.swap(questions_);
  }
  for (const Question& question : questions) question.done(shares_of(question.page));
}

std::vector<control::BucketShares> ShareAgent::shares_of(const control::SharesPage& page) const {
  std::vector<control::BucketEntryRef> buckets;
  if (page.bucket_id.empty()) {
    buckets = buckets_.split_buckets(page.after, page.limit);
  } else if (control::BucketEntryRef bucket = buckets_.find(page.bucket_id);
             bucket != nullptr && bucket->sharing().split()) {
    buckets.push_back(std::move(bucket));
  }
  const auto part = [](std::uint64_t parts) {
    return static_cast<double>(parts) / static_cast<double>(kWholeRate);
  };
  std::vector<control::BucketShares> shares;
  shares.reserve(buckets.size());
  for (const control::BucketEntryRef& bucket : buckets) {
    const std::string_view id = bucket->id_view();
    control::BucketShares& of_bucket = shares.emplace_back();
    of_bucket.bucket_id = id;
    const std::shared_ptr<const ShareSnapshot> snapshot = snapshots_.get(share_group_of(id));
    for (const auto& [session, known] : snapshot->sessions) {
      control::NodeShare& node = of_bucket.nodes.emplace_back();
      node.node_id = known.node_id;
      if (const auto held = known.held.find(id); held != known.held.end()) {
        node.share = part(held->second.leased + held->second.safe);
        node.safe_share = part(held->second.safe);
      }
      if (const auto demand = known.demands.find(id); demand != known.demands.end()) {
        node.demand = part(demand->second);
      }
    }
  }
  return shares;
}

}  // namespace drip::cluster
