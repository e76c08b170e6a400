// SPDX-License-Identifier: BSD-3-Clause
// URLs of Redis: what they mean, what is refused and in which words.
#include "cluster/redis/redis_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace drip::cluster {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

RedisUrl url_of(std::string_view text) {
  auto url = parse_redis_url(text);
  EXPECT_TRUE(url.ok()) << url.status();
  return url.ok() ? *url : RedisUrl();
}
std::string refusal_of(std::string_view text) {
  const auto url = parse_redis_url(text);
  EXPECT_TRUE(absl::IsInvalidArgument(url.status())) << text << ": " << url.status();
  return std::string(url.status().message());
}

TEST(RedisUrl, OneServer) {
  const RedisUrl plain = url_of("redis://cache.example");
  EXPECT_THAT(plain.endpoints, ElementsAre(RedisEndpoint{"cache.example", 6379}));
  EXPECT_FALSE(plain.tls);
  EXPECT_TRUE(plain.user.empty());
  EXPECT_TRUE(plain.password.empty());
  EXPECT_EQ(plain.database, 0);

  const RedisUrl full = url_of("rediss://drip:p%40ss%2Fw:rd@[2001:db8::1]:7000/3");
  EXPECT_THAT(full.endpoints, ElementsAre(RedisEndpoint{"2001:db8::1", 7000}));
  EXPECT_TRUE(full.tls);
  EXPECT_EQ(full.user, "drip");
  EXPECT_EQ(full.password, "p@ss/w:rd");
  EXPECT_EQ(full.database, 3);
  EXPECT_EQ(to_string(full), "rediss://[2001:db8::1]:7000/3");

  EXPECT_EQ(url_of("redis://secret@h/").password, "secret");
  EXPECT_EQ(url_of("redis://:a@b@h").password, "a@b");
}

TEST(RedisUrl, Sentinels) {
  const RedisUrl url = url_of("sentinel://pw@a,b:27000,[::1]/drip-master/2");
  EXPECT_THAT(url.endpoints, ElementsAre(RedisEndpoint{"a", 26379}, RedisEndpoint{"b", 27000},
                                         RedisEndpoint{"::1", 26379}));
  EXPECT_EQ(url.master_name, "drip-master");
  EXPECT_EQ(url.password, "pw");
  EXPECT_EQ(url.database, 2);
  EXPECT_TRUE(url_of("sentinels://a/m").tls);
  EXPECT_EQ(to_string(url), "sentinel://a:26379,b:27000,[::1]:26379/drip-master/2");
}

TEST(RedisUrl, UnixSocket) {
  const RedisUrl url = url_of("unix://me:pw@/run/redis@1/redis.sock?db=1");
  EXPECT_EQ(url.unix_path, "/run/redis@1/redis.sock");
  EXPECT_EQ(url.user, "me");
  EXPECT_EQ(url.database, 1);
  EXPECT_EQ(to_string(url), "unix:///run/redis@1/redis.sock");
}

TEST(RedisUrl, RefusalsNameThePart) {
  EXPECT_THAT(refusal_of("localhost:6379"), HasSubstr("scheme"));
  EXPECT_THAT(refusal_of("http://h"), HasSubstr("\"http\" is not allowed: redis://"));
  EXPECT_THAT(refusal_of("redis://"), HasSubstr("host"));
  EXPECT_THAT(refusal_of("redis://h:0"), HasSubstr("port: \"0\" is not allowed: 1 to 65535"));
  EXPECT_THAT(refusal_of("redis://h:65536"), HasSubstr("port"));
  EXPECT_THAT(refusal_of("redis://h:"), HasSubstr("port"));
  EXPECT_THAT(refusal_of("redis://h:6a"), HasSubstr("port"));
  EXPECT_THAT(refusal_of("redis://::1"), HasSubstr("brackets"));
  EXPECT_THAT(refusal_of("redis://[::1"), HasSubstr("']'"));
  EXPECT_THAT(refusal_of("redis://h/x"), HasSubstr("database: \"x\" is not allowed: 0 to 16383"));
  EXPECT_THAT(refusal_of("redis://a,b"), HasSubstr("sentinel://"));
  EXPECT_THAT(refusal_of("sentinel://a,b"), HasSubstr("NAME"));
  EXPECT_THAT(refusal_of("sentinel://a,,b/m"), HasSubstr("host"));
  EXPECT_THAT(refusal_of("unix://relative"), HasSubstr("absolute path"));
  EXPECT_THAT(refusal_of("unix:///a?x=1"), HasSubstr("?db=DATABASE"));
  EXPECT_THAT(refusal_of("redis://%zz@h"), HasSubstr("hexadecimal"));
}

TEST(RedisUrl, NoRefusalShowsAPassword) {
  for (const char* const text : {"redis://u:hush@h:0", "redis://u:hu/hush@h", "redis://hush%@h",
                                 "sentinel://hush@a/", "redis://hush@h/x", "hush@h"}) {
    EXPECT_THAT(refusal_of(text), Not(HasSubstr("hush"))) << text;
  }
}

}  // namespace
}  // namespace drip::cluster
