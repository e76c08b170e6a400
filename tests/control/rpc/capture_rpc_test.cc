// SPDX-License-Identifier: BSD-3-Clause
// Capture over real gRPC: frames with their outcome and time, bounds, counts, errors.
#include <gmock/gmock.h>

#include <optional>
#include <vector>

#include "control/support/node_fixture.h"
#include "engine/capture_ring.h"

namespace drip::control {
namespace {

using testing::HasSubstr;

class CaptureRpc : public NodeFixture {
 protected:
  CaptureRpc() {
    configure("bucket_id: 'b' capacity: 100 leak_rate_bps: 8000");
    configure("bucket_id: 'c' capacity: 100 leak_rate_bps: 8000");
  }
  struct Capture {
    Capture(v1::ShaperService::Stub& shaper, const std::string& request)
        : stream(shaper.Capture(&context, message<v1::CaptureRequest>(request))) {}
    /// The next message that says something, or ends the capture.
    v1::CaptureResponse next() {
      v1::CaptureResponse response;
      while (stream->Read(&response) && response.captured().empty() &&
             response.end() == v1::CAPTURE_END_UNSPECIFIED) {
      }
      return response;
    }
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::CaptureResponse>> stream;
  };
  // When the capture has begun.
  CaptureRing& ring(Capture& capture, const std::string& id = "b") {
    v1::CaptureResponse response;
    EXPECT_TRUE(capture.stream->Read(&response));
    EXPECT_EQ(response.captured_size(), 0);
    CaptureRing* const ring = engine_.capture_of(ref(id));
    EXPECT_NE(ring, nullptr);
    return *ring;
  }
  BucketRef ref(const std::string& id) { return node_->context().buckets.find(id)->ref(); }
  void pass(CaptureRing& ring, std::uint8_t byte, std::uint32_t frame_bytes = 100) {
    const std::vector<std::uint8_t> bytes(frame_bytes, byte);
    ring.offered(bytes, frame_bytes, engine_.now());
    ring.admitted();
  }
  void reject(CaptureRing& ring, std::uint8_t byte) {
    const std::vector<std::uint8_t> bytes(100, byte);
    ring.rejected(bytes, 100, engine_.now(), DropReason::kBucketFull);
  }
  void expect_refused(const std::string& request, grpc::StatusCode code, const std::string& text) {
    Capture capture(*shaper_, request);
    v1::CaptureResponse response;
    EXPECT_FALSE(capture.stream->Read(&response));
    const grpc::Status status = capture.stream->Finish();
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(text));
  }
};

TEST_F(CaptureRpc, FramesComeWithOutcomeAndTime) {
  Capture capture(*shaper_, "bucket_id: 'b' snap_bytes: 2000 max_frames: 2");
  CaptureRing& ring = this->ring(capture);
  const auto epoch_ns = [] {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  };
  const std::int64_t before = epoch_ns();
  pass(ring, 1, 1500);
  reject(ring, 2);
  std::vector<v1::CapturedFrame> frames;
  v1::CaptureResponse last;
  while (last.end() == v1::CAPTURE_END_UNSPECIFIED) {
    last = capture.next();
    for (const v1::CapturedFrame& frame : last.captured()) frames.push_back(frame);
  }
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].frame(), std::string(1500, '\1'));
  EXPECT_EQ(frames[0].frame_bytes(), 1500U);
  EXPECT_EQ(frames[0].drop_reason(), "");
  EXPECT_GE(frames[0].time_ns(), before);
  EXPECT_LE(frames[0].time_ns(), epoch_ns());
  EXPECT_EQ(frames[1].frame(), std::string(100, '\2'));
  EXPECT_EQ(frames[1].drop_reason(), "bucket_full");
  EXPECT_EQ(last.end(), v1::CAPTURE_END_FRAMES);
  EXPECT_EQ(last.lost() + last.passed_over(), 0U);
  EXPECT_TRUE(capture.stream->Finish().ok());
  EXPECT_EQ(engine_.capture_of(ref("b")), nullptr);
}

