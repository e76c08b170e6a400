// SPDX-License-Identifier: BSD-3-Clause
// Every method of the API, called with each role; tokens that expire and are revoked.
#include <gmock/gmock.h>

#include "access/methods.h"
#include "base/text.h"
#include "control/access/access_fixture.h"

namespace drip::control {
namespace {

using access::Role;
using grpc::StatusCode;
using testing::HasSubstr;

class RolesRpc : public AccessFixture {};

TEST_F(RolesRpc, EachMethodNeedsItsRole) {
  start_with_tokens({{"reader", Role::kRead, ""},
                     {"operator", Role::kOperate, ""},
                     {"administrator", Role::kAdmin, ""}});
  AccessClient nobody = client();
  AccessClient stranger = client("stranger");
  std::pair<Role, AccessClient> callers[] = {{Role::kRead, client("reader")},
                                             {Role::kOperate, client("operator")},
                                             {Role::kAdmin, client("administrator")}};
  for (const access::MethodAccess& method : access::all_methods()) {
    const std::string path = joined("/drip.v1.", method.service, "/", method.method);
    EXPECT_EQ(nobody.call_by_path(path).error_code(), StatusCode::UNAUTHENTICATED) << path;
    EXPECT_EQ(stranger.call_by_path(path).error_code(), StatusCode::UNAUTHENTICATED) << path;
    for (auto& [role, caller] : callers) {
      const grpc::Status status = caller.call_by_path(path);
      if (role < method.role) {
        EXPECT_EQ(status.error_code(), StatusCode::PERMISSION_DENIED) << path;
        EXPECT_THAT(status.error_message(),
                    HasSubstr(joined(method.method, " needs the role ", name_of(method.role))));
      } else {
        EXPECT_NE(status.error_code(), StatusCode::PERMISSION_DENIED) << status.error_message();
        EXPECT_NE(status.error_code(), StatusCode::UNAUTHENTICATED) << status.error_message();
        EXPECT_NE(status.error_code(), StatusCode::UNIMPLEMENTED) << path;
      }
    }
  }
}

// Load balancers ask for it without a token, and learn no more than that the node serves.
TEST_F(RolesRpc, HealthNeedsNoRole) {
  start_with_tokens({});
  EXPECT_TRUE(client().call_by_path("/grpc.health.v1.Health/Check").error_code() ==
              StatusCode::CANCELLED);
}

TEST_F(RolesRpc, ErrorsSayWhoWasSeenAndNeverTheToken) {
  start_with_tokens({{"reader", Role::kRead, ""}, {"late", Role::kAdmin, "", -1}});
  const grpc::Status none = client().call(&Shaper::GetNode);
  EXPECT_EQ(none.error_message(),
            "GetNode needs the role read; this call has no identity: it needs a token "
            "(authorization: Bearer ...) or a client certificate");
  const grpc::Status unknown = client("drip_secret").call(&Shaper::GetNode);
  EXPECT_EQ(unknown.error_message(),
            "GetNode needs the role read; the token is not known here, or was revoked");
  EXPECT_THAT(client("late").call(&Shaper::GetNode).error_message(),
              HasSubstr("token \"late\" expired at "));
  EXPECT_EQ(client("reader").call(&Shaper::SetRules).error_message(),
            "SetRules needs the role admin; seen as token \"reader\" with the role read");
}

TEST_F(RolesRpc, ARevokedTokenIsRefusedAndItsStreamsEnd) {
  start_with_tokens({{"a", Role::kAdmin, ""}, {"b", Role::kAdmin, ""}});
  AccessClient revoked = client("a");
  AccessClient other = client("b");
  grpc::ClientContext watch_a, watch_b, turns_a;
  revoked.authorize(watch_a);
  other.authorize(watch_b);
  revoked.authorize(turns_a);
  v1::WatchBucketsRequest request;
  request.set_interval_ms(100);
  const auto stream_a = Shaper(revoked.channel()).WatchBuckets(&watch_a, request);
  const auto stream_b = Shaper(other.channel()).WatchBuckets(&watch_b, request);
  const auto stream_c = Limiter(revoked.channel()).AwaitTurns(&turns_a);
  v1::WatchBucketsResponse states;
  ASSERT_TRUE(stream_a->Read(&states));
  ASSERT_TRUE(stream_b->Read(&states));
  write_tokens({{"b", Role::kAdmin, ""}});  // The node reads it again within a second.
  while (stream_a->Read(&states)) {
  }
  EXPECT_EQ(stream_a->Finish().error_code(), StatusCode::UNAUTHENTICATED);
  v1::AwaitTurnsResponse turns;
  EXPECT_FALSE(stream_c->Read(&turns));
  EXPECT_EQ(stream_c->Finish().error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(revoked.call(&Shaper::GetNode).error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(stream_b->Read(&states)) << "other callers are not affected";
  EXPECT_TRUE(other.call(&Shaper::GetNode).ok());
  watch_b.TryCancel();
  stream_b->Finish();
}

TEST_F(RolesRpc, GuessesAreLimited) {
  options_.client_limits.calls_per_second = 50;
  start_with_tokens({{"a", Role::kAdmin, ""}});
  AccessClient guesser = client("drip_guess");
  grpc::Status status = guesser.call(&Shaper::GetNode);
  for (int i = 0; i < 1000 && status.error_code() == StatusCode::UNAUTHENTICATED; ++i) {
    status = guesser.call(&Shaper::GetNode);
  }
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("calls_per_second: 127.0.0.1 makes more than 50"));
  // Who has a valid token at the same address is another client.
  EXPECT_TRUE(client("a").call(&Shaper::GetNode).ok());
}

TEST_F(RolesRpc, ABadTokenFileIsAWarningOfTheNode) {
  start_with_tokens({{"a", Role::kAdmin, ""}});
  directory_.write("tokens.toml", "[[tokens]]\n");
  v1::GetNodeResponse node;
  ASSERT_TRUE(wait_until([&] {
    EXPECT_TRUE(client("a").call(&Shaper::GetNode, "", node).ok());
    return node.warnings_size() > 0;
  }));
  EXPECT_THAT(node.warnings(0), HasSubstr("tokens[0].name: missing"));
}

// What was configured before there was access control goes on: whoever can connect is admin.
TEST_F(RolesRpc, WithoutAccessControlWhoeverConnectsIsAdmin) {
  start({});
  EXPECT_TRUE(client().call(&Shaper::SetRules).ok());
  EXPECT_TRUE(client("whatever").call(&Shaper::SetRules).ok());
}

TEST_F(RolesRpc, LocalCallersHaveTheRoleOfTheirEntry) {
  access::AccessRule local;
  local.role = Role::kOperate;
  start({.rules = {local}});
  EXPECT_TRUE(client().call(&Shaper::GetNode).ok());
  EXPECT_EQ(client().call(&Shaper::SetRules).error_message(),
            "SetRules needs the role admin; seen as a local caller with the role operate");
}

}  // namespace
}  // namespace drip::control
