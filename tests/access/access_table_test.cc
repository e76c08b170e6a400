// SPDX-License-Identifier: BSD-3-Clause
// Who a caller is, by token, certificate, uid, or being on this machine.
#include "access/access_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"

namespace drip::access {
namespace {

using Subject = AccessRule::Subject;
using testing::HasSubstr;

constexpr TokenTime kNow{std::chrono::seconds(1'800'000'000)};

std::shared_ptr<const TokenSet> tokens() {
  Token token;
  token.name = "ci";
  token.role = Role::kOperate;
  token.prefix = "ci/";
  token.digest = digest_of("secret");
  return std::make_shared<const TokenSet>(std::vector<Token>{token});
}

AccessRule rule(Subject subject, std::string text, Role role, std::string prefix = "") {
  AccessRule result;
  result.subject = subject;
  result.text = std::move(text);
  result.role = role;
  result.prefix = std::move(prefix);
  return result;
}

AccessTable table(std::vector<AccessRule> rules, bool certificates_are_admin = true) {
  return {true, certificates_are_admin, std::move(rules), tokens()};
}

Presented with_token(std::string text) {
  Presented presented;
  presented.authorization = std::move(text);
  presented.is_private = true;
  return presented;
}

Presented with_certificate(CertificateNames names) {
  Presented presented;
  presented.is_private = true;
  presented.certificate = std::move(names);
  return presented;
}

Caller seen(const AccessTable& access, const Presented& presented) {
  const auto caller = access.identify(presented, kNow);
  EXPECT_TRUE(caller.ok()) << caller.status();
  return caller.ok() ? **caller : Caller{"nobody", Role::kRead, ""};
}

TEST(AccessTable, WithoutAnyControlWhoeverConnectsIsAdmin) {
  const AccessTable open(false, false, {}, tokens());
  EXPECT_EQ(seen(open, {}), (Caller{"anyone", Role::kAdmin, ""}));
}

TEST(AccessTable, ATokenHasItsRoleAndPrefix) {
  for (const char* const text : {"Bearer secret", "bearer secret", "BEARER secret"}) {
    EXPECT_EQ(seen(table({}), with_token(text)), (Caller{"token \"ci\"", Role::kOperate, "ci/"}));
  }
}

TEST(AccessTable, ATokenThatIsNotValidIsNotReplacedByAnythingElse) {
  Presented presented = with_certificate({"ops", {}, {}});
  presented.is_local = true;
  for (const char* const text : {"Bearer wrong", "Basic secret", "secret", "Bearer", ""}) {
    presented.authorization = text;
    const auto refused = table({rule(Subject::kLocal, "", Role::kAdmin)}).identify(presented, kNow);
    EXPECT_TRUE(absl::IsUnauthenticated(refused.status())) << text;
    EXPECT_THAT(std::string(message_of(refused.status())), testing::Not(HasSubstr("wrong")));
  }
}

TEST(AccessTable, ATokenInPlainTextIsRefusedAlthoughItIsValid) {
  Presented presented = with_token("Bearer secret");
  presented.is_private = false;
  const auto refused = table({}).identify(presented, kNow);
  EXPECT_TRUE(absl::IsUnauthenticated(refused.status()));
  EXPECT_THAT(std::string(message_of(refused.status())), HasSubstr("plain TCP"));
}

TEST(AccessTable, CertificatesAreKnownByEachOfTheirNames) {
  const AccessTable access =
      table({rule(Subject::kCommonName, "ops", Role::kAdmin),
             rule(Subject::kDnsName, "web.example.net", Role::kOperate, "web/"),
             rule(Subject::kUri, "spiffe://example.net/ns/a/*", Role::kRead)});
  EXPECT_EQ(seen(access, with_certificate({"ops", {}, {}})),
            (Caller{"certificate CN=ops", Role::kAdmin, ""}));
  EXPECT_EQ(seen(access, with_certificate({"x", {"web.example.net"}, {}})),
            (Caller{"certificate CN=x, DNS web.example.net", Role::kOperate, "web/"}));
  EXPECT_EQ(seen(access, with_certificate({"", {}, {"spiffe://example.net/ns/a/sa/b"}})),
            (Caller{"certificate URI spiffe://example.net/ns/a/sa/b", Role::kRead, ""}));
}

// A name of one kind says nothing about one of another; a pattern ends at a whole path segment.
TEST(AccessTable, NamesOfOtherKindsAndOtherPathsDoNotFit) {
  const AccessTable access = table({rule(Subject::kCommonName, "ops", Role::kAdmin),
                                    rule(Subject::kUri, "spiffe://e/a/*", Role::kAdmin),
                                    rule(Subject::kUri, "spiffe://e/b", Role::kAdmin)});
  const CertificateNames others[] = {
      {"", {"ops"}, {}},
      {"", {}, {"ops"}},
      {"Ops", {}, {}},
      {"ops ", {}, {}},
      {"", {}, {"spiffe://e/ab"}},
      {"", {}, {"spiffe://e/a"}},
      {"", {}, {"spiffe://e/b/c"}},
      {"", {}, {}},
  };
  for (const CertificateNames& names : others) {
    const auto refused = access.identify(with_certificate(names), kNow);
    EXPECT_TRUE(absl::IsPermissionDenied(refused.status())) << text_of(names);
    EXPECT_THAT(std::string(message_of(refused.status())),
                HasSubstr("no entry of access names it"));
  }
}

TEST(AccessTable, CertificatesAreAdminOnlyWhereNoEntrySaysOtherwise) {
  const Presented ops = with_certificate({"ops", {}, {}});
  EXPECT_EQ(seen(table({}), ops).role, Role::kAdmin);
  EXPECT_FALSE(table({}, false).identify(ops, kNow).ok());
  EXPECT_FALSE(table({rule(Subject::kCommonName, "x", Role::kRead)}).identify(ops, kNow).ok());
}

TEST(AccessTable, LocalCallersAreThoseOfThisMachineWithoutAnythingElse) {
  const AccessTable access = table({rule(Subject::kLocal, "", Role::kRead)});
  Presented local;
  local.is_local = local.is_private = true;
  EXPECT_EQ(seen(access, local), (Caller{"a local caller", Role::kRead, ""}));
  Presented remote;
  remote.is_private = true;
  const auto refused = access.identify(remote, kNow);
  EXPECT_TRUE(absl::IsUnauthenticated(refused.status()));
  EXPECT_THAT(std::string(message_of(refused.status())), HasSubstr("this call has no identity"));
  // A certificate that no entry names is no local caller.
  local.certificate = CertificateNames{"x", {}, {}};
  EXPECT_TRUE(absl::IsPermissionDenied(access.identify(local, kNow).status()));
  EXPECT_FALSE(table({}).identify({.is_private = true, .is_local = true}, kNow).ok());
}

TEST(AccessTable, AUidHasItsOwnEntry) {
  AccessRule uid = rule(Subject::kUid, "", Role::kAdmin);
  uid.uid = 1000;
  const AccessTable access = table({uid, rule(Subject::kLocal, "", Role::kRead)});
  Presented presented;
  presented.is_local = true;
  presented.uid = 1000;
  EXPECT_EQ(seen(access, presented), (Caller{"uid 1000", Role::kAdmin, ""}));
  presented.uid = 1001;
  EXPECT_EQ(seen(access, presented).role, Role::kRead);
  EXPECT_TRUE(absl::IsPermissionDenied(table({uid}).identify(presented, kNow).status()));
}

}  // namespace
}  // namespace drip::access
