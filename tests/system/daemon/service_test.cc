// SPDX-License-Identifier: BSD-3-Clause
// What a running dripd answers: health, reflection, a bulk of buckets, and many clients at once.
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "support/client.h"
#include "support/dripd_process.h"
#include "support/wait_until.h"

namespace drip {
namespace {

using Limiter = v1::RateLimiterService::Stub;
using Shaper = v1::ShaperService::Stub;

grpc::ByteBuffer buffer_of(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

std::string bytes_of(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

// Debian has no headers of these services: one message there and one back, as bytes.
std::string first_reply(const Client& client, const std::string& method, const std::string& bytes) {
  grpc::GenericStub stub(client.channel());
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  const auto call = stub.PrepareCall(&context, method, &queue);
  bool ok = false;
  const auto wait = [&] {
    void* tag = nullptr;
    return queue.Next(&tag, &ok) && ok;
  };
  std::string text;
  grpc::ByteBuffer reply;
  call->StartCall(nullptr);
  if (wait()) {
    call->WriteLast(buffer_of(bytes), {}, nullptr);
    if (wait()) {
      call->Read(&reply, nullptr);
      if (wait()) text = bytes_of(reply);
    }
  }
  context.TryCancel();
  grpc::Status status;
  call->Finish(&status, nullptr);
  wait();
  queue.Shutdown();
  return text;
}

TEST(Service, HealthAnswers) {
  ServingDripd dripd;
  const Client client(dripd.address());
  // HealthCheckResponse { status: SERVING }
  EXPECT_EQ(first_reply(client, "/grpc.health.v1.Health/Check", ""), "\x08\x01");
}

TEST(Service, ReflectionListsTheServices) {
  ServingDripd dripd;
  const Client client(dripd.address());
  // ServerReflectionRequest { list_services: "*" }
  const std::string list = first_reply(
      client, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", "\x3a\x01*");
  for (const char* service :
       {"drip.v1.RateLimiterService", "drip.v1.ShaperService", "grpc.health.v1.Health"}) {
    EXPECT_NE(list.find(service), std::string::npos) << service;
  }
}

v1::ConfigureBucketsRequest many_buckets(int count, std::uint64_t capacity) {
  v1::ConfigureBucketsRequest request;
  for (int i = 0; i < count; ++i) {
    v1::BucketConfig& bucket = *request.add_buckets();
    bucket.set_bucket_id("bulk-" + std::to_string(i));
    bucket.set_capacity(capacity);
    bucket.set_leak_rate(1);
  }
  return request;
}

TEST(Service, ABulkOf5000BucketsIsAllOrNothing) {
  constexpr int kBuckets = 5000;
  ServingDripd dripd;
  Client client(dripd.address());
  const auto total = [&] {
    return client.call(&Shaper::ListBuckets, std::string("page_size: 1")).total_buckets();
  };
  v1::ConfigureBucketsResponse reply;

  v1::ConfigureBucketsRequest bad = many_buckets(kBuckets, 10);
  bad.mutable_buckets(kBuckets - 1)->set_leak_rate(-1);
  grpc::Status status = client.status_of(&Shaper::ConfigureBuckets, bad, reply);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message().find("buckets[4999].leak_rate: -1 is not allowed"), 0U)
      << status.error_message();
  EXPECT_EQ(total(), 0U);

  reply = client.call(&Shaper::ConfigureBuckets, many_buckets(kBuckets, 10));
  EXPECT_EQ(reply.created(), 5000U);
  EXPECT_EQ(total(), 5000U);

  // More memory than the node has: none of them grows.
  status = client.status_of(&Shaper::ConfigureBuckets, many_buckets(kBuckets, 1 << 20), reply);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(client.bucket("bulk-0").capacity(), 10U);
  EXPECT_EQ(client.bucket("bulk-4999").capacity(), 10U);

  reply = client.call(&Shaper::ConfigureBuckets, many_buckets(kBuckets, 20));
  EXPECT_EQ(reply.changed(), 5000U);
  EXPECT_EQ(client.bucket("bulk-4999").capacity(), 20U);
}

// Each admitted request leaves exactly once, whoever asked for it and whatever was done meanwhile.
TEST(Service, TheCountsOfEightClientsAddUp) {
  constexpr int kClients = 8;
  constexpr int kRequests = 400;
  ServingDripd dripd;
  Client control(dripd.address());
  control.configure("shared", 200, 1000);

  std::atomic<std::uint64_t> allowed{0};
  std::atomic<std::uint64_t> rejected{0};
  std::atomic<std::uint64_t> turns{0};
  const auto one_client = [&](int number) {
    Client client(dripd.address());
    for (int i = 0; i < kRequests; ++i) {
      bool admitted = false;
      // A client in four waits for the turn of some.
      if (number % 4 == 0 && i % 20 == 0) {
        const auto reply = client.call(&Limiter::AwaitTurn, std::string("bucket_id: 'shared'"));
        admitted = reply.allowed();
        if (admitted && !reply.dropped()) ++turns;
      } else {
        admitted = client.allow("shared").allowed();
      }
      ++(admitted ? allowed : rejected);
    }
  };
  std::vector<std::thread> clients;
  for (int number = 0; number < kClients; ++number) clients.emplace_back(one_client, number);
  for (const double rate : {3000.0, 500.0, 2000.0}) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    control.configure("shared", 200, rate);
    const v1::Bucket bucket = control.bucket("shared");
    EXPECT_EQ(bucket.total_requests(), bucket.allowed_requests() + bucket.rejected_requests());
  }
  for (std::thread& client : clients) client.join();

  const v1::Bucket at_end = control.bucket("shared");
  EXPECT_EQ(at_end.total_requests(), std::uint64_t{kClients} * kRequests);
  EXPECT_EQ(at_end.allowed_requests(), allowed.load());
  EXPECT_EQ(at_end.rejected_requests(), rejected.load());
  EXPECT_EQ(at_end.allowed_requests(),
            at_end.processed_requests() + at_end.dropped_requests() + at_end.queue_size());
  EXPECT_GT(turns.load(), 0U);

  control.configure("shared", 200, 100'000);
  v1::Bucket drained;
  EXPECT_TRUE(wait_until([&] {
    drained = control.bucket("shared");
    return drained.queue_size() == 0;
  }));
  EXPECT_EQ(drained.processed_requests(), allowed.load());
  EXPECT_EQ(drained.queue_size(), 0U);
  EXPECT_EQ(drained.dropped_requests(), 0U);
  EXPECT_EQ(
      control.call(&Limiter::GetQueuedRequests, std::string("bucket_id: 'shared'")).requests_size(),
      0);
}

// Streams and single calls into the same buckets of a polling thread that sleeps and wakes.
TEST(DaemonService, StreamsOfRequestsAddUp) {
  ServingDripd dripd;
  Client control(dripd.address());
  constexpr int kStreams = 3;
  constexpr int kMessages = 200;
  constexpr int kEntries = 100;
  for (int i = 0; i < 4; ++i) control.configure("b" + std::to_string(i), 5000, 20'000);
  std::atomic<std::uint64_t> admitted{0};
  std::atomic<std::uint64_t> single{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kStreams; ++caller) {
    callers.emplace_back([&, caller] {
      const Client client(dripd.address());
      Limiter limiter(client.channel());
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
      const auto stream = limiter.AllowRequests(&context);
      std::thread writer([&] {
        for (int message = 0; message < kMessages; ++message) {
          v1::AllowRequestsRequest request;
          for (int i = 0; i < kEntries; ++i) {
            v1::AllowRequestsEntry& entry = *request.add_entries();
            entry.set_bucket_id("b" + std::to_string(i % 4));
            if (i % 5 == 0) {
              entry.set_request_id(std::to_string((caller * kMessages + message) * kEntries + i));
            } else {
              entry.set_count(static_cast<std::uint32_t>(i % 3 + 1));
            }
          }
          if (!stream->Write(request)) break;
        }
        stream->WritesDone();
      });
      v1::AllowRequestsResponse response;
      int messages = 0;
      for (; stream->Read(&response); ++messages) {
        EXPECT_EQ(response.results_size(), kEntries);
        for (const v1::AllowRequestsResult& result : response.results()) {
          EXPECT_EQ(result.code(), 0) << result.error();
          admitted += result.admitted();
        }
      }
      writer.join();
      EXPECT_EQ(messages, kMessages);
      EXPECT_TRUE(stream->Finish().ok());
    });
  }
  callers.emplace_back([&] {
    Client client(dripd.address());
    for (int i = 0; i < 2000; ++i) single += client.allow("b1").allowed() ? 1 : 0;
  });
  for (std::thread& caller : callers) caller.join();
  std::uint64_t allowed = 0;
  for (int i = 0; i < 4; ++i) {
    const std::string id = "b" + std::to_string(i);
    v1::Bucket bucket;
    EXPECT_TRUE(wait_until([&] {
      bucket = control.bucket(id);
      return bucket.queue_size() == 0;
    }));
    allowed += bucket.allowed_requests();
    EXPECT_EQ(bucket.processed_requests(), bucket.allowed_requests()) << id;
  }
  EXPECT_EQ(allowed, admitted.load() + single.load());
}

}  // namespace
}  // namespace drip
