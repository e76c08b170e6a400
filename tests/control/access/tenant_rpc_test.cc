// SPDX-License-Identifier: BSD-3-Clause
// Callers that are kept to buckets with a prefix see and change only these.
#include <gmock/gmock.h>

#include "access/methods.h"
#include "base/text.h"
#include "control/access/access_fixture.h"

namespace drip::control {
namespace {

using access::Role;
using grpc::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;

class TenantRpc : public AccessFixture {
 protected:
  void SetUp() override {
    start_with_tokens({{"admin", Role::kAdmin, ""}, {"acme", Role::kAdmin, "acme/"}});
    for (const char* const bucket :
         {"bucket_id: 'acme/a' leak_rate: 10 capacity: 5",
          "bucket_id: 'acme/b' leak_rate: 10 capacity: 5",
          "bucket_id: 'acmf' leak_rate: 10 capacity: 5",
          "bucket_id: 'other/a' leak_rate: 10 capacity: 5",
          "bucket_id: 'uplink' leak_rate: 100 inner: true",
          "bucket_id: 'acme/leaf' leak_rate: 10 capacity: 5 parent_id: 'uplink' weight: 2"}) {
      const grpc::Status status =
          admin_.emplace(client("admin")).call(&Limiter::ConfigureBucket, bucket);
      ASSERT_TRUE(status.ok()) << status.error_message();
    }
    acme_.emplace(client("acme"));
  }

  void refused(const grpc::Status& status, const std::string& begin) {
    EXPECT_EQ(status.error_code(), StatusCode::PERMISSION_DENIED) << status.error_message();
    EXPECT_THAT(status.error_message(), testing::StartsWith(begin));
  }
  std::vector<std::string> listed(const std::string& request) {
    v1::ListBucketsResponse reply;
    const grpc::Status status = acme_->call(&Shaper::ListBuckets, request, reply);
    EXPECT_TRUE(status.ok()) << status.error_message();
    total_ = reply.total_buckets();
    std::vector<std::string> ids;
    for (const v1::Bucket& bucket : reply.buckets()) ids.push_back(bucket.bucket_id());
    return ids;
  }

