// SPDX-License-Identifier: BSD-3-Clause
// A file that is cut off or damaged at any byte gives a state that there was, or is refused.
#include "state/state_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

namespace drip::state {
namespace {

using testing::HasSubstr;

// After each of some changes, and the bytes of a journal or snapshot that has all of them.
struct Sample {
  std::string bytes;
  std::vector<Image> states;
  std::vector<std::size_t> ends;  // Of what leads to each state.
};

Sample sample_of(FileKind kind) {
  Sample sample;
  FileWriter writer;
  Image image;
  sample.bytes = writer.begin({kind, 7, 6, 123});
  sample.states.push_back(image);
  sample.ends.push_back(sample.bytes.size());
  for (int i = 0; i < 4; ++i) {
    Batch batch;
    batch.put("b/one", std::string(static_cast<std::size_t>(i), 'x'));
    batch.put("b/" + std::to_string(i), "value");
    if (i == 2) batch.erase("b/0");
    EXPECT_TRUE(apply_batch(batch.bytes(), image).ok());
    sample.bytes += writer.frame(batch.bytes());
    sample.states.push_back(image);
    sample.ends.push_back(sample.bytes.size());
  }
  if (kind == FileKind::kSnapshot) sample.bytes += writer.frame("");
  return sample;
}

TEST(StateFile, AJournalReadsBack) {
  const Sample sample = sample_of(FileKind::kJournal);
  Image image;
  const FileContent content = read_file(sample.bytes, image);
  EXPECT_TRUE(content.problem.ok()) << content.problem;
  EXPECT_EQ(content.end, sample.bytes.size());
  EXPECT_EQ(content.header.generation, 7U);
  EXPECT_EQ(content.header.previous, 6U);
  EXPECT_EQ(content.header.previous_end, 123U);
  EXPECT_EQ(image, sample.states.back());
}

TEST(StateFile, AJournalThatIsCutAtAnyByteHasWhatWasWholeBefore) {
  const Sample sample = sample_of(FileKind::kJournal);
  for (std::size_t size = 0; size < sample.bytes.size(); ++size) {
    Image image;
    const FileContent content = read_file(sample.bytes.substr(0, size), image);
    std::size_t state = 0;
    while (state + 1 < sample.ends.size() && sample.ends[state + 1] <= size) ++state;
    EXPECT_EQ(image, sample.states[state]) << size;
    const bool at_an_end = size == sample.ends[state];
    EXPECT_EQ(content.problem.ok(), at_an_end) << size;
    EXPECT_NE(content.cut_off, at_an_end) << size << ": " << content.problem;
  }
}

TEST(StateFile, AJournalThatIsDamagedAtAnyByteHasWhatIsRightBefore) {
  const Sample sample = sample_of(FileKind::kJournal);
  for (std::size_t at = 0; at < sample.bytes.size(); ++at) {
    for (const int bit : {0, 3, 7}) {
      std::string bytes = sample.bytes;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      Image image;
      const FileContent content = read_file(bytes, image);
      std::size_t state = 0;
      while (state + 1 < sample.ends.size() && sample.ends[state + 1] <= at) ++state;
      EXPECT_EQ(image, sample.states[state]) << at;
      EXPECT_FALSE(content.problem.ok()) << at;
      EXPECT_THAT(std::string(content.problem.message()), testing::StartsWith("byte ")) << at;
    }
  }
}

TEST(StateFile, ASnapshotThatIsCutOrDamagedAtAnyByteIsRefused) {
  const Sample sample = sample_of(FileKind::kSnapshot);
  Image image;
  const FileContent whole = read_file(sample.bytes, image);
  EXPECT_TRUE(whole.problem.ok()) << whole.problem;
  EXPECT_TRUE(whole.whole);
  EXPECT_EQ(image, sample.states.back());
  for (std::size_t at = 0; at < sample.bytes.size(); ++at) {
    Image part;
    EXPECT_FALSE(read_file(sample.bytes.substr(0, at), part).problem.ok()) << at;
    std::string bytes = sample.bytes;
    bytes[at] = static_cast<char>(~bytes[at]);
    EXPECT_FALSE(read_file(bytes, part).problem.ok()) << at;
  }
  EXPECT_FALSE(read_file(sample.bytes + "x", image).problem.ok());
}

// Blocks of an older file that a disk brings back count as little as random ones.
TEST(StateFile, AFrameCountsInItsPlaceOnly) {
  FileWriter writer;
  const std::string header = writer.begin({FileKind::kJournal, 1, 0, 0});
  Batch one;
  one.put("b/a", "1");
  Batch other;
  other.put("b/a", "2");
  const std::string first = writer.frame(one.bytes());
  const std::string second = writer.frame(other.bytes());
  std::string swapped = header;
  swapped += second;
  swapped += first;
  Image image;
  EXPECT_FALSE(read_file(swapped, image).problem.ok());
  EXPECT_TRUE(image.empty());
  std::string twice = header;
  twice += first;
  twice += first;
  EXPECT_FALSE(read_file(twice, image).problem.ok());
  EXPECT_EQ(image, (Image{{"b/a", "1"}}));
}

TEST(StateFile, ANewerVersionIsRefusedByItsNumber) {
  FileWriter writer;
  const std::string bytes = writer.begin({FileKind::kJournal, 1, 0, 0}, kFileVersion + 1);
  Image image;
  const FileContent content = read_file(bytes, image);
  EXPECT_FALSE(content.cut_off);
  EXPECT_THAT(std::string(content.problem.message()),
              HasSubstr("byte 8: version: 2 is not allowed: 1 to 1; a newer dripd has written it"));
}

TEST(StateFile, ALengthBeyondTheLimitIsRefusedWithBoth) {
  FileWriter writer;
  std::string bytes = writer.begin({FileKind::kJournal, 1, 0, 0});
  bytes += "\xff\xff\xff\xff";
  Image image;
  EXPECT_THAT(std::string(read_file(bytes, image).problem.message()),
              HasSubstr("byte 72: length: 4294967295 is not allowed: up to 268435456 bytes"));
}

TEST(StateBatch, BytesThatAreNoBatchAreRefusedWithTheirOffset) {
  Image image;
  Batch batch;
  batch.put("a", "b");
  EXPECT_THAT(std::string(apply_batch(batch.bytes() + "\x09", image).message()),
              HasSubstr("the change at byte 11: kind 9 is not allowed: 1 (put) or 2 (erase)"));
  for (std::size_t size = 1; size < batch.bytes().size(); ++size) {
    EXPECT_FALSE(apply_batch(batch.bytes().substr(0, size), image).ok()) << size;
  }
}

}  // namespace
}  // namespace drip::state
