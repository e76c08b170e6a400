// SPDX-License-Identifier: BSD-3-Clause
// The link against a real redis-server: commands, scripts, deadlines, reconnecting, TLS.
#include "cluster/redis/redis_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <chrono>
#include <thread>

#include "cluster/membership/server_check.h"
#include "cluster/redis_options.h"
#include "support/redis_server.h"
#include "support/temporary_directory.h"
#include "support/wait_until.h"

namespace drip::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasSubstr;

std::string text_of(const absl::StatusOr<RedisReply>& reply) {
  if (!reply.ok()) return std::string(reply.status().message());
  return reply->text() == nullptr ? "(not a text)" : *reply->text();
}

// Tries, through the backoff, until it is connected again.
void reconnect(RedisLink& link) {
  ASSERT_TRUE(wait_until([&] { return link.connect().ok(); })) << link.connect();
}

TEST(RedisLink, CommandsAndTheirReplies) {
  RedisServer redis;
  RedisLink link(options_of(redis.url()));
  EXPECT_FALSE(link.connected());
  EXPECT_EQ(text_of(link.command({"SET", "a", std::string("x\0\r\ny", 5)})), "OK");
  EXPECT_EQ(text_of(link.command({"GET", "a"})), std::string("x\0\r\ny", 5));
  EXPECT_TRUE(link.command({"GET", "none"})->is_nil());
  EXPECT_EQ(*link.command({"INCR", "n"})->integer(), 1);
  ASSERT_TRUE(link.command({"RPUSH", "l", "1", "2"}).ok());
  EXPECT_EQ(link.command({"LRANGE", "l", "0", "-1"})->array()->size(), 2U);
  const auto refused = link.command({"INCR", "a"});
  EXPECT_TRUE(absl::IsInternal(refused.status())) << refused.status();
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("not an integer"));
  EXPECT_TRUE(link.connected()) << "an error reply is no failure of the connection";
  EXPECT_EQ(link.connections(), 1U);
  EXPECT_EQ(link.peer(), redis.address());
}

TEST(RedisLink, APipelineAnswersInOrder) {
  RedisServer redis;
  RedisLink link(options_of(redis.url()));
  std::vector<RedisCommand> commands;
  for (int i = 0; i < 5000; ++i) commands.push_back({"INCRBY", "n", "2"});
  commands[1000] = {"INCRBY", "n", "x"};
  const auto replies = link.pipeline(commands, deadline_in(std::chrono::seconds(10)));
  ASSERT_TRUE(replies.ok()) << replies.status();
  ASSERT_EQ(replies->size(), commands.size());
  EXPECT_EQ(*replies->front().integer(), 2);
  EXPECT_NE((*replies)[1000].error(), nullptr);
  EXPECT_EQ(*replies->back().integer(), 9998);
}

TEST(RedisLink, ALargeReplyArrivesWhole) {
  RedisServer redis;
  RedisLink link(options_of(redis.url()));
  const std::string large(5'000'000, 'x');
  const auto patience = [] { return deadline_in(std::chrono::seconds(10)); };
  ASSERT_TRUE(link.command({"SET", "a", large}, patience()).ok());
  EXPECT_EQ(text_of(link.command({"GET", "a"}, patience())), large);
}

