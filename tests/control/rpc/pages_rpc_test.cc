// SPDX-License-Identifier: BSD-3-Clause
// Lists that are longer than a message, over gRPC; calls of a cluster on a node that is in none.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "control/support/node_fixture.h"

namespace drip::control {
namespace {

using Limiter = v1::RateLimiterService::Stub;
using Shaper = v1::ShaperService::Stub;

class PagesRpc : public NodeFixture {
 protected:
  void set_rules(int count, const std::string& prefix) {
    v1::SetRulesRequest request;
    for (int i = 0; i < count; ++i) {
      v1::Rule& rule = *request.mutable_rule_set()->add_rules();
      rule.set_rule_id(prefix + std::to_string(100'000 + i));
      rule.set_drop(true);
      rule.mutable_match()->set_vlan_id(static_cast<std::uint32_t>(i % 4096));
    }
    grpc::ClientContext context;
    v1::SetRulesResponse reply;
    status_ = shaper_->SetRules(&context, request, &reply);
    expect_ok();
  }
  // All ids, page by page; `pages` is how many there were.
  std::vector<std::string> listed(const std::string& page_size, int& pages) {
    std::vector<std::string> ids;
    std::string token;
    pages = 0;
    do {
      const auto page =
          call(*shaper_, &Shaper::ListRules, page_size + " page_token: '" + token + "'");
      expect_ok();
      EXPECT_LT(page.ByteSizeLong(), std::size_t{4} << 20);
      for (const v1::RuleStatus& rule : page.rules()) ids.push_back(rule.rule().rule_id());
      token = page.next_page_token();
      ++pages;
    } while (status_.ok() && !token.empty());
    return ids;
  }
};

TEST_F(PagesRpc, RulesInPages) {
  set_rules(25, "r");
  int pages = 0;
  const std::vector<std::string> ids = listed("page_size: 10", pages);
  EXPECT_EQ(pages, 3);
  ASSERT_EQ(ids.size(), 25U);
  EXPECT_EQ(ids.front(), "r100000");
  EXPECT_EQ(ids.back(), "r100024");
  EXPECT_EQ(listed("", pages).size(), 25U);
  EXPECT_EQ(pages, 1);
  EXPECT_EQ(listed("page_size: 25", pages).size(), 25U);
  EXPECT_EQ(pages, 1) << "no empty page follows";
}

TEST_F(PagesRpc, MoreRulesThanAMessageHolds) {
  set_rules(40'000, std::string(100, 'x'));
  int pages = 0;
  EXPECT_EQ(listed("", pages).size(), 40'000U);
  EXPECT_GT(pages, 1);
}

TEST_F(PagesRpc, RulesThatChangeBetweenTwoPagesAreListedAnew) {
  set_rules(25, "r");
  const auto first = call(*shaper_, &Shaper::ListRules, "page_size: 10");
  set_rules(24, "r");
  call(*shaper_, &Shaper::ListRules, "page_token: '" + first.next_page_token() + "'");
  expect_error(grpc::ABORTED,
               "page_token: the rules are at revision 2, and the page before was of 1");
  call(*shaper_, &Shaper::ListRules, "page_size: 1001");
  EXPECT_EQ(status_.error_code(), grpc::INVALID_ARGUMENT);
  for (const char* const token : {"b", "@", "@1", "@1:", "@1:2x", "1:2"}) {
    call(*shaper_, &Shaper::ListRules, std::string("page_token: '") + token + "'");
    EXPECT_EQ(status_.error_code(), grpc::INVALID_ARGUMENT) << token;
  }
}

TEST_F(PagesRpc, ANodeInNoClusterHasNoSharesAndForgetsNobody) {
  const auto shares = call(*limiter_, &Limiter::GetClusterShares, "page_size: 5");
  expect_ok();
  EXPECT_EQ(shares.buckets_size(), 0);
  call(*limiter_, &Limiter::GetClusterShares, "page_size: 1001");
  EXPECT_EQ(status_.error_code(), grpc::INVALID_ARGUMENT);
  call(*limiter_, &Limiter::GetClusterShares, "page_token: 'b'");
  EXPECT_EQ(status_.error_code(), grpc::INVALID_ARGUMENT);
  call(*limiter_, &Limiter::ForgetNode, "node_id: 'n2'");
  expect_error(grpc::FAILED_PRECONDITION, "this node is in no cluster");
}

}  // namespace
}  // namespace drip::control