  std::optional<AccessClient> admin_, acme_;
  std::uint64_t total_ = 0;
};

TEST_F(TenantRpc, OthersBucketsAreRefusedWhetherTheyExistOrNot) {
  for (const char* const bucket : {"other/a", "other/none", "acmf"}) {
    const std::string id = joined("bucket_id: '", bucket, "'");
    const std::string begin =
        joined("bucket_id: \"", bucket,
               "\" is not allowed: token \"acme\" is kept to buckets that begin with \"acme/\"");
    refused(acme_->call(&Limiter::AllowRequest, id), begin);
    refused(acme_->call(&Limiter::AwaitTurn, id), begin);
    refused(acme_->call(&Limiter::GetBucketStatus, id), begin);
    refused(acme_->call(&Limiter::GetQueuedRequests, id), begin);
    refused(acme_->call(&Limiter::DeleteBucket, id), begin);
    refused(acme_->call(&Limiter::ConfigureBucket, id + " leak_rate: 1 capacity: 1"), begin);
    refused(acme_->call(&Shaper::ConfigureBuckets,
                        joined("buckets { bucket_id: 'acme/new' leak_rate: 1 capacity: 1 } "
                               "buckets { ",
                               id, " leak_rate: 1 capacity: 1 }")),
            joined("buckets[1].", begin));
    refused(acme_->call(&Shaper::ListBuckets, joined("filter { bucket_ids: '", bucket, "' }")),
            "filter.bucket_ids[0]: ");
  }
  EXPECT_THAT(listed("filter { id_prefix: 'acme/n' }"), ElementsAre()) << "all or nothing";
}

TEST_F(TenantRpc, OwnBucketsAreTheirs) {
  EXPECT_TRUE(
      acme_->call(&Limiter::ConfigureBucket, "bucket_id: 'acme/new' leak_rate: 1 capacity: 1")
          .ok());
  EXPECT_TRUE(acme_->call(&Limiter::AllowRequest, "bucket_id: 'acme/new'").ok());
  EXPECT_TRUE(acme_->call(&Limiter::GetBucketStatus, "bucket_id: 'acme/new'").ok());
  EXPECT_TRUE(
      acme_->call(&Limiter::DeleteBucket, "bucket_id: 'acme/new' mode: DELETE_MODE_DROP").ok());
  EXPECT_EQ(acme_->call(&Limiter::AllowRequest, "bucket_id: 'acme/new'").error_code(),
            StatusCode::NOT_FOUND);
}

TEST_F(TenantRpc, ListsHaveOnlyTheirs) {
  EXPECT_THAT(listed(""), ElementsAre("acme/a", "acme/b", "acme/leaf"));
  EXPECT_EQ(total_, 3U);
  EXPECT_THAT(listed("filter { id_prefix: 'a' }"), ElementsAre("acme/a", "acme/b", "acme/leaf"));
  EXPECT_THAT(listed("filter { id_prefix: 'acme/b' }"), ElementsAre("acme/b"));
  EXPECT_THAT(listed("filter { in_tree: true include_flows: true }"), ElementsAre("acme/leaf"));
  refused(acme_->call(&Shaper::ListBuckets, "filter { id_prefix: 'other' }"),
          "filter.id_prefix: \"other\" is not allowed");
}

TEST_F(TenantRpc, ATopHasOnlyTheirs) {
  grpc::ClientContext context;
  acme_->authorize(context);
  const auto stream = Shaper(acme_->channel()).WatchTop(&context);
  EXPECT_TRUE(stream->Write(message<v1::WatchTopRequest>("sort: TOP_SORT_ID")));
  v1::WatchTopResponse top;
  ASSERT_TRUE(stream->Read(&top));
  std::vector<std::string> ids;
  for (const v1::TopBucket& bucket : top.buckets()) ids.push_back(bucket.bucket_id());
  EXPECT_THAT(ids, ElementsAre("acme/a", "acme/b", "acme/leaf"));
  EXPECT_EQ(top.total_buckets(), 3U);
  context.TryCancel();
  (void)stream->Finish();
}

TEST_F(TenantRpc, OthersPacketsAreNotCaptured) {
  const auto begins = [&](const std::string& request) {
    grpc::ClientContext context;
    acme_->authorize(context);
    const auto stream =
        Shaper(acme_->channel()).Capture(&context, message<v1::CaptureRequest>(request));
    v1::CaptureResponse response;
    const bool begun = stream->Read(&response);
    if (begun) context.TryCancel();
    const grpc::Status status = stream->Finish();
    return begun ? grpc::Status::OK : status;
  };
  refused(begins("bucket_id: 'other/a'"), "bucket_id: \"other/a\" is not allowed");
  refused(begins("bucket_id: 'none'"), "bucket_id: \"none\" is not allowed");
  EXPECT_TRUE(begins("bucket_id: 'acme/a'").ok());
}

TEST_F(TenantRpc, WatchesHaveOnlyTheirs) {
  const auto watched = [&](const std::string& request, grpc::Status& status) {
    grpc::ClientContext context;
    acme_->authorize(context);
    const auto stream =
        Shaper(acme_->channel()).WatchBuckets(&context, message<v1::WatchBucketsRequest>(request));
    v1::WatchBucketsResponse states;
    std::vector<std::string> ids;
    if (stream->Read(&states)) context.TryCancel();
    for (const v1::Bucket& bucket : states.buckets()) ids.push_back(bucket.bucket_id());
    status = stream->Finish();
    return ids;
  };
  grpc::Status status;
  EXPECT_THAT(watched("", status), ElementsAre("acme/a", "acme/b", "acme/leaf"));
  EXPECT_THAT(watched("filter { bucket_ids: 'acme/b' }", status), ElementsAre("acme/b"));
  EXPECT_THAT(watched("filter { bucket_ids: 'other/a' }", status), ElementsAre());
  refused(status, "filter.bucket_ids[0]: ");
  EXPECT_THAT(watched("filter { id_prefix: 'o' }", status), ElementsAre());
  refused(status, "filter.id_prefix: ");
}

TEST_F(TenantRpc, EntriesOfStreamsAreCheckedOneByOne) {
  grpc::ClientContext context;
  acme_->authorize(context);
  const auto stream = Limiter(acme_->channel()).AllowRequests(&context);
  stream->Write(message<v1::AllowRequestsRequest>(
      "entries { bucket_id: 'acme/a' } entries { bucket_id: 'other/a' } entries { count: 2 } "
      "entries { bucket_id: 'acme/a' }"));
  v1::AllowRequestsResponse reply;
  ASSERT_TRUE(stream->Read(&reply));
  ASSERT_EQ(reply.results_size(), 4);
  EXPECT_EQ(reply.results(0).admitted(), 1U);
  for (const int i : {1, 2}) {
    EXPECT_EQ(reply.results(i).code(), StatusCode::PERMISSION_DENIED);
    EXPECT_EQ(reply.results(i).admitted(), 0U);
  }
  EXPECT_EQ(reply.results(3).admitted(), 1U);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());

