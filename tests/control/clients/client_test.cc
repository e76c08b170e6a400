// SPDX-License-Identifier: BSD-3-Clause
// What one client may use, and how clients are told apart.
#include "control/rpc/clients/client.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "control/rpc/clients/client_table.h"

namespace drip::control {
namespace {

TimePoint at_ms(std::uint64_t ms) { return {1'000'000'000'000 + ms * 1'000'000}; }

std::string message_of(const absl::Status& status) { return std::string(status.message()); }

TEST(Client, MakesItsCallsASecondAndNotMore) {
  ClientLimits limits;
  limits.calls_per_second = 10;
  Client client("token \"ci\"", limits);
  // It has paused: a second's worth at once.
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(client.begin_call(at_ms(0)).ok()) << i;
  const absl::Status refused = client.begin_call(at_ms(0));
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(message_of(refused),
            "calls_per_second: token \"ci\" makes more than 10 calls a second, as many as one "
            "client may; one call of AllowRequests or AwaitTurns carries many requests");
  // Then one every 100 ms: what is refused is not counted.
  int made = 0;
  for (std::uint64_t ms = 1; ms <= 5000; ++ms) made += client.begin_call(at_ms(ms)).ok() ? 1 : 0;
  EXPECT_EQ(made, 50);
}

TEST(Client, WithoutALimitMakesAnyNumberOfCalls) {
  const ClientLimits limits;
  Client client("10.0.0.1", limits);
  for (int i = 0; i < 100'000; ++i) ASSERT_TRUE(client.begin_call(at_ms(0)).ok());
}

TEST(Client, ThreadsTogetherMakeNoMoreCalls) {
  ClientLimits limits;
  limits.calls_per_second = 1000;
  Client client("10.0.0.1", limits);
  std::atomic<int> made{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) made += client.begin_call(at_ms(0)).ok() ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(made, 1000);
}

TEST(Client, HasSoMuchAndNotMore) {
  ClientLimits limits;
  limits.most = {2, 3, 0};
  const auto client = std::make_shared<Client>("10.0.0.1", limits);
  {
    ClientShare waiting(client, ClientUse::kWaitingRequests);
    EXPECT_TRUE(waiting.resize(2).ok());
    ClientShare more(client, ClientUse::kWaitingRequests);
    const absl::Status refused = more.resize(2);
    EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(message_of(refused),
              "waiting_requests: 10.0.0.1 has 2 requests that wait for their turn and wants 2 "
              "more; one client may have 3");
    EXPECT_EQ(client->used(ClientUse::kWaitingRequests), 2U);
    EXPECT_TRUE(more.resize(1).ok());
    EXPECT_TRUE(waiting.resize(1).ok());
    EXPECT_TRUE(more.resize(2).ok());
    // Others have limits of their own, or none.
    ClientShare calls(client, ClientUse::kOpenCalls);
    EXPECT_TRUE(calls.resize(2).ok());
    EXPECT_FALSE(calls.resize(3).ok());
    ClientShare watched(client, ClientUse::kWatchedBuckets);
    EXPECT_TRUE(watched.resize(1'000'000'000).ok());
    EXPECT_FALSE(client->idle(at_ms(0)));
  }
  EXPECT_EQ(client->used(ClientUse::kWaitingRequests), 0U);
  EXPECT_TRUE(client->idle(at_ms(0)));
}

TEST(Client, AShareThatMovesIsGivenBackOnce) {
  const ClientLimits limits;
  const auto client = std::make_shared<Client>("10.0.0.1", limits);
  {
    ClientShare one(client, ClientUse::kOpenCalls);
    ASSERT_TRUE(one.resize(5).ok());
    const ClientShare other(std::move(one));
    EXPECT_EQ(client->used(ClientUse::kOpenCalls), 5U);
  }
  EXPECT_EQ(client->used(ClientUse::kOpenCalls), 0U);
}

TEST(ClientTable, OneNameIsOneClient) {
  ClientTable table({});
  const ClientRef one = table.find("token \"a\"", at_ms(0));
  EXPECT_EQ(table.find("token \"a\"", at_ms(1)), one);
  EXPECT_NE(table.find("token \"b\"", at_ms(1)), one);
  EXPECT_EQ(table.size(), 2U);
}

TEST(ClientTable, ForgetsClientsThatHaveNothingAndNoOthers) {
  ClientLimits limits;
  limits.calls_per_second = 1;
  ClientTable table(limits);
  const auto use = [&](std::size_t i, std::uint64_t ms) {
    return table.find(std::to_string(i), at_ms(ms));
  };
  const ClientRef kept = use(0, 0);
  for (std::size_t i = 1; i < ClientTable::kMost; ++i) {
    (void)use(i, 0)->begin_call(at_ms(i < 100 ? 5000 : 0));
  }
  // Of those who made a call a second ago nothing is lost; the others may not begin anew.
  const ClientRef more = use(ClientTable::kMost, 5500);
  EXPECT_EQ(table.size(), 101U);
  EXPECT_EQ(use(0, 5500), kept);
  EXPECT_FALSE(use(99, 5500)->begin_call(at_ms(5500)).ok());
  EXPECT_TRUE(use(100, 5500)->begin_call(at_ms(5500)).ok());
}

TEST(ClientTable, BeyondTheMostAllOthersAreOne) {
  ClientTable table({});
  std::vector<ClientRef> clients;
  for (std::size_t i = 0; i < ClientTable::kMost; ++i) {
    clients.push_back(table.find(std::to_string(i), at_ms(0)));
  }
  const ClientRef others = table.find("more", at_ms(0));
  EXPECT_EQ(table.find("still more", at_ms(0)), others);
  EXPECT_EQ(table.find("7", at_ms(0)), clients[7]);
  clients.resize(10);
  EXPECT_NE(table.find("more", at_ms(0)), others);
}

TEST(AddressOf, IsWithoutThePort) {
  EXPECT_EQ(address_of("ipv4:10.0.0.7:41234"), "10.0.0.7");
  EXPECT_EQ(address_of("ipv6:[2001:db8::1]:41234"), "[2001:db8::1]");
  EXPECT_EQ(address_of("ipv6:%5B2001:db8::1%5D:41234"), "[2001:db8::1]");
  EXPECT_EQ(address_of("ipv6:%5Bfe80::1%25eth0%5D:9"), "[fe80::1%eth0]");
  EXPECT_EQ(address_of("unix:"), "this machine");
  EXPECT_EQ(address_of("unix:/run/drip/dripd.sock"), "this machine");
  EXPECT_EQ(address_of("odd"), "odd");
}

}  // namespace
}  // namespace drip::control
