// SPDX-License-Identifier: BSD-3-Clause
// Calls that change the configuration, and what holds after each.
#include <algorithm>

#include "fuzz/session/session_calls.h"
#include "fuzz/support/fuzz_target.h"

namespace drip::fuzz {
namespace {

// The fields of the request that say what is read back as it was set.
void check_read_back(const v1::ConfigureBucketRequest& asked, const v1::BucketConfig& config) {
  const auto same = [](bool has, const auto& wanted, const auto& is) {
    require(!has || wanted == is, "a field that was accepted is read back");
  };
  if (config.inner()) return;
  same(asked.has_capacity(), asked.capacity(), config.capacity());
  same(asked.has_leak_rate(), asked.leak_rate(), config.leak_rate());
  same(asked.has_leak_rate_bps(), asked.leak_rate_bps(), config.leak_rate_bps());
  same(asked.has_capacity_bytes(), asked.capacity_bytes(), config.capacity_bytes());
  same(asked.has_overhead_bytes(), asked.overhead_bytes(), config.overhead_bytes());
  same(asked.has_min_frame_bytes(), asked.min_frame_bytes(), config.min_frame_bytes());
  same(asked.has_max_catchup_ns(), asked.max_catchup_ns(), config.max_catchup_ns());
  same(asked.has_parent_id(), asked.parent_id(), config.parent_id());
}

}  // namespace

SessionCalls::SessionCalls(SessionNode& node) : node_(node), present_(node.snapshot()) {}

void SessionCalls::check_change(bool accepted, const ConfigSnapshot& now) {
  if (!accepted) {
    require(now == present_, "a change that is refused changes nothing");
    return;
  }
  for (const auto& [id, bucket] : now.buckets) {
    const auto before = present_.buckets.find(id);
    if (before == present_.buckets.end()) {
      require(bucket.revision > node_.highest_revision, "a new bucket has a new revision");
      continue;
    }
    require(bucket.revision >= before->second.revision, "a revision does not go back");
    require(bucket.config == before->second.config || bucket.revision > before->second.revision,
            "what has changed has another revision");
  }
  require(now.rules_revision >= present_.rules_revision, "the rules' revision does not go back");
  require(now.same_rules(present_) || now.rules_revision > present_.rules_revision,
          "rules that have changed have another revision");
  for (const auto& [id, bucket] : now.buckets) {
    node_.highest_revision = std::max(node_.highest_revision, bucket.revision);
  }
  present_ = now;
}

std::uint64_t SessionCalls::revision_of(const std::string& bucket_id) const {
  const auto found = present_.buckets.find(bucket_id);
  return found == present_.buckets.end() ? 0 : found->second.revision;
}

template <class Message>
void SessionCalls::resolve_revision(Message& message, std::uint64_t present) const {
  if (!message.has_expected_revision() || message.expected_revision() >= 4) return;
  message.set_expected_revision(present + message.expected_revision() - 1);
}

void SessionCalls::configure_bucket(v1::ConfigureBucketRequest& request) {
  resolve_revision(request, revision_of(request.bucket_id()));
  const bool existed = present_.buckets.contains(request.bucket_id());
  v1::ConfigureBucketResponse response;
  if (!change(node_.limiter(), &v1::RateLimiterService::Stub::ConfigureBucket, request, response)) {
    return;
  }
  require(response.created() == !existed, "a bucket is created once");
  const auto now = present_.buckets.find(request.bucket_id());
  require(now != present_.buckets.end(), "a bucket that was configured is there");
  require(bytes_of(response.bucket().config()) == now->second.config &&
              response.bucket().revision() == now->second.revision,
          "the answer is what is listed");
  check_read_back(request, response.bucket().config());
}

void SessionCalls::configure_buckets(v1::ConfigureBucketsRequest& request) {
  for (v1::BucketConfig& bucket : *request.mutable_buckets()) {
    resolve_revision(bucket, revision_of(bucket.bucket_id()));
  }
  const std::size_t before = present_.buckets.size();
  v1::ConfigureBucketsResponse response;
  if (!change(node_.shaper(), &v1::ShaperService::Stub::ConfigureBuckets, request, response))
    return;
  require(present_.buckets.size() == before + response.created(), "what is created is there");
  for (const v1::BucketConfig& bucket : request.buckets()) {
    require(present_.buckets.contains(bucket.bucket_id()), "a bucket that was configured is there");
  }
}

void SessionCalls::delete_bucket(v1::DeleteBucketRequest& request) {
  resolve_revision(request, revision_of(request.bucket_id()));
  v1::DeleteBucketResponse response;
  if (change(node_.limiter(), &v1::RateLimiterService::Stub::DeleteBucket, request, response)) {
    require(!present_.buckets.contains(request.bucket_id()), "a bucket that was deleted is gone");
  }
}

void SessionCalls::set_rules(v1::SetRulesRequest& request) {
  resolve_revision(request, present_.rules_revision);
  v1::SetRulesResponse response;
  if (change(node_.shaper(), &v1::ShaperService::Stub::SetRules, request, response)) {
    require(response.revision() == present_.rules_revision,
            "the answer's revision is the present one");
  }
}

void SessionCalls::set_rule(const v1::SetRuleRequest& request) {
  v1::SetRuleResponse response;
  if (change(node_.shaper(), &v1::ShaperService::Stub::SetRule, request, response)) {
    require(response.revision() == present_.rules_revision,
            "the answer's revision is the present one");
    v1::RuleSet rules;
    require(rules.ParseFromString(present_.rules), "rules can be read");
    require(std::any_of(
                rules.rules().begin(), rules.rules().end(),
                [&](const v1::Rule& rule) { return rule.rule_id() == request.rule().rule_id(); }),
            "a rule that was set is there");
  }
}

void SessionCalls::set_list(const v1::SetAddressListRequest& request) {
  v1::SetAddressListResponse response;
  if (!change(node_.shaper(), &v1::ShaperService::Stub::SetAddressList, request, response)) return;
  const auto list = present_.lists.find(request.list().name());
  require(list != present_.lists.end(), "a list that was set is there");
  require(static_cast<std::uint64_t>(std::ranges::count(list->second, '\n')) == response.entries(),
          "it has as many entries as the answer says");
}

void SessionCalls::finish() {
  require(node_.snapshot() == present_, "calls that only read change nothing");
  make_on_engine([] {
    Call none;
    (void)none.mutable_engine_fault();
    return none;
  }());
  v1::SetRulesRequest rules;
  require(rules.mutable_rule_set()->ParseFromString(present_.rules), "rules can be read");
  const ConfigSnapshot before = present_;
  v1::SetRulesResponse rules_response;
  require(change(node_.shaper(), &v1::ShaperService::Stub::SetRules, rules, rules_response) &&
              present_.same_rules(before),
          "rules are taken as they are told");
  v1::ConfigureBucketsRequest buckets;
  for (const auto& [id, bucket] : present_.buckets) {
    require(buckets.add_buckets()->ParseFromString(bucket.config), "a bucket can be read");
  }
  if (buckets.buckets().empty()) return;
  v1::ConfigureBucketsResponse buckets_response;
  require(
      change(node_.shaper(), &v1::ShaperService::Stub::ConfigureBuckets, buckets, buckets_response),
      "buckets are taken as they are told");
  for (const auto& [id, bucket] : before.buckets) {
    require(present_.buckets.at(id).config == bucket.config, "and are the same then");
  }
}

}  // namespace drip::fuzz