  grpc::ClientContext turns;
  acme_->authorize(turns);
  const auto await = Limiter(acme_->channel()).AwaitTurns(&turns);
  await->Write(message<v1::AwaitTurnsRequest>("entries { bucket_id: 'other/a' tag: 7 }"));
  v1::AwaitTurnsResponse turn;
  ASSERT_TRUE(await->Read(&turn));
  EXPECT_EQ(turn.results(0).tag(), 7U);
  EXPECT_EQ(turn.results(0).code(), StatusCode::PERMISSION_DENIED);
  await->WritesDone();
  EXPECT_TRUE(await->Finish().ok());
}

TEST_F(TenantRpc, WhatIsAboutTheWholeNodeIsRefused) {
  for (const access::MethodAccess& method : access::all_methods()) {
    if (method.about_buckets) continue;
    const grpc::Status status =
        acme_->call_by_path(joined("/drip.v1.", method.service, "/", method.method));
    refused(status, joined(method.method, " is about the whole node; seen as token \"acme\""));
  }
}

// What the operator has put below its uplink stays there, with the share that it has.
TEST_F(TenantRpc, APlaceBelowAnothersBucketIsTheOperators) {
  const auto change = [&](const std::string& fields) {
    return acme_->call(&Limiter::ConfigureBucket, "bucket_id: 'acme/leaf' " + fields);
  };
  EXPECT_TRUE(change("leak_rate: 20").ok());
  EXPECT_TRUE(change("parent_id: 'uplink'").ok()) << "no change";
  refused(change("parent_id: ''"), "parent_id: ");
  refused(change("weight: 100"), "weight: not allowed");
  refused(change("priority: 0"), "priority: not allowed");
  refused(change("guarantee: 5"), "guarantee: not allowed");
  refused(acme_->call(&Limiter::ConfigureBucket, "bucket_id: 'acme/a' parent_id: 'uplink'"),
          "parent_id: \"uplink\" is not allowed");
  refused(acme_->call(&Limiter::ConfigureBucket,
                      "bucket_id: 'acme/new' leak_rate: 1 capacity: 1 parent_id: 'uplink'"),
          "parent_id: \"uplink\" is not allowed");
  refused(acme_->call(&Limiter::DeleteBucket, "bucket_id: 'acme/leaf'"), "bucket_id: ");
}

TEST_F(TenantRpc, OwnTreesAreTheirsAsFarAsAllOfItIs) {
  EXPECT_TRUE(
      acme_->call(&Limiter::ConfigureBucket, "bucket_id: 'acme/top' leak_rate: 50 inner: true")
          .ok());
  EXPECT_TRUE(acme_
                  ->call(&Limiter::ConfigureBucket,
                         "bucket_id: 'acme/below' leak_rate: 5 capacity: 5 parent_id: 'acme/top' "
                         "weight: 3 guarantee: 2")
                  .ok());
  ASSERT_TRUE(admin_
                  ->call(&Limiter::ConfigureBucket,
                         "bucket_id: 'other/below' leak_rate: 5 capacity: 5 parent_id: 'acme/top'")
                  .ok());
  const grpc::Status deleted =
      acme_->call(&Limiter::DeleteBucket, "bucket_id: 'acme/top' recursive: true");
  refused(deleted, "recursive: not allowed");
  EXPECT_THAT(deleted.error_message(), testing::Not(HasSubstr("other")));
  ASSERT_TRUE(admin_->call(&Limiter::DeleteBucket, "bucket_id: 'other/below'").ok());
  EXPECT_TRUE(acme_->call(&Limiter::DeleteBucket, "bucket_id: 'acme/top' recursive: true").ok());
}

}  // namespace
}  // namespace drip::control
