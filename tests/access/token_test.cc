// SPDX-License-Identifier: BSD-3-Clause
// Secrets, digests, and the file of tokens.
#include "access/token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "access/token_file.h"
#include "base/text.h"
#include "support/temporary_directory.h"

namespace drip::access {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

constexpr TokenTime kNow{seconds(1'800'000'000)};

Token token_named(const std::string& name, const std::string& secret) {
  Token token;
  token.name = name;
  token.role = Role::kOperate;
  token.created = kNow;
  token.digest = digest_of(secret);
  return token;
}

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(Tokens, SecretsHave256RandomBits) {
  std::set<std::string> secrets;
  for (int i = 0; i < 100; ++i) {
    const auto secret = make_secret();
    ASSERT_TRUE(secret.ok());
    EXPECT_EQ(secret->size(), 5U + 64U);
    EXPECT_TRUE(secret->starts_with("drip_"));
    secrets.insert(*secret);
  }
  EXPECT_EQ(secrets.size(), 100U);
}

// NIST's example of FIPS 180-2, appendix B.1.
TEST(Tokens, TheDigestIsSha256) {
  EXPECT_THAT(digest_of("abc"),
              testing::ElementsAre(0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                                   0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                                   0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad));
}

TEST(Tokens, OnlyTheWholeSecretFindsItsToken) {
  const TokenSet set({token_named("a", "secret-a"), token_named("b", "secret-b")});
  const auto caller = set.find("secret-b", kNow);
  ASSERT_TRUE(caller.ok());
  EXPECT_EQ((*caller)->name, "token \"b\"");
  EXPECT_EQ((*caller)->role, Role::kOperate);
  for (const char* const wrong : {"", "secret-", "secret-bb", "secret-B", "b"}) {
    const auto refused = set.find(wrong, kNow);
    EXPECT_TRUE(absl::IsUnauthenticated(refused.status())) << wrong;
    EXPECT_EQ(message_of(refused.status()), "the token is not known here, or was revoked");
  }
}

// Two digests that agree in the bytes by which they are looked up.
TEST(Tokens, AllBytesOfTheDigestAreCompared) {
  Token other = token_named("other", "secret");
  other.digest.back() ^= 1;
  EXPECT_FALSE(TokenSet({other}).find("secret", kNow).ok());
  const TokenSet both({other, token_named("mine", "secret")});
  ASSERT_TRUE(both.find("secret", kNow).ok());
  EXPECT_EQ((*both.find("secret", kNow))->name, "token \"mine\"");
}

TEST(Tokens, ExpireInTheSecondThatTheySay) {
  Token token = token_named("ci", "secret");
  token.expires = kNow + seconds(10);
  const TokenSet set({token});
  EXPECT_TRUE(set.find("secret", kNow + seconds(9)).ok());
  const auto expired = set.find("secret", kNow + seconds(10));
  EXPECT_TRUE(absl::IsUnauthenticated(expired.status()));
  EXPECT_EQ(message_of(expired.status()), "token \"ci\" expired at 2027-01-15T08:00:10Z");
}

TEST(TokenFile, KeepsWhatWasWrittenAndNoSecret) {
  const TemporaryDirectory directory;
  const std::string path = directory.path_of("tokens.toml");
  Token token = token_named("acme", "drip_0123");
  token.prefix = "acme/";
  token.expires = kNow + seconds(3600);
  ASSERT_TRUE(write_token_file(path, {token, token_named("other", "drip_4567")}).ok());
  struct stat file {};
  ASSERT_EQ(stat(path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0600U);
  EXPECT_THAT(content_of(path), testing::Not(HasSubstr("0123")));
  const auto read = read_token_file(path);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), 2U);
  EXPECT_EQ((*read)[0].name, "acme");
  EXPECT_EQ((*read)[0].role, Role::kOperate);
  EXPECT_EQ((*read)[0].prefix, "acme/");
  EXPECT_EQ((*read)[0].created, kNow);
  EXPECT_EQ((*read)[0].expires, kNow + seconds(3600));
  EXPECT_EQ((*read)[0].digest, digest_of("drip_0123"));
  EXPECT_EQ((*read)[1].expires, std::nullopt);
}

TEST(TokenFile, KeepsTheModeOfAFileThatAGroupReads) {
  const TemporaryDirectory directory;
  const std::string path = directory.write("tokens.toml", "");
  ASSERT_EQ(chmod(path.c_str(), 0640), 0);
  ASSERT_TRUE(write_token_file(path, {token_named("a", "s")}).ok());
  struct stat file {};
  ASSERT_EQ(stat(path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0640U);
}

TEST(TokenFile, CannotBeWrittenWhereThereIsNoDirectory) {
  const absl::Status status = write_token_file("/no/such/directory/tokens", {});
  EXPECT_EQ(message_of(status),
            "/no/such/directory/tokens: cannot be written: No such file or directory");
}

TEST(TokenFile, ErrorsNameLineFieldAndWhatIsAllowed) {
  const TemporaryDirectory directory;
  const std::string hex(64, 'a');
  const std::string good = "[[tokens]]\nname = \"a\"\nrole = \"read\"\nsha256 = \"" + hex + "\"\n";
  const std::pair<std::string, std::string> cases[] = {
      {"[[tokens]]\nname = \"a\"\nrole = \"root\"\nsha256 = \"" + hex + "\"\n",
       ":3:8: tokens[0].role: one of read, operate, admin is needed"},
      {"[[tokens]]\nrole = \"read\"\n", ":1:1: tokens[0].name: missing"},
      {"[[tokens]]\nname = \" \"\n", ":2:8: tokens[0].name: 1 to 128 of A-Z"},
      {"[[tokens]]\nname = \"a\"\nrole = \"read\"\nsha256 = \"" + hex + "0\"\n",
       ":4:10: tokens[0].sha256: 64 hexadecimal digits in lower case are needed"},
      {good + "expires = \"soon\"\n",
       ":5:11: tokens[0].expires: a time such as 2026-11-28T12:00:00Z"},
      {good + "secret = \"x\"\n", ":5:1: tokens[0].secret: there is no such field"},
      {good + good, ":5:1: tokens[1].name: \"a\" is another token's name"},
      {"[[token]]\n", "token: there is no such section; known is tokens"},
      {"[[tokens]\n", ": TOML: "},
  };
  for (const auto& [text, error] : cases) {
    const auto read = read_token_file(directory.write("tokens.toml", text));
    EXPECT_TRUE(absl::IsInvalidArgument(read.status())) << text;
    EXPECT_THAT(std::string(message_of(read.status())), HasSubstr(error)) << text;
  }
}

TEST(TokenFile, OneThatOthersCanWriteIsRefused) {
  const TemporaryDirectory directory;
  const std::string path = directory.write("tokens.toml", "");
  ASSERT_EQ(chmod(path.c_str(), 0646), 0);
  EXPECT_THAT(std::string(message_of(read_token_file(path).status())),
              HasSubstr("mode 0646 is not allowed: others can write it"));
  EXPECT_TRUE(absl::IsNotFound(read_token_file(directory.path_of("none")).status()));
}

}  // namespace
}  // namespace drip::access
