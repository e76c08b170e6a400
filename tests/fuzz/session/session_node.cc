// SPDX-License-Identifier: BSD-3-Clause
#include "fuzz/session/session_node.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <utility>

#include "fuzz/support/fuzz_target.h"

namespace drip::fuzz {
namespace {

// The fake engine says by a failure of its test that a rule of the seam was broken.
class EndOnFailure final : public testing::EmptyTestEventListener {
  void OnTestPartResult(const testing::TestPartResult& result) override {
    require(!result.failed(), result.message());
  }
};

control::NodeOptions options_at(const TemporaryDirectory& directory) {
  control::NodeOptions options;
  options.node_id = "n1";
  options.max_requests = 1000;
  options.max_remembered = 1000;
  options.server.addresses = {"unix:" + directory.path_of("socket")};
  return options;
}

void require_ok(const grpc::Status& status) { require(status.ok(), status.error_message()); }

}  // namespace

SessionNode::SessionNode() {
  testing::UnitTest::GetInstance()->listeners().Append(new EndOnFailure);
  auto node = control::Node::create(engine_, options_at(directory_));
  require(node.ok(), "a node can be made");
  node_ = *std::move(node);
  require(node_->start().ok(), "a node can be started");
  const auto channel = grpc::CreateChannel("unix:" + directory_.path_of("socket"),
                                           grpc::InsecureChannelCredentials());
  limiter_ = v1::RateLimiterService::NewStub(channel);
  shaper_ = v1::ShaperService::NewStub(channel);
}

SessionNode::~SessionNode() {
  (void)engine_.drain_and_stop({});
  node_->stop(std::chrono::milliseconds(100));
}

void SessionNode::clear() {
  engine_.fail_apply = engine_.fail_swap = absl::OkStatus();
  engine_.fail_create_flow_rule = engine_.fail_change_flow_rule = absl::OkStatus();
  {
    grpc::ClientContext context;
    v1::SetRulesResponse response;
    require_ok(shaper_->SetRules(&context, {}, &response));
  }
  const ConfigSnapshot present = snapshot();
  for (const auto& [name, prefixes] : present.lists) {
    grpc::ClientContext context;
    v1::DeleteAddressListRequest request;
    request.set_name(name);
    v1::DeleteAddressListResponse response;
    require_ok(shaper_->DeleteAddressList(&context, request, &response));
  }
  for (const auto& [id, bucket] : present.buckets) {
    grpc::ClientContext context;
    v1::DeleteBucketRequest request;
    request.set_bucket_id(id);
    request.set_mode(v1::DELETE_MODE_DROP);
    request.set_recursive(true);
    v1::DeleteBucketResponse response;
    const grpc::Status status = limiter_->DeleteBucket(&context, request, &response);
    // It went with its parent.
    require(status.ok() || status.error_code() == grpc::NOT_FOUND, status.error_message());
  }
  const ConfigSnapshot cleared = snapshot();
  require(cleared.buckets.empty() && cleared.lists.empty(), "all buckets and lists are gone");
}

ConfigSnapshot SessionNode::snapshot() {
  ConfigSnapshot result;
  for (std::string token = "";;) {
    grpc::ClientContext context;
    v1::ListBucketsRequest request;
    request.set_page_token(token);
    v1::ListBucketsResponse page;
    require_ok(shaper_->ListBuckets(&context, request, &page));
    for (const v1::Bucket& bucket : page.buckets()) {
      result.buckets[bucket.bucket_id()] = {bytes_of(bucket.config()), bucket.revision(),
                                            bucket.queue_size(), bucket.config().capacity()};
    }
    token = page.next_page_token();
    if (token.empty()) break;
  }
  for (std::string token = "";;) {
    grpc::ClientContext context;
    v1::ListRulesRequest request;
    request.set_page_token(token);
    v1::ListRulesResponse page;
    require_ok(shaper_->ListRules(&context, request, &page));
    v1::RuleSet set;
    for (const v1::RuleStatus& rule : page.rules()) *set.add_rules() = rule.rule();
    set.set_default_bucket_id(page.default_bucket_id());
    set.set_protect_control_traffic(page.protect_control_traffic());
    *set.mutable_control_protocols() = page.control_protocols();
    result.rules += bytes_of(set);
    result.rules_revision = page.revision();
    token = page.next_page_token();
    if (token.empty()) break;
  }
  grpc::ClientContext context;
  v1::ListAddressListsResponse lists;
  require_ok(shaper_->ListAddressLists(&context, {}, &lists));
  for (const v1::AddressListStatus& list : lists.lists()) {
    grpc::ClientContext one_context;
    v1::ListAddressListsRequest request;
    request.set_name(list.name());
    request.set_page_size(10'000);
    v1::ListAddressListsResponse one;
    require_ok(shaper_->ListAddressLists(&one_context, request, &one));
    std::string& prefixes = result.lists[list.name()];
    for (const std::string& prefix : one.prefixes()) prefixes += prefix + "\n";
  }
  return result;
}

}  // namespace drip::fuzz