TEST(RedisLink, ScriptsAreLoadedWhereTheyAreNotKnown) {
  RedisServer redis;
  RedisLink link(options_of(redis.url()));
  const RedisScript add("return redis.call('INCRBY', KEYS[1], ARGV[1])");
  EXPECT_EQ(*link.script(add, {"n"}, {"2"})->integer(), 2);
  EXPECT_EQ(*link.script(add, {"n"}, {"3"})->integer(), 5);
  EXPECT_THAT(redis.cli({"SCRIPT", "EXISTS", add.sha1()}), HasSubstr("1"));
  redis.cli({"SCRIPT", "FLUSH"});
  EXPECT_EQ(*link.script(add, {"n"}, {"1"})->integer(), 6);

  const RedisScript read("return redis.call('GET', KEYS[1])");
  const std::vector<ScriptCall> calls = {
      {&read, {"n"}, {}}, {&add, {"n"}, {"4"}}, {&read, {"n"}, {}}, {&add, {"n"}, {"x"}}};
  // What it does not know runs after what it knows, so load both first.
  ASSERT_TRUE(link.scripts(calls).ok());
  const auto replies = link.scripts(calls);
  ASSERT_TRUE(replies.ok()) << replies.status();
  EXPECT_EQ(*(*replies)[0].text(), "10");
  EXPECT_EQ(*(*replies)[1].integer(), 14);
  EXPECT_EQ(*(*replies)[2].text(), "14");
  EXPECT_NE((*replies)[3].error(), nullptr);
}

TEST(RedisLink, AFenceIsAFailedPrecondition) {
  RedisServer redis;
  RedisLink link(options_of(redis.url()));
  const RedisScript fence("return redis.error_reply('FENCED epoch 3 is behind 4')");
  const auto reply = link.script(fence, {}, {});
  EXPECT_TRUE(absl::IsFailedPrecondition(reply.status())) << reply.status();
  EXPECT_THAT(std::string(reply.status().message()), HasSubstr("epoch 3 is behind 4"));
}

TEST(RedisLink, AServerThatIsStoppedCostsTheDeadlineAndNoMore) {
  RedisServer redis;
  RedisOptions options = options_of(redis.url());
  options.command_timeout = milliseconds(200);
  options.connect_timeout = milliseconds(300);
  RedisLink link(options);
  ASSERT_TRUE(link.command({"PING"}).ok());
  redis.pause();
  auto begin = steady_clock::now();
  EXPECT_TRUE(absl::IsDeadlineExceeded(link.command({"SET", "a", "1"}).status()));
  EXPECT_GE(steady_clock::now() - begin, milliseconds(200));
  EXPECT_FALSE(link.connected()) << "a reply that comes late would be taken for another's";
  // In the backoff it does not even try.
  EXPECT_TRUE(absl::IsUnavailable(link.command({"PING"}).status()));
  std::this_thread::sleep_until(link.next_attempt());
  // Its kernel takes the connection; PING finds out.
  EXPECT_TRUE(absl::IsDeadlineExceeded(link.connect()));
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(10));
  redis.resume();
  reconnect(link);
  EXPECT_EQ(text_of(link.command({"PING"})), "PONG");
  EXPECT_EQ(link.connections(), 2U);
}

TEST(RedisLink, AServerThatDiedIsConnectedAgain) {
  RedisServer redis;
  RedisLink link(options_of(redis.url()));
  ASSERT_TRUE(link.command({"PING"}).ok());
  redis.kill();
  EXPECT_TRUE(absl::IsUnavailable(link.command({"PING"}).status()));
  std::this_thread::sleep_until(link.next_attempt());
  const absl::Status refused = link.connect();
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr(redis.address()));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("Connection refused"));
  redis.start();
  reconnect(link);
  EXPECT_EQ(text_of(link.command({"PING"})), "PONG");
}

TEST(RedisLink, TheBackoffGrowsToItsBoundAndASuccessEndsIt) {
  RedisOptions options = options_of("redis://127.0.0.1:" + std::to_string(free_port()));
  options.least_backoff = milliseconds(10);
  options.most_backoff = milliseconds(40);
  RedisLink link(options);
  for (const int most : {10, 20, 40, 40, 40}) {
    const auto begin = steady_clock::now();
    EXPECT_FALSE(link.connect().ok());
    // From the end of the attempt, which lies between these two readings.
    EXPECT_LE(link.next_attempt(), steady_clock::now() + milliseconds(most));
    EXPECT_GE(link.next_attempt(), begin + milliseconds(most / 2));
    std::this_thread::sleep_until(link.next_attempt());
  }
  link.disconnect();
  EXPECT_LE(link.next_attempt(), steady_clock::now());
}