TEST_F(CaptureRpc, TheOtherBoundsEndItToo) {
  {
    Capture capture(*shaper_, "bucket_id: 'b' max_bytes: 250");
    CaptureRing& ring = this->ring(capture);
    for (int i = 0; i < 5; ++i) pass(ring, 1);
    int frames = 0;
    v1::CaptureResponse last;
    while (last.end() == v1::CAPTURE_END_UNSPECIFIED) {
      last = capture.next();
      frames += last.captured_size();
    }
    EXPECT_EQ(frames, 3);
    EXPECT_EQ(last.end(), v1::CAPTURE_END_BYTES);
    EXPECT_TRUE(capture.stream->Finish().ok());
  }
  {
    Capture capture(*shaper_, "bucket_id: 'b' duration_ms: 1000");
    CaptureRing& ring = this->ring(capture);
    engine_.advance(kSecond);
    pass(ring, 1);
    int frames = 0;
    v1::CaptureResponse last;
    while (last.end() == v1::CAPTURE_END_UNSPECIFIED) {
      last = capture.next();
      frames += last.captured_size();
    }
    EXPECT_EQ(last.end(), v1::CAPTURE_END_TIME);
    EXPECT_LE(frames, 1);
    EXPECT_TRUE(capture.stream->Finish().ok());
  }
  Capture capture(*shaper_, "bucket_id: 'c'");
  (void)ring(capture, "c");
  const BucketRef gone = ref("c");
  remove("bucket_id: 'c' mode: DELETE_MODE_DROP");
  expect_ok();
  EXPECT_EQ(capture.next().end(), v1::CAPTURE_END_BUCKET);
  EXPECT_TRUE(capture.stream->Finish().ok());
  EXPECT_EQ(engine_.capture_of(gone), nullptr);
}

TEST_F(CaptureRpc, WhatWasNotCapturedIsSaid) {
  Capture capture(*shaper_, "bucket_id: 'b' frames: CAPTURE_FRAMES_ADMITTED one_in: 3");
  CaptureRing& ring = this->ring(capture);
  reject(ring, 9);
  for (std::uint8_t i = 1; i <= 7; ++i) pass(ring, i);
  std::vector<char> got;
  while (got.size() < 2) {
    const v1::CaptureResponse response = capture.next();
    for (const v1::CapturedFrame& frame : response.captured()) got.push_back(frame.frame()[0]);
  }
  EXPECT_EQ(got, (std::vector<char>{3, 6}));
  engine_.advance(Duration{10 * kSecond.ns});
  const v1::CaptureResponse last = capture.next();
  EXPECT_EQ(last.matched(), 7U);
  EXPECT_EQ(last.passed_over(), 5U);
  EXPECT_EQ(last.lost(), 0U);
}

TEST_F(CaptureRpc, OneAtATimeAndTheNextWhenItsCallerIsGone) {
  {
    Capture capture(*shaper_, "bucket_id: 'b'");
    (void)ring(capture);
    expect_refused("bucket_id: 'c'", grpc::StatusCode::RESOURCE_EXHAUSTED,
                   "frames of bucket \"b\" are being captured");
    capture.context.TryCancel();
    (void)capture.stream->Finish();
  }
  EXPECT_TRUE(wait_until([&] { return engine_.capture_of(ref("b")) == nullptr; }));
  EXPECT_TRUE(wait_until([&] {
    Capture capture(*shaper_, "bucket_id: 'c'");
    v1::CaptureResponse response;
    const bool begun = capture.stream->Read(&response);
    capture.context.TryCancel();
    (void)capture.stream->Finish();
    return begun;
  }));
}

TEST_F(CaptureRpc, ABucketWithAQueueCanBeCaptured) {
  configure("bucket_id: 'fair' capacity: 100 leak_rate_bps: 8000 queue { kind: QUEUE_KIND_FAIR }");
  expect_ok();
  Capture capture(*shaper_, "bucket_id: 'fair' max_frames: 1");
  pass(ring(capture, "fair"), 1);
  EXPECT_EQ(capture.next().captured_size(), 1);
}

