// SPDX-License-Identifier: BSD-3-Clause
// Tokens and rules that change while they are in use.
#include "access/access_control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "access/token_file.h"
#include "base/text.h"
#include "support/temporary_directory.h"

namespace drip::access {
namespace {

using testing::HasSubstr;

Token token(const std::string& name, const std::string& secret) {
  Token result;
  result.name = name;
  result.digest = digest_of(secret);
  return result;
}

Presented with(const std::string& secret) {
  Presented presented;
  presented.authorization = "Bearer " + secret;
  presented.is_private = true;
  return presented;
}

AccessRule local() { return AccessRule{}; }

class AccessControlTest : public testing::Test {
 protected:
  AccessControlTest() : path_(directory_.path_of("tokens.toml")) {
    EXPECT_TRUE(write_token_file(path_, {token("a", "secret-a"), token("b", "secret-b")}).ok());
    auto opened = AccessControl::open({.tokens_path = path_});
    EXPECT_TRUE(opened.ok()) << opened.status();
    access_ = *std::move(opened);
  }

  TemporaryDirectory directory_;
  std::string path_;
  std::unique_ptr<AccessControl> access_;
};

TEST_F(AccessControlTest, ARevokedTokenIsRefusedOnceTheFileHasChanged) {
  EXPECT_TRUE(access_->identify(with("secret-a")).ok());
  ASSERT_TRUE(write_token_file(path_, {token("b", "secret-b")}).ok());
  access_->reload_changed_tokens();
  EXPECT_FALSE(access_->identify(with("secret-a")).ok());
  EXPECT_TRUE(access_->identify(with("secret-b")).ok());
  EXPECT_TRUE(access_->warnings().empty());
}

TEST_F(AccessControlTest, ABadFileKeepsTheTokensOfBeforeAndSaysSo) {
  directory_.write("tokens.toml", "[[tokens]]\nname = 1\n");
  access_->reload_changed_tokens();
  EXPECT_TRUE(access_->identify(with("secret-a")).ok());
  ASSERT_EQ(access_->warnings().size(), 1U);
  EXPECT_THAT(access_->warnings().front(), HasSubstr("tokens[0].name: text in quotes is needed"));
  ASSERT_TRUE(write_token_file(path_, {token("c", "secret-c")}).ok());
  access_->reload_changed_tokens();
  EXPECT_TRUE(access_->warnings().empty());
  EXPECT_TRUE(access_->identify(with("secret-c")).ok());
  EXPECT_FALSE(access_->identify(with("secret-a")).ok());
}

TEST_F(AccessControlTest, AFileThatIsGoneRevokesNothing) {
  ASSERT_TRUE(std::filesystem::remove(path_));
  access_->reload_changed_tokens();
  EXPECT_TRUE(access_->identify(with("secret-a")).ok());
  EXPECT_THAT(access_->warnings(), testing::ElementsAre(HasSubstr("cannot be read")));
}

TEST_F(AccessControlTest, RulesAreReplacedAndTokensStay) {
  Presented here;
  here.is_local = true;
  EXPECT_FALSE(access_->identify(here).ok());
  ASSERT_TRUE(access_->check_rules({local()}).ok());
  access_->set_rules({local()});
  EXPECT_TRUE(access_->identify(here).ok());
  EXPECT_TRUE(access_->identify(with("secret-a")).ok());
  EXPECT_TRUE(access_->check_rules({}).ok()) << "the tokens still control access";
}

TEST(AccessControl, ANodeIsNotOpenedByAReload) {
  const auto access = AccessControl::open({.rules = {local()}});
  ASSERT_TRUE(access.ok());
  EXPECT_THAT(std::string(message_of((*access)->check_rules({}))),
              HasSubstr("access: at least one entry is needed"));
  const auto open = AccessControl::open({});
  ASSERT_TRUE(open.ok());
  EXPECT_FALSE((*open)->is_controlled());
  EXPECT_TRUE((*open)->check_rules({}).ok());
  EXPECT_THAT(std::string(message_of((*open)->check_rules({local()}))),
              HasSubstr("a restart is needed"));
}

TEST(AccessControl, AnEntryForCertificatesNeedsTheirCa) {
  AccessRule ops;
  ops.subject = AccessRule::Subject::kCommonName;
  ops.text = "ops";
  const absl::Status refused = AccessControl::open({.rules = {local(), ops}}).status();
  EXPECT_THAT(std::string(message_of(refused)), HasSubstr("access[1]: names a certificate"));
  EXPECT_TRUE(AccessControl::open({.rules = {local(), ops}, .client_certificates = true}).ok());
}

TEST(AccessControl, CannotStartWithoutItsTokens) {
  EXPECT_TRUE(absl::IsNotFound(AccessControl::open({.tokens_path = "/no/such"}).status()));
}

}  // namespace
}  // namespace drip::access
