// SPDX-License-Identifier: BSD-3-Clause
// WatchTop over real gRPC: one answer to each message, measured when it is time.
#include <gmock/gmock.h>

#include "control/support/node_fixture.h"

namespace drip::control {
namespace {

class WatchTopRpc : public NodeFixture {
 protected:
  WatchTopRpc() {
    configure("bucket_id: 'b' capacity: 100 leak_rate_bps: 8000 departure: DEPARTURE_AT_END");
    configure("bucket_id: 'c' capacity: 1 leak_rate: 5");
  }
  void offer(const std::string& id, int packets) {
    const BucketRef ref = node_->context().buckets.find(id)->ref();
    for (int i = 0; i < packets; ++i) engine_.offer_packet(ref, 1000);
  }
  struct Watch {
    explicit Watch(v1::ShaperService::Stub& shaper) : stream(shaper.WatchTop(&context)) {}
    v1::WatchTopResponse ask(const std::string& request) {
      v1::WatchTopResponse response;
      EXPECT_TRUE(stream->Write(message<v1::WatchTopRequest>(request)));
      answered = stream->Read(&response);
      return response;
    }
    // How it ends when a request is refused.
    std::string refused(const std::string& request) {
      (void)ask(request);
      EXPECT_FALSE(answered);
      const grpc::Status status = stream->Finish();
      EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
      return status.error_message();
    }
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderWriter<v1::WatchTopRequest, v1::WatchTopResponse>> stream;
    bool answered = false;
  };
};

TEST_F(WatchTopRpc, RatesAreThoseBetweenMeasurements) {
  Watch watch(*shaper_);
  EXPECT_EQ(watch.ask("").measured_over_ns(), 0U);
  offer("b", 3);
  engine_.advance(Duration{2'000'000'000});
  v1::WatchTopResponse top = watch.ask("measure_after_ms: 2000");
  EXPECT_EQ(top.measured_over_ns(), 2'000'000'000U);
  ASSERT_EQ(top.buckets_size(), 2);
  const v1::TopBucket& b = top.buckets(0);
  EXPECT_EQ(b.bucket_id(), "b");
  EXPECT_DOUBLE_EQ(b.processed_bps(), 8000);
  EXPECT_DOUBLE_EQ(b.processed_per_second(), 1);
  EXPECT_DOUBLE_EQ(b.ceiling_bps(), 8000);
  EXPECT_EQ(b.backlog(), 1U);
  EXPECT_EQ(b.waits_for(), v1::TOP_WAIT_ITSELF);
  EXPECT_EQ(top.buckets(1).ceiling_per_second(), 5);
  EXPECT_EQ(top.rows(), 2U);
  EXPECT_EQ(top.total_buckets(), 2U);
  EXPECT_DOUBLE_EQ(top.processed_bps(), 8000);
  EXPECT_EQ(top.backlog(), 1U);
  // Before it is time again, another order of the same measurement.
  engine_.advance(Duration{1'000'000'000});
  top = watch.ask("sort: TOP_SORT_ID reverse: true measure_after_ms: 2000 limit: 1");
  ASSERT_EQ(top.buckets_size(), 1);
  EXPECT_EQ(top.buckets(0).bucket_id(), "c");
  EXPECT_EQ(top.backlog(), 1U);
  engine_.advance(Duration{1'000'000'000});
  EXPECT_EQ(watch.ask("measure_after_ms: 2000").backlog(), 0U);
}

TEST_F(WatchTopRpc, WatchersShareMeasurementsWhileThereAreAny) {
  {
    Watch first(*shaper_);
    (void)first.ask("");
    engine_.advance(Duration{1'000'000'000});
    Watch second(*shaper_);
    EXPECT_EQ(second.ask("").measured_over_ns(), 1'000'000'000U);
    first.context.TryCancel();
    second.context.TryCancel();
    (void)first.stream->Finish();
    (void)second.stream->Finish();
  }
  // The server learns of it a little later.
  EXPECT_TRUE(wait_until([&] {
    Watch watch(*shaper_);
    engine_.advance(Duration{1'000'000'000});
    const bool anew = watch.ask("").measured_over_ns() == 0;
    watch.context.TryCancel();
    (void)watch.stream->Finish();
    return anew;
  }));
}

TEST_F(WatchTopRpc, WrongFieldsAreNamed) {
  EXPECT_THAT(Watch(*shaper_).refused("limit: 501"), testing::StartsWith("limit: 501"));
  EXPECT_THAT(Watch(*shaper_).refused("measure_after_ms: 99"),
              testing::StartsWith("measure_after_ms: 99"));
  Watch watch(*shaper_);
  v1::WatchTopRequest request;
  request.set_sort(static_cast<v1::TopSort>(77));
  EXPECT_TRUE(watch.stream->Write(request));
  v1::WatchTopResponse response;
  EXPECT_FALSE(watch.stream->Read(&response));
  EXPECT_THAT(watch.stream->Finish().error_message(), testing::StartsWith("sort: 77"));
}

TEST_F(WatchTopRpc, EndsWithTheCallerAndWithTheNode) {
  Watch done(*shaper_);
  (void)done.ask("");
  EXPECT_TRUE(done.stream->WritesDone());
  EXPECT_TRUE(done.stream->Finish().ok());
  Watch watch(*shaper_);
  (void)watch.ask("");
  node_->stop(std::chrono::milliseconds(1000));
  EXPECT_EQ(watch.stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace drip::control