// The engine has buckets here and tells that flows have them.
class FlowCaptureRpc : public CaptureRpc {
 protected:
  FlowCaptureRpc() {
    set_rule("per", "FLOW_OVERFLOW_SHARED");
    engine_.flow_places = {{source(1), ref("b")}, {source(2), ref("c")}};
  }
  void set_rule(const std::string& id, const std::string& overflow) {
    call(*shaper_, &v1::ShaperService::Stub::SetRule,
         "rule { rule_id: '" + id + "' per_flow { key: FLOW_KEY_SOURCE max_flows: 10 overflow: " +
             overflow + " bucket { capacity: 10 leak_rate_bps: 1000000 } } }");
    expect_ok();
  }
  static FlowKey source(std::uint8_t last) {
    FlowKey key;
    key.kind = FlowKeyKind::kSource;
    key.ip_version = IpVersion::kV4;
    key.src_address = {10, 0, 0, last};
    key.prefix_length = 32;
    return key;
  }
};

TEST_F(FlowCaptureRpc, TheBucketOfAFlowUntilTheFlowEnds) {
  Capture capture(*shaper_, "bucket_id: 'per/10.0.0.2/32'");
  pass(ring(capture, "c"), 7);
  const v1::CaptureResponse response = capture.next();
  ASSERT_EQ(response.captured_size(), 1);
  EXPECT_EQ(response.captured(0).frame()[0], 7);
  // find_flows() says that the flow is there: another of this name may have the place.
  engine_.end_flow(ref("c"));
  EXPECT_EQ(capture.next().end(), v1::CAPTURE_END_BUCKET);
  EXPECT_TRUE(capture.stream->Finish().ok());
  EXPECT_EQ(engine_.capture_of(ref("c")), nullptr);
}

TEST_F(FlowCaptureRpc, TheBucketForFlowsBeyondMaxFlows) {
  Capture capture(*shaper_, "bucket_id: 'per/overflow' max_frames: 1");
  v1::CaptureResponse begun;
  ASSERT_TRUE(capture.stream->Read(&begun));
  std::optional<BucketRef> overflow;
  node_->context().configuration.with_rules([&](const RuleStore& rules) {
    for (const std::optional<FlowRule>& rule : rules.flow_rules()) {
      if (rule) overflow = rule->overflow_bucket;
    }
  });
  ASSERT_TRUE(overflow);
  ASSERT_NE(engine_.capture_of(*overflow), nullptr);
  pass(*engine_.capture_of(*overflow), 1);
  EXPECT_EQ(capture.next().end(), v1::CAPTURE_END_FRAMES);
}

TEST_F(FlowCaptureRpc, WhatIsNotThereIsSaidAndTheNextMayBegin) {
  set_rule("drops", "FLOW_OVERFLOW_DROP");
  engine_.end_flow(ref("b"));
  for (const char* id :
       {"per/10.0.0.9/32", "pe/10.0.0.1/32", "per/", "drops/overflow", "per/10.0.0.1/32"}) {
    expect_refused(std::string("bucket_id: '") + id + "'", grpc::StatusCode::NOT_FOUND,
                   std::string("bucket_id: no bucket or flow of a rule is named \"") + id + "\"");
  }
  Capture capture(*shaper_, "bucket_id: 'per/10.0.0.2/32'");
  (void)ring(capture, "c");
}

TEST_F(CaptureRpc, WhatIsNotAllowedIsSaid) {
  using grpc::StatusCode;
  expect_refused("bucket_id: 'none'", StatusCode::NOT_FOUND, "none");
  configure("bucket_id: 'inner' leak_rate: 10 inner: true");
  expect_refused("bucket_id: 'inner'", StatusCode::FAILED_PRECONDITION, "inner");
  const std::pair<const char*, const char*> wrong[] = {
      {"frames: 7", "frames: 7 is not allowed: 0 to 2"},
      {"snap_bytes: 16385", "1 to 16384"},
      {"one_in: 1000001", "1 to 1000000"},
      {"max_frames: 1000001", "1 to 1000000"},
      {"max_bytes: 1073741825", "1 to 1073741824"},
      {"duration_ms: 99", "100 to 3600000"}};
  for (const auto& [field, text] : wrong) {
    expect_refused(std::string("bucket_id: 'b' ") + field, StatusCode::INVALID_ARGUMENT, text);
  }
}

TEST_F(CaptureRpc, AStopEndsIt) {
  Capture capture(*shaper_, "bucket_id: 'b'");
  (void)ring(capture);
  node_->stop(std::chrono::milliseconds(100));
  v1::CaptureResponse response;
  while (capture.stream->Read(&response)) {
  }
  EXPECT_EQ(capture.stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace drip::control
