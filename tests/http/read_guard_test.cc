// SPDX-License-Identifier: BSD-3-Clause
// Who is let through: by token, by being on this machine, and who is not.
#include "http/read_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "access/token_file.h"
#include "support/temporary_directory.h"

namespace drip::http {
namespace {

using testing::HasSubstr;

class ReadGuardTest : public testing::Test {
 protected:
  static access::Token token(const std::string& name, const std::string& secret,
                             const std::string& prefix = "") {
    access::Token result;
    result.name = name;
    result.digest = access::digest_of(secret);
    result.prefix = prefix;
    return result;
  }
  // `local`: who is on this machine may read.
  void control(bool local) {
    const std::string path = directory_.path_of("tokens.toml");
    ASSERT_TRUE(access::write_token_file(
                    path, {token("scraper", "drip_5e"), token("acme", "drip_ac", "acme/")})
                    .ok());
    access::AccessOptions options{.tokens_path = path};
    if (local) options.rules.emplace_back();
    open(options);
  }
  void open(const access::AccessOptions& options) {
    auto opened = access::AccessControl::open(options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    access_ = *std::move(opened);
  }
  Response ask(const std::string& authorization = "") {
    const Server::Handler handler = require_read(*access_, [this](const Request&) {
      ++let_through_;
      return Response{200, "text/plain", "all", {}};
    });
    Request request{"/", "", {}};
    if (!authorization.empty()) request.headers.emplace_back("authorization", authorization);
    return handler(request);
  }
  static std::string basic(const std::string& pair) { return "Basic " + absl::Base64Escape(pair); }

  TemporaryDirectory directory_;
  std::unique_ptr<access::AccessControl> access_;
  int let_through_ = 0;
};

TEST_F(ReadGuardTest, WithoutAccessControlAllMayRead) {
  open({});
  EXPECT_EQ(ask().code, 200);
  EXPECT_EQ(ask("Bearer whatever").code, 200);
}

TEST_F(ReadGuardTest, ATokenOpensAsBearerAndAsPassword) {
  control(false);
  EXPECT_EQ(ask("Bearer drip_5e").body, "all");
  EXPECT_EQ(ask(basic("prometheus:drip_5e")).code, 200);
  EXPECT_EQ(ask(basic(":drip_5e")).code, 200);
  EXPECT_EQ(ask("bASIC " + absl::Base64Escape("x:drip_5e")).code, 200);
  EXPECT_EQ(let_through_, 4);
}

TEST_F(ReadGuardTest, WhoHasNoneIsAskedForOne) {
  control(false);
  const Response none = ask();
  EXPECT_EQ(none.code, 401);
  EXPECT_THAT(none.headers, testing::Contains(std::pair<std::string, std::string>(
                                "WWW-Authenticate", "Basic realm=\"drip\", charset=\"UTF-8\"")));
  EXPECT_THAT(none.body, HasSubstr("as the password of any user, or as a bearer token"));
  for (const std::string& wrong :
       {std::string("Bearer drip_55"), basic("prometheus:drip_55"), basic("drip_5e"),
        basic("drip_5e:"), std::string("Basic ?"), std::string("Digest drip_5e"),
        std::string("Basic"), std::string("drip_5e")}) {
    const Response refused = ask(wrong);
    EXPECT_EQ(refused.code, 401) << wrong;
    EXPECT_THAT(refused.body, testing::Not(HasSubstr("drip_"))) << "no secret is repeated";
  }
  EXPECT_EQ(let_through_, 0);
}

TEST_F(ReadGuardTest, BeingOnThisMachineIsEnoughWhereTheRulesSaySo) {
  control(true);
  EXPECT_EQ(ask().code, 200);
  EXPECT_EQ(ask("Bearer drip_55").code, 401) << "a wrong token is not forgotten";
}

TEST_F(ReadGuardTest, ATenantDoesNotSeeTheBucketsOfOthers) {
  control(true);
  const Response refused = ask("Bearer drip_ac");
  EXPECT_EQ(refused.code, 403);
  EXPECT_THAT(refused.body, HasSubstr("token \"acme\""));
  EXPECT_EQ(let_through_, 0);
}

}  // namespace
}  // namespace drip::http
