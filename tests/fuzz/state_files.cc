// SPDX-License-Identifier: BSD-3-Clause
// Any bytes as a file of the state, and any bytes as its changes: what is torn is refused, what is
// accepted is written again byte for byte, and what it holds is read or refused by its key.
//
// A checksum is not guessed, so the first byte says what the rest is: a file as it is, or changes
// that get a header and checksums here, the last of them then damaged or not.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "control/convert/convert_bucket_config.h"
#include "control/convert/convert_rule.h"
#include "control/state/stored_form.h"
#include "drip/v1/bucket.pb.h"
#include "fuzz/support/byte_source.h"
#include "fuzz/support/fuzz_target.h"
#include "state/little_endian.h"
#include "state/state_file.h"

namespace drip::fuzz {
namespace {

using state::Batch;
using state::FileContent;
using state::FileKind;
using state::Image;

// What the frames of a file that was accepted up to `end` hold.
std::vector<std::string_view> frames_of(std::string_view bytes, std::size_t end) {
  std::vector<std::string_view> frames;
  constexpr std::size_t kLength = sizeof(std::uint32_t);
  for (std::size_t at = state::kHeaderAndDigestBytes; at < end;) {
    const std::size_t length = state::number_at<std::uint32_t>(bytes, at);
    frames.push_back(bytes.substr(at + kLength, length));
    at += kLength + length + sizeof(state::Digest);
  }
  return frames;
}

void check_meaning(const Image& image) {
  const auto stored = control::read_state(image);
  if (!stored.ok()) {
    require(
        absl::IsDataLoss(stored.status()) && message_of(stored.status()).starts_with("state: \""),
        "what cannot be read is named by its key");
    return;
  }
  const control::MachineTime now{"b", 1'000'000'000'000, 1'700'000'000'000'000'000};
  for (const auto& [bucket, schedule] : stored->schedules) {
    require(control::to_text(*control::schedule_from(control::to_text(schedule))) ==
                control::to_text(schedule),
            "a schedule reads back as the same");
    const Duration busy = control::busy_at(now, schedule);
    require(busy.ns >= 0 && busy.ns <= std::max<std::int64_t>(schedule.left_ns, 0),
            "a bucket is no busier than it was");
  }
}

void check_file(std::string_view bytes) {
  Image image;
  const FileContent content = state::read_file(bytes, image);
  require(content.end <= bytes.size(), "no more of a file is used than there is");
  const bool is_snapshot = content.header.kind == FileKind::kSnapshot;
  require(content.problem.ok() ==
              (content.end == bytes.size() && content.end > 0 && (!is_snapshot || content.whole)),
          "a file without a problem is used to its end");
  if (!content.problem.ok()) {
    require(message_of(content.problem).starts_with("byte "), "a problem is at a byte");
  }
  if (content.end == 0) {
    require(image.empty(), "nothing is used of a file without a header");
    return;
  }
  state::FileWriter writer;
  std::string again = writer.begin(content.header);
  Image same;
  for (const std::string_view frame : frames_of(bytes, content.end)) {
    require(state::apply_batch(frame, same).ok(), "what counts are changes");
    again += writer.frame(frame);
  }
  require(again == bytes.substr(0, content.end), "it is written again byte for byte");
  // A frame that is no batch may have been applied in part.
  if (content.problem.ok() || content.cut_off) require(same == image, "it holds what it says");
  Image whole;
  Batch all;
  for (const auto& [key, value] : same) all.put(key, value);
  require(state::apply_batch(all.bytes(), whole).ok() && whole == same, "an image can be stored");
  check_meaning(same);
}

// The changes in `source`, a length before each.
std::string file_of(FileKind kind, ByteSource source) {
  state::FileWriter writer;
  std::string file = writer.begin({kind, 7, 6, 123});
  while (!source.rest().empty()) {
    const std::size_t length = source.number<std::uint16_t>();
    const auto rest = source.rest();
    const auto frame = rest.first(std::min(length, rest.size()));
    source = ByteSource(rest.subspan(frame.size()));
    // Of a snapshot an empty one is the last.
    if (kind == FileKind::kJournal || !frame.empty()) file += writer.frame(text_of(frame));
  }
  if (kind == FileKind::kSnapshot) file += writer.frame("");
  return file;
}

}  // namespace

std::vector<std::string> seeds() {
  v1::Bucket bucket;
  bucket.set_revision(3);
  bucket.mutable_config()->set_bucket_id("a");
  bucket.mutable_config()->set_leak_rate(10);
  bucket.mutable_config()->set_capacity(5);
  v1::Rule rule;
  rule.set_rule_id("r");
  rule.mutable_match()->set_src_prefix("10.0.0.0/8");
  rule.set_bucket_id("a");
  v1::AddressList list;
  list.set_name("l");
  list.add_prefixes("2001:db8::/32");
  v1::RuleSet common;
  common.set_default_bucket_id("a");
  common.add_control_protocols("-glbp");
  std::string place;
  state::append_number(place, std::uint64_t{4});
  Batch batch;
  batch.put("b/a", bucket.SerializeAsString());
  batch.put("r/r", place + rule.SerializeAsString());
  batch.put("l/l", list.SerializeAsString());
  batch.put("rules", common.SerializeAsString());
  batch.put("n/revision", "12");
  batch.put("n/rules_revision", "11");
  batch.put("f/b/a", "");
  batch.put("f/l/l", "");
  batch.put("f/rules", "");
  batch.put("f/digest", "00ff");
  batch.put("s/a", "b 1000000000500 1700000000000000500 600");
  Batch erased;
  erased.erase("r/r");
  std::string changes;
  for (const Batch& each : {batch, erased}) {
    state::append_number(changes, static_cast<std::uint16_t>(each.bytes().size()));
    changes += each.bytes();
  }
  const auto bytes =
      std::span(reinterpret_cast<const std::uint8_t*>(changes.data()), changes.size());
  return {'\0' + file_of(FileKind::kJournal, ByteSource(bytes)),
          '\0' + file_of(FileKind::kSnapshot, ByteSource(bytes)),
          '\0' + file_of(FileKind::kSnapshot, ByteSource(bytes)) + "x",
          '\1' + changes,
          '\2' + changes,
          std::string("\3\5") + changes,
          std::string("\3\x80") + changes};
}

}  // namespace drip::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drip;        // NOLINT(google-build-using-namespace)
  using namespace drip::fuzz;  // NOLINT(google-build-using-namespace)
  if (size < 2) return 0;
  const std::span<const std::uint8_t> rest(data + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      check_file(text_of(rest));
      break;
    case 1:
      check_file(file_of(FileKind::kJournal, ByteSource(rest)));
      break;
    case 2:
      check_file(file_of(FileKind::kSnapshot, ByteSource(rest)));
      break;
    default: {
      // Cut at a place that the next byte says.
      const std::string file = file_of(FileKind::kSnapshot, ByteSource(rest.subspan(1)));
      const std::string cut = file.substr(0, file.size() * rest[0] / 256);
      Image image;
      require(!state::read_file(cut, image).problem.ok(), "a snapshot that is cut off is refused");
      check_file(cut);
    }
  }
  return 0;
}
