// SPDX-License-Identifier: BSD-3-Clause
// `capture`: what it asks for, the file that it writes, and what it says was left out.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "dripctl_fixture.h"
#include "support/temporary_directory.h"

namespace drip {
namespace {

using testing::HasSubstr;

class DripctlCaptureTest : public DripctlTest {
 protected:
  void reply() {
    v1::CaptureResponse response;
    v1::CapturedFrame& taken = *response.add_captured();
    taken.set_frame("0123456789abcdef");
    taken.set_frame_bytes(1514);
    taken.set_time_ns(1'700'000'000'123'456'789);
    v1::CapturedFrame& lost = *response.add_captured();
    lost.set_frame("fedcba98765432");
    lost.set_frame_bytes(14);
    lost.set_time_ns(1'700'000'001'000'000'001);
    lost.set_drop_reason("bucket_full");
    response.set_matched(100);
    response.set_passed_over(90);
    response.set_lost(5);
    response.set_end(v1::CAPTURE_END_TIME);
    server_->reply(response);
  }
  [[nodiscard]] std::string path() const { return scratch_.path_of("x.pcap"); }
  [[nodiscard]] std::string file() const {
    std::ifstream stream(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  static std::uint32_t word(const std::string& bytes, std::size_t at) {
    std::uint32_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof(word));
    return word;
  }

  const TemporaryDirectory scratch_;
};

TEST_F(DripctlCaptureTest, FramesAreInTheFileAndTheRestIsSaid) {
  reply();
  const Outcome done = dripctl("capture --bucket web -o " + path());
  EXPECT_EQ(done.exit_code, 0) << done.err;
  const std::string bytes = file();
  // A header of 24 bytes, and of 16 for each frame, in the machine's order.
  ASSERT_EQ(bytes.size(), 24U + 16 + 16 + 16 + 14);
  EXPECT_EQ(word(bytes, 0), 0xa1b23c4dU) << "pcap with nanoseconds";
  EXPECT_EQ(word(bytes, 20), 1U) << "Ethernet";
  EXPECT_EQ(word(bytes, 24), 1'700'000'000U);
  EXPECT_EQ(word(bytes, 28), 123'456'789U);
  EXPECT_EQ(word(bytes, 32), 16U);
  EXPECT_EQ(word(bytes, 36), 1514U);
  EXPECT_EQ(bytes.substr(40, 16), "0123456789abcdef");
  EXPECT_EQ(bytes.substr(72), "fedcba98765432");
  struct stat status {};
  EXPECT_EQ(stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U) << "it shows what customers send";
  EXPECT_THAT(done.err, HasSubstr("2 frames of bucket web captured; its time was over"));
  EXPECT_THAT(done.err, HasSubstr("admitted: 1\n  bucket_full: 1\n  1 of them cut"));
  EXPECT_THAT(done.err, HasSubstr("of 100 that came: 90 passed over by --one-in, 5 lost because "
                                  "copies were not taken away in time, 3 after the last one"));
}

TEST_F(DripctlCaptureTest, FlagsAreWhatIsAskedFor) {
  reply();
  EXPECT_EQ(dripctl("capture --bucket web --rejected --snap 200 --one-in 10 --count 7 "
                    "--max-bytes 2kb --for 1.5s --output " +
                    path())
                .exit_code,
            0);
  const auto request = asked<v1::CaptureRequest>();
  EXPECT_EQ(request.bucket_id(), "web");
  EXPECT_EQ(request.frames(), v1::CAPTURE_FRAMES_LOST);
  EXPECT_EQ(request.snap_bytes(), 200U);
  EXPECT_EQ(request.one_in(), 10U);
  EXPECT_EQ(request.max_frames(), 7U);
  EXPECT_EQ(request.max_bytes(), 2048U);
  EXPECT_EQ(request.duration_ms(), 1500U);
}

TEST_F(DripctlCaptureTest, StandardOutputIsTheCapture) {
  reply();
  const Outcome done = dripctl("capture --bucket web --admitted -o -");
  EXPECT_EQ(done.exit_code, 0) << done.err;
  EXPECT_EQ(done.out.size(), 24U + 16 + 16 + 16 + 14);
  EXPECT_EQ(asked<v1::CaptureRequest>().frames(), v1::CAPTURE_FRAMES_ADMITTED);
  const Outcome both = dripctl("capture --bucket web -o - --json");
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_THAT(both.err, HasSubstr("both would be on standard output"));
}

TEST_F(DripctlCaptureTest, JsonHasTheCounts) {
  reply();
  const Outcome done = dripctl("capture --bucket web --json -o " + path());
  const auto json = nlohmann::json::parse(done.out);
  EXPECT_EQ(json["captured"], 2);
  EXPECT_EQ(json["outcomes"]["bucket_full"], 1);
  EXPECT_EQ(json["passed_over"], 90);
  EXPECT_EQ(json["end"], "CAPTURE_END_TIME");
}

TEST_F(DripctlCaptureTest, ARefusedCaptureLeavesTheFileOfBefore) {
  std::ofstream(path()) << "of before";
  server_->fail(grpc::Status(grpc::StatusCode::NOT_FOUND, "bucket_id: none"));
  const Outcome done = dripctl("capture --bucket web -o " + path());
  EXPECT_EQ(done.exit_code, 4);
  EXPECT_EQ(file(), "of before");
}

TEST_F(DripctlCaptureTest, WrongUse) {
  const std::pair<const char*, const char*> lines[] = {
      {"capture -o x", "--bucket"},
      {"capture --bucket web", "--output"},
      {"capture --bucket web -o x --rejected --admitted", "excludes"},
      {"capture --bucket web -o x --snap 0", "1 to 16384"},
      {"capture --bucket web -o x --for 50ms", "100ms to 1h"},
      {"capture --bucket web -o x --max-bytes 2gb", "1 to 1GiB"}};
  for (const auto& [line, text] : lines) {
    const Outcome done = dripctl(line);
    EXPECT_EQ(done.exit_code, 2) << line;
    EXPECT_THAT(done.err, HasSubstr(text)) << line;
  }
}

}  // namespace
}  // namespace drip