TEST(RedisLink, PasswordsAndUsers) {
  RedisServer redis({"--requirepass", "secret", "--user", "drip", "on", ">pw", "~drip:*", "+ping"});
  const auto connect = [&](const std::string& credentials) {
    return RedisLink(options_of("redis://" + credentials + redis.address())).connect();
  };
  EXPECT_TRUE(connect("secret@").ok());
  EXPECT_TRUE(connect("default:secret@").ok());
  EXPECT_TRUE(connect("drip:pw@").ok()) << "it may not set its name, and need not";
  EXPECT_TRUE(absl::IsUnauthenticated(connect("")));
  EXPECT_TRUE(absl::IsUnauthenticated(connect("wrong@")));
  EXPECT_TRUE(absl::IsUnauthenticated(connect("nobody:pw@")));
  RedisLink limited(options_of("redis://drip:pw@" + redis.address()));
  EXPECT_TRUE(absl::IsPermissionDenied(limited.command({"GET", "a"}).status()));
}

TEST(RedisLink, DatabaseAndUnixSocket) {
  RedisServer redis;
  RedisLink other(options_of(redis.url() + "/3"));
  ASSERT_TRUE(other.command({"SET", "a", "three"}).ok());
  RedisLink link(options_of("unix://" + redis.socket_path() + "?db=3"));
  EXPECT_EQ(text_of(link.command({"GET", "a"})), "three");
  RedisLink zero(options_of("unix://" + redis.socket_path()));
  EXPECT_TRUE(zero.command({"GET", "a"})->is_nil());
}

TEST(RedisLink, Tls) {
  TemporaryDirectory directory;
  const TestCertificate ours = make_certificate(directory, "ours");
  const TestCertificate other = make_certificate(directory, "other");
  RedisServer redis({"--tls-auth-clients", "no"}, &ours);
  const auto connect = [&](const std::string& url, const TlsFiles& files) {
    RedisOptions options = options_of(url);
    options.tls = files;
    RedisLink link(options);
    if (auto status = link.connect(); !status.ok()) return status;
    const std::string large(200'000, 'x');
    const auto patience = [] { return deadline_in(std::chrono::seconds(10)); };
    EXPECT_TRUE(link.command({"SET", "a", large}, patience()).ok());
    EXPECT_EQ(text_of(link.command({"GET", "a"}, patience())), large);
    return absl::OkStatus();
  };
  const std::string url = "rediss://" + redis.address();
  EXPECT_TRUE(connect(url, {ours.cert, "", ""}).ok()) << connect(url, {ours.cert, "", ""});
  const absl::Status unknown = connect(url, {other.cert, "", ""});
  EXPECT_TRUE(absl::IsUnauthenticated(unknown)) << unknown;
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("certificate"));
  EXPECT_TRUE(absl::IsUnauthenticated(connect(url, {})));
  // The certificate is for 127.0.0.1, not for another address of loopback.
  const absl::Status file = connect(url, {directory.path_of("none.pem"), "", ""});
  EXPECT_TRUE(absl::IsInvalidArgument(file)) << file;
  EXPECT_THAT(std::string(file.message()), HasSubstr("none.pem"));
  // Plain text to a port that speaks TLS.
  EXPECT_FALSE(connect("redis://" + redis.address(), {}).ok());
}

TEST(RedisLink, TlsByTheNameOfTheHost) {
  // A bare machine may have no /etc/hosts.
  addrinfo* found = nullptr;
  if (getaddrinfo("localhost", nullptr, nullptr, &found) != 0) {
    GTEST_SKIP() << "\"localhost\" has no address here (/etc/hosts)";
  }
  freeaddrinfo(found);
  TemporaryDirectory directory;
  const TestCertificate ours = make_certificate(directory, "ours");
  RedisServer redis({"--tls-auth-clients", "no"}, &ours);
  RedisOptions options = options_of("rediss://localhost:" + std::to_string(redis.port()));
  options.tls = {ours.cert, "", ""};
  RedisLink link(options);
  EXPECT_TRUE(link.connect().ok()) << link.connect();
}

