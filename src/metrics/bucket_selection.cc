// SPDX-License-Identifier: BSD-3-Clause
#include "metrics/bucket_selection.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

namespace drip::metrics {
namespace {

using control::BucketEntryRef;
using control::BucketState;

constexpr std::size_t kEntriesAtOnce = 256;
constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max() - 1;
// Two servers that scrape one after the other see the same interval.
constexpr Duration kShortestInterval{1'000'000'000};
constexpr Duration kLatenciesKept{3'600'000'000'000};

std::uint64_t key_of(BucketRef bucket) {
  return (std::uint64_t{bucket.transmitter} << 32) | bucket.slot;
}

}  // namespace

void BucketSelection::select() {
  states_.clear();
  switch (choice_.kind) {
    case BucketChoice::Kind::kTop:
      select_top();
      break;
    case BucketChoice::Kind::kAll:
      select_page("", false);
      break;
    case BucketChoice::Kind::kPrefix:
      select_page(choice_.prefix, choice_.prefix.find('/') != std::string::npos);
      break;
  }
  for (BucketState& state : states_) control::add_share(context_.cluster, state);
  const auto configured = static_cast<std::size_t>(std::ranges::count_if(
      states_, [](const BucketState& state) { return state.rule_id.empty(); }));
  const std::size_t all = context_.buckets.size();
  left_out_ = all - std::min(all, configured);
  widen_latencies();
}

void BucketSelection::select_top() {
  struct Candidate {
    std::uint64_t sent;  // Since the interval began.
    BucketEntryRef bucket;
  };
  const auto sends_more = [](const Candidate& a, const Candidate& b) { return a.sent > b.sent; };
  std::vector<SentBytes> now;
  std::vector<Candidate> top;  // A heap with the one that sends least at its front.
  std::string cursor;
  while (true) {
    const auto buckets = context_.buckets.list("", cursor, kEntriesAtOnce);
    for (const BucketEntryRef& bucket : buckets) {
      const auto use = bucket->use();
      if (!use) continue;
      const std::uint64_t bytes = context_.engine.read(bucket->ref()).departed_bytes;
      const SentBytes sent{key_of(bucket->ref()), bytes};
      now.push_back(sent);
      const auto before = std::lower_bound(before_.begin(), before_.end(), sent);
      const bool known =
          before != before_.end() && before->key == sent.key && before->bytes <= bytes;
      top.push_back({known ? bytes - before->bytes : bytes, bucket});
      std::push_heap(top.begin(), top.end(), sends_more);
      if (top.size() > choice_.count) {
        std::pop_heap(top.begin(), top.end(), sends_more);
        top.pop_back();
      }
    }
    if (buckets.size() < kEntriesAtOnce) break;
    cursor = buckets.back()->id();
  }
  for (const Candidate& candidate : top) {
    if (std::optional<BucketState> state = candidate.bucket->state()) {
      states_.push_back(*std::move(state));
    }
  }
  std::ranges::sort(states_, {}, &BucketState::id);
  const TimePoint time = context_.engine.now();
  if (before_.empty() || time - begun_ >= kShortestInterval) {
    std::ranges::sort(now, {}, &SentBytes::key);
    before_ = std::move(now);
    begun_ = time;
  }
}

void BucketSelection::select_page(const std::string& prefix, bool with_flows) {
  control::BucketFilter filter;
  filter.id_prefix = prefix;
  filter.include_flows = with_flows;
  auto page = context_.listing.page(filter, "", kNoLimit);
  // Only a filter of ids has errors.
  if (page.ok()) states_ = std::move(page->states);
}

void BucketSelection::widen_latencies() {
  const TimePoint time = context_.engine.now();
  chosen_.clear();
  chosen_.reserve(states_.size());
  for (const BucketState& state : states_) {
    Latencies& latencies = latencies_[state.id];
    latencies.read = time;
    const std::uint64_t events = state.stats.departed;
    chosen_.push_back({&state, &latencies.sojourn.update(state.stats.sojourn, events),
                       &latencies.lateness.update(state.stats.lateness, events)});
  }
  forget_latencies();
}

void BucketSelection::forget_latencies() {
  // Where nothing is left over there is nothing to look for.
  if (latencies_.size() == chosen_.size()) return;
  const TimePoint time = context_.engine.now();
  std::erase_if(latencies_,
                [&](const auto& entry) { return time - entry.second.read > kLatenciesKept; });
}

}  // namespace drip::metrics
