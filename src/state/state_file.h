// SPDX-License-Identifier: BSD-3-Clause
// The form of one file of the state: a header, then frames, each with a checksum.
//
//   header   "DRIPSTAT", version, kind, generation, previous, previous_end; SHA-256 of all of it
//   frame    length, a Batch of that length; SHA-256 of the last checksum before it and of these
//
// Since each checksum covers the one before, a frame counts only in its place in its file. The last
// frame of a snapshot has length 0: one without it is not whole. A journal ends where it ends.
// Numbers are little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "state/batch.h"
#include "state/digest.h"

namespace drip::state {

/// Of files that this version writes, and the newest that it reads.
inline constexpr std::uint32_t kFileVersion = 1;
/// Of one frame.
inline constexpr std::size_t kMaxFrameBytes = std::size_t{256} << 20;

enum class FileKind : std::uint32_t { kSnapshot = 1, kJournal = 2 };

struct FileHeader {
  FileKind kind = FileKind::kJournal;
  std::uint64_t generation = 0;
  /// Of a journal: it continues the journal of that generation, of which so many bytes count. 0: no
  /// journal, but the snapshot of generation `previous_end`, or nothing if that is 0 as well.
  std::uint64_t previous = 0;
  std::uint64_t previous_end = 0;
};

/// Makes the bytes of one file, piece by piece.
class FileWriter {
 public:
  /// The header's bytes, which come first.
  [[nodiscard]] std::string begin(const FileHeader& header, std::uint32_t version = kFileVersion);
  /// The next frame's bytes. REQUIRES: payload.size() <= kMaxFrameBytes.
  [[nodiscard]] std::string frame(std::string_view payload);

  /// What the next frame continues. Set back if a frame was not written.
  [[nodiscard]] const Digest& last() const { return last_; }
  void set_last(const Digest& last) { last_ = last; }

 private:
  Digest last_{};
};

/// Where the first frame begins.
inline constexpr std::size_t kHeaderAndDigestBytes = 72;

/// What was found in a file.
struct FileContent {
  FileHeader header;
  /// What is behind is not used.
  std::size_t end = 0;
  /// Of a snapshot: its last frame is there.
  bool whole = false;
  /// Why it ends there: OK at the end of the file. The text begins with the offset.
  absl::Status problem;
  /// Whether `problem` may be that the file was being written when the power was cut: the rest is
  /// shorter than the frame that begins there says.
  bool cut_off = false;
};

/// Applies the frames of `bytes` to `image`, up to the first that is not right.
[[nodiscard]] FileContent read_file(std::string_view bytes, Image& image);

}  // namespace drip::state
