// SPDX-License-Identifier: BSD-3-Clause
#include "control/rpc/streams/capture_session.h"

#include <optional>
#include <utility>

#include "base/errors.h"
#include "base/text.h"
#include "control/model/epoch_clock.h"

namespace drip::control {
namespace {

constexpr std::uint32_t kDefaultFrames = 1000;
constexpr std::uint64_t kMostFrames = 1'000'000;
constexpr std::uint64_t kDefaultBytes = std::uint64_t{1} << 26;
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 30;
constexpr std::uint64_t kDefaultMs = 10'000;
constexpr std::uint64_t kLeastMs = 100;
constexpr std::uint64_t kMostMs = 3'600'000;
// Far below gRPC's default limit of 4 MiB.
constexpr std::size_t kBytesAMessage = std::size_t{1} << 18;
constexpr int kFramesAMessage = 1000;

absl::StatusOr<CaptureSettings> read_settings(const v1::CaptureRequest& request) {
  CaptureSettings settings;
  switch (request.frames()) {
    case v1::CAPTURE_FRAMES_UNSPECIFIED:
      break;
    case v1::CAPTURE_FRAMES_ADMITTED:
      settings.lost = false;
      break;
    case v1::CAPTURE_FRAMES_LOST:
      settings.admitted = false;
      break;
    default:
      return not_allowed("frames", std::to_string(request.frames()), "0 to 2");
  }
  if (request.snap_bytes() != 0) settings.snap_bytes = request.snap_bytes();
  if (request.one_in() != 0) settings.one_in = request.one_in();
  absl::Status status =
      check_range("snap_bytes", std::uint64_t{settings.snap_bytes}, std::uint64_t{1},
                  std::uint64_t{CaptureSettings::kMostSnapBytes}, " bytes, or 0 for 128");
  if (status.ok()) {
    status = check_range("one_in", std::uint64_t{settings.one_in}, std::uint64_t{1},
                         std::uint64_t{CaptureSettings::kMostOneIn}, ", or 0 for 1");
  }
  if (!status.ok()) return status;
  return settings;
}

}  // namespace

absl::Status CapturePlace::take(const std::string& bucket_id) {
  MutexLock lock(mutex_);
  if (!bucket_id_.empty()) {
    return absl::ResourceExhaustedError(
        joined("bucket_id: frames of bucket ", quoted(bucket_id_),
               " are being captured, and a node makes one capture at a time"));
  }
  bucket_id_ = bucket_id;
  return absl::OkStatus();
}

void CapturePlace::leave() {
  MutexLock lock(mutex_);
  bucket_id_.clear();
}

absl::StatusOr<CaptureSession::Limits> CaptureSession::read_limits(
    const v1::CaptureRequest& request) {
  Limits limits;
  limits.frames = request.max_frames() == 0 ? kDefaultFrames : request.max_frames();
  limits.bytes = request.max_bytes() == 0 ? kDefaultBytes : request.max_bytes();
  const std::uint64_t ms = request.duration_ms() == 0 ? kDefaultMs : request.duration_ms();
  absl::Status status =
      check_range("max_frames", limits.frames, std::uint64_t{1}, kMostFrames, ", or 0 for 1000");
  if (status.ok()) {
    status = check_range("max_bytes", limits.bytes, std::uint64_t{1}, kMostBytes,
                         " bytes, or 0 for 2^26");
  }
  if (status.ok()) {
    status = check_range("duration_ms", ms, kLeastMs, kMostMs, " ms, or 0 for 10000");
  }
  if (!status.ok()) return status;
  limits.span = Duration{static_cast<std::int64_t>(ms) * 1'000'000};
  return limits;
}

absl::StatusOr<std::unique_ptr<CaptureSession>> CaptureSession::begin(
    Engine& engine, const BucketRegistry& buckets, const Configuration& configuration,
    CapturePlace& place, const v1::CaptureRequest& request) {
  const absl::StatusOr<CaptureSettings> settings = read_settings(request);
  if (!settings.ok()) return settings.status();
  const absl::StatusOr<Limits> limits = read_limits(request);
  if (!limits.ok()) return limits.status();
  if (absl::Status free = place.take(request.bucket_id()); !free.ok()) return free;
  std::unique_ptr<CaptureSession> session(new CaptureSession(engine, place, *settings, *limits));
  absl::StatusOr<CapturedBucket> bucket = CapturedBucket::begin(
      engine, buckets, configuration, "bucket_id", request.bucket_id(), session->ring_);
  if (!bucket.ok()) return bucket.status();
  session->bucket_.emplace(*std::move(bucket));
  return session;
}

CaptureSession::CaptureSession(Engine& engine, CapturePlace& place, const CaptureSettings& settings,
                               const Limits& limits)
    : engine_(engine),
      place_(place),
      limits_(limits),
      ring_(settings),
      ends_(engine.now() + limits.span) {}

CaptureSession::~CaptureSession() {
  if (bucket_) bucket_->end(engine_);
  place_.leave();
}

bool CaptureSession::read(v1::CaptureResponse& response) {
  response.Clear();
  const EpochClock clock(engine_);
  // Before the frames: what comes meanwhile is for the next message.
  response.set_matched(ring_.matched());
  response.set_passed_over(ring_.passed_over());
  response.set_lost(ring_.lost());
  v1::CaptureEnd end = end_now();
  std::size_t bytes = 0;
  bool more = true;
  while (end != v1::CAPTURE_END_FRAMES && end != v1::CAPTURE_END_BYTES && more &&
         bytes < kBytesAMessage && response.captured_size() < kFramesAMessage) {
    const std::optional<CaptureRing::Frame> frame = ring_.read();
    more = frame.has_value();
    if (!more) break;
    v1::CapturedFrame& captured = *response.add_captured();
    captured.set_frame(frame->bytes.data(), frame->bytes.size());
    captured.set_frame_bytes(frame->frame_bytes);
    captured.set_time_ns(clock.epoch_ns(frame->at));
    if (frame->reason) {
      captured.set_drop_reason(
          std::string(kDropReasonNames[static_cast<std::size_t>(*frame->reason)]));
    }
    bytes += frame->bytes.size();
    ++frames_;
    bytes_ += frame->bytes.size();
    if (frames_ >= limits_.frames) end = v1::CAPTURE_END_FRAMES;
    if (bytes_ >= limits_.bytes) end = v1::CAPTURE_END_BYTES;
  }
  const bool is_full = end == v1::CAPTURE_END_FRAMES || end == v1::CAPTURE_END_BYTES;
  more = more && !is_full;
  // Of a capture whose time is over, all that was copied is sent first.
  if (!more) response.set_end(end);
  return more;
}

v1::CaptureEnd CaptureSession::end_now() const {
  if (frames_ >= limits_.frames) return v1::CAPTURE_END_FRAMES;
  if (bytes_ >= limits_.bytes) return v1::CAPTURE_END_BYTES;
  if (!bucket_->exists(engine_)) return v1::CAPTURE_END_BUCKET;
  return engine_.now() >= ends_ ? v1::CAPTURE_END_TIME : v1::CAPTURE_END_UNSPECIFIED;
}

}  // namespace drip::control
