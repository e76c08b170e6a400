// SPDX-License-Identifier: BSD-3-Clause
// How dripd ends: it drains within its bound, and says what it dropped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "support/client.h"
#include "support/dripd_process.h"
#include "support/wait_until.h"

namespace drip {
namespace {

using std::chrono::steady_clock;
using testing::HasSubstr;
using Limiter = v1::RateLimiterService::Stub;

TEST(Stop, AnEmptyNodeStopsAtOnce) {
  for (const int signal : {SIGTERM, SIGINT}) {
    ServingDripd dripd({"--drain", "60s"});
    Client(dripd.address()).configure("a", 10, 1);
    const auto begin = steady_clock::now();
    dripd->signal(signal);
    const Outcome outcome = dripd->wait();
    EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(10));
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_THAT(outcome.err, HasSubstr("stopped; 0 units that still waited were dropped"));
  }
}

TEST(Stop, WhatWaitsLeaksWithinTheBound) {
  ServingDripd dripd({"--drain", "60s"});
  Client client(dripd.address());
  client.configure("a", 100, 50);
  for (int i = 0; i < 25; ++i) client.allow("a");
  const auto begin = steady_clock::now();
  const Outcome outcome = dripd->stop();
  EXPECT_GT(steady_clock::now() - begin, std::chrono::milliseconds(250)) << "it let them leak";
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("stopped; 0 units that still waited were dropped"));
}

TEST(Stop, WhatDoesNotIsDroppedAndCounted) {
  ServingDripd dripd({"--drain", "300ms"});
  Client client(dripd.address());
  client.configure("slow", 100, 0.01);
  for (int i = 0; i < 37; ++i) client.allow("slow");
  const auto begin = steady_clock::now();
  const Outcome outcome = dripd->stop();
  const auto took = steady_clock::now() - begin;
  EXPECT_GE(took, std::chrono::milliseconds(300));
  // The bound, then up to 2 s in which calls may end.
  EXPECT_LT(took, std::chrono::seconds(10));
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("draining for up to 300 ms"));
  EXPECT_THAT(outcome.err, HasSubstr("stopped; 37 units that still waited were dropped"));
}

TEST(Stop, ADrainingNodeTakesNothingNewAndEndsThoseWhoWait) {
  ServingDripd dripd({"--drain", "2s"});
  Client client(dripd.address());
  client.configure("slow", 100, 0.1);
  v1::AwaitTurnRequest request;
  request.set_bucket_id("slow");
  grpc::Status awaited;
  std::thread waiter([&] {
    v1::AwaitTurnResponse reply;
    awaited = client.status_of(&Limiter::AwaitTurn, request, reply);
  });
  EXPECT_TRUE(wait_until([&] { return client.bucket("slow").queue_size() > 0; }));
  dripd->signal(SIGTERM);
  dripd->logs("draining");
  v1::AllowRequestResponse reply;
  // The log line is a moment before the buckets learn of it.
  do {
    reply = client.allow("slow");
  } while (reply.allowed());
  EXPECT_EQ(reply.reason(), v1::REJECT_REASON_DRAINING);
  waiter.join();
  EXPECT_EQ(awaited.error_code(), grpc::StatusCode::UNAVAILABLE) << awaited.error_message();
  EXPECT_EQ(dripd->wait().exit_code, 0);
}

}  // namespace
}  // namespace drip
