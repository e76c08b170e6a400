// SPDX-License-Identifier: BSD-3-Clause
#include "state/state_file.h"

#include <utility>

#include "base/text.h"
#include "state/little_endian.h"

namespace drip::state {
namespace {

constexpr std::string_view kMagic = "DRIPSTAT";
constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kKindAt = 12;
constexpr std::size_t kGenerationAt = 16;
constexpr std::size_t kPreviousAt = 24;
constexpr std::size_t kPreviousEndAt = 32;
constexpr std::size_t kHeaderBytes = 40;
constexpr std::size_t kDigestBytes = sizeof(Digest);
constexpr std::size_t kLengthBytes = sizeof(std::uint32_t);
static_assert(kHeaderBytes + kDigestBytes == kHeaderAndDigestBytes);

absl::Status problem_at(std::size_t offset, std::string_view what) {
  return absl::DataLossError(joined("byte ", offset, ": ", what));
}

// Of a frame without its checksum that follows `before`.
Digest frame_digest(const Digest& before, std::string_view frame) {
  std::string covered(bytes_of(before));
  covered += frame;
  return digest_of(covered);
}

bool is_digest_at(std::string_view bytes, std::size_t at, const Digest& digest) {
  return bytes.substr(at, kDigestBytes) == bytes_of(digest);
}

// Sets header and end; or the problem.
void read_header(std::string_view bytes, FileContent& content) {
  if (bytes.substr(0, kMagic.size()) != kMagic.substr(0, bytes.size())) {
    content.problem = problem_at(0, "this is no state file: it must begin with DRIPSTAT");
    return;
  }
  // Before the checksum, which a newer version may have elsewhere.
  if (bytes.size() >= kKindAt) {
    const auto version = number_at<std::uint32_t>(bytes, kVersionAt);
    if (version > kFileVersion) {
      content.problem =
          problem_at(kVersionAt, joined("version: ", version, " is not allowed: 1 to ",
                                        kFileVersion, "; a newer dripd has written it"));
      return;
    }
  }
  if (bytes.size() < kHeaderBytes + kDigestBytes) {
    content.problem = problem_at(bytes.size(), "the header is cut off");
    content.cut_off = true;
    return;
  }
  const Digest digest = digest_of(bytes.substr(0, kHeaderBytes));
  if (!is_digest_at(bytes, kHeaderBytes, digest)) {
    content.problem = problem_at(kHeaderBytes, "the header's checksum is another one");
    return;
  }
  const auto kind = number_at<std::uint32_t>(bytes, kKindAt);
  if (kind != static_cast<std::uint32_t>(FileKind::kSnapshot) &&
      kind != static_cast<std::uint32_t>(FileKind::kJournal)) {
    content.problem =
        problem_at(kKindAt, joined("kind: ", kind, " is not allowed: 1 (snapshot) or 2 (journal)"));
    return;
  }
  content.header = {static_cast<FileKind>(kind), number_at<std::uint64_t>(bytes, kGenerationAt),
                    number_at<std::uint64_t>(bytes, kPreviousAt),
                    number_at<std::uint64_t>(bytes, kPreviousEndAt)};
  content.end = kHeaderAndDigestBytes;
}

// The frame at content.end; false if it is the last one that counts.
bool read_frame(std::string_view bytes, Digest& last, Image& image, FileContent& content) {
  const std::size_t begin = content.end;
  const std::size_t left = bytes.size() - begin;
  if (left < kLengthBytes) {
    content.problem = problem_at(begin, "the change there is cut off");
    content.cut_off = true;
    return false;
  }
  const std::size_t length = number_at<std::uint32_t>(bytes, begin);
  if (length > kMaxFrameBytes) {
    content.problem = problem_at(
        begin, joined("length: ", length, " is not allowed: up to ", kMaxFrameBytes, " bytes"));
    return false;
  }
  if (left < kLengthBytes + length + kDigestBytes) {
    content.problem = problem_at(
        begin, joined("the change there is cut off: ", kLengthBytes + length + kDigestBytes - left,
                      " bytes are missing"));
    content.cut_off = true;
    return false;
  }
  const std::size_t digest_at = begin + kLengthBytes + length;
  const Digest digest = frame_digest(last, bytes.substr(begin, kLengthBytes + length));
  if (!is_digest_at(bytes, digest_at, digest)) {
    content.problem = problem_at(begin, "the checksum of the change there is another one");
    content.cut_off = digest_at + kDigestBytes == bytes.size();
    return false;
  }
  if (length > 0) {
    const absl::Status applied = apply_batch(bytes.substr(begin + kLengthBytes, length), image);
    if (!applied.ok()) {
      content.problem = problem_at(begin, message_of(applied));
      return false;
    }
  }
  last = digest;
  content.end = digest_at + kDigestBytes;
  content.whole = length == 0 && content.header.kind == FileKind::kSnapshot;
  return !content.whole;
}

}  // namespace

std::string FileWriter::begin(const FileHeader& header, std::uint32_t version) {
  std::string bytes(kMagic);
  append_number(bytes, version);
  append_number(bytes, static_cast<std::uint32_t>(header.kind));
  append_number(bytes, header.generation);
  append_number(bytes, header.previous);
  append_number(bytes, header.previous_end);
  last_ = digest_of(bytes);
  bytes += bytes_of(last_);
  return bytes;
}

std::string FileWriter::frame(std::string_view payload) {
  std::string bytes;
  bytes.reserve(kLengthBytes + payload.size() + kDigestBytes);
  append_number(bytes, static_cast<std::uint32_t>(payload.size()));
  bytes += payload;
  last_ = frame_digest(last_, bytes);
  bytes += bytes_of(last_);
  return bytes;
}

FileContent read_file(std::string_view bytes, Image& image) {
  FileContent content;
  read_header(bytes, content);
  if (!content.problem.ok()) return content;
  Digest last = digest_of(bytes.substr(0, kHeaderBytes));
  while (content.end < bytes.size() && read_frame(bytes, last, image, content)) {
  }
  if (!content.problem.ok()) return content;
  if (content.header.kind == FileKind::kSnapshot && !content.whole) {
    content.problem = problem_at(content.end, "the snapshot ends before its last frame");
  } else if (content.whole && content.end < bytes.size()) {
    content.problem =
        problem_at(content.end, joined(bytes.size() - content.end, " bytes are behind its end"));
    content.whole = false;
  }
  return content;
}

}  // namespace drip::state