TEST(RedisLink, TlsForAnotherHostIsRefused) {
  TemporaryDirectory directory;
  const TestCertificate ours = make_certificate(directory, "ours");
  RedisServer redis({"--tls-auth-clients", "no", "--bind", "127.0.0.1", "127.0.0.2"}, &ours);
  RedisOptions options = options_of("rediss://127.0.0.2:" + std::to_string(redis.port()));
  options.tls.ca = ours.cert;
  const absl::Status status = RedisLink(options).connect();
  EXPECT_TRUE(absl::IsUnauthenticated(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("IP address mismatch"));
}

TEST(RedisLink, TlsWithACertificateOfOurOwn) {
  TemporaryDirectory directory;
  const TestCertificate ours = make_certificate(directory, "ours");
  RedisServer redis({"--tls-auth-clients", "yes"}, &ours);
  RedisOptions options = options_of("rediss://" + redis.address());
  options.tls = {ours.cert, "", ""};
  EXPECT_TRUE(absl::IsUnauthenticated(RedisLink(options).connect()))
      << RedisLink(options).connect();
  options.tls = {ours.cert, ours.cert, ours.key};
  EXPECT_TRUE(RedisLink(options).connect().ok()) << RedisLink(options).connect();
}

TEST(RedisLink, ReadsThePasswordFileForEachConnection) {
  RedisServer redis({"--requirepass", "old"});
  const TemporaryDirectory directory;
  RedisOptions options = options_of(redis.url());
  options.password_file = directory.write("password", "old\n");
  RedisLink link(options);
  ASSERT_TRUE(link.connect().ok()) << link.connect();
  ASSERT_TRUE(link.command({"CONFIG", "SET", "requirepass", "new"}).ok());
  link.disconnect();
  EXPECT_TRUE(absl::IsUnauthenticated(link.connect()));
  directory.write("password", "new\n");
  reconnect(link);
}

TEST(RedisLink, ARedisClusterIsRefusedWithASentence) {
  RedisServer redis({"--cluster-enabled", "yes"});
  RedisLink link(options_of(redis.url()));
  const absl::Status status = link.connect();
  EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("a Redis Cluster (cluster-enabled yes)"));
}

TEST(RedisLink, KnowsTheVersionOfItsServer) {
  RedisServer redis;
  RedisLink link(options_of(redis.url()));
  ASSERT_TRUE(link.connect().ok());
  EXPECT_THAT(redis.cli({"INFO", "server"}), HasSubstr("redis_version:" + link.server_version()));
}

TEST(ServerCheck, KnowsVersionsThatAreTooOld) {
  for (const char* const old : {"6.1.9", "6.0.16", "5.0.14", "2.8", "0.0"}) {
    EXPECT_TRUE(is_too_old(old)) << old;
  }
  for (const char* const good : {"6.2.0", "6.2", "6.10.1", "7.0.15", "10.0", "", "unknown"}) {
    EXPECT_FALSE(is_too_old(good)) << good;
  }
}

TEST(RedisLink, WhatIsNoRedisIsFoundOut) {
  RedisServer redis({"--protected-mode", "no"});
  // A port that speaks TLS answers plain text with an alert.
  TemporaryDirectory directory;
  const TestCertificate ours = make_certificate(directory, "ours");
  RedisServer tls({"--tls-auth-clients", "no"}, &ours);
  RedisOptions options = options_of("rediss://" + redis.address());
  options.tls.ca = ours.cert;
  const absl::Status plain = RedisLink(options).connect();
  EXPECT_FALSE(plain.ok());
  EXPECT_FALSE(RedisLink(options_of("redis://" + tls.address())).connect().ok());
}

}  // namespace
}  // namespace drip::cluster
