// SPDX-License-Identifier: BSD-3-Clause
// The files of a state: their names, their lock, and what they hold together.
//
//   lock         held by the dripd that uses the directory; its process id
//   snapshot.N   all that was stored when generation N began
//   journal.N    the changes since
//
// A generation begins with its journal; the snapshot is made beside it, of the snapshot and the
// journals before. The files of the last but one snapshot stay, so that one that cannot be read is
// made up for.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/file_descriptor.h"
#include "state/batch.h"
#include "state/state_file.h"

namespace drip::state {

class StateDirectory {
 public:
  /// Makes the directory, unless it exists, and locks it. FAILED_PRECONDITION, with its process id,
  /// if another dripd holds the lock; UNAVAILABLE with the system's reason if it cannot be used.
  [[nodiscard]] static absl::StatusOr<StateDirectory> open(std::string path);

  struct Loaded {
    Image image;
    std::uint64_t snapshot = 0;      ///< The generation that it was read from; 0: none.
    std::uint64_t journal = 0;       ///< The last journal that was read; 0: none.
    std::uint64_t journal_end = 0;   ///< So many bytes of it count.
    std::uint64_t newest = 0;        ///< The highest generation of any file, read or not.
    std::vector<std::string> notes;  ///< What was not used, and why.
    bool refused = false;            ///< A file is not as it was written.
  };
  /// Reads the newest snapshot that is right, and the journals after it. DATA_LOSS, with the reason
  /// of the newest one, if there are files and none can be used. `set_aside`: files that are
  /// refused get other names, so that no later start meets them.
  [[nodiscard]] absl::StatusOr<Loaded> load(bool set_aside);
  /// The same without the journals of generation `before` and later, which are being written.
  [[nodiscard]] absl::StatusOr<Loaded> load_before(std::uint64_t before) const;

  /// Opens a new file for writing; UNAVAILABLE with the system's reason.
  [[nodiscard]] absl::StatusOr<FileDescriptor> create(const std::string& name) const;
  /// Gives a file its name for good.
  [[nodiscard]] absl::Status rename(const std::string& from, const std::string& to) const;
  /// After files were made or renamed: so that they are found after a power cut.
  [[nodiscard]] absl::Status sync() const;
  /// Removes all files of generations before that one, and what is left of unfinished ones.
  void remove_before(std::uint64_t generation) const;
  void remove(const std::string& name) const;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string path_of(const std::string& name) const { return path_ + "/" + name; }

 private:
  StateDirectory(std::string path, FileDescriptor lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}
  struct Files;
  [[nodiscard]] absl::StatusOr<Files> list() const;
  [[nodiscard]] absl::StatusOr<Loaded> read(const Files& files, std::uint64_t before,
                                            std::vector<std::string>& refused) const;
  // Returns the reason if the snapshot is not used.
  [[nodiscard]] absl::Status read_snapshot(std::uint64_t generation, Loaded& loaded) const;
  void read_journals(const Files& files, std::uint64_t before, Loaded& loaded,
                     std::vector<std::string>& refused) const;

  std::string path_;
  FileDescriptor lock_;
};

[[nodiscard]] std::string snapshot_name(std::uint64_t generation);
[[nodiscard]] std::string journal_name(std::uint64_t generation);

/// UNAVAILABLE, or RESOURCE_EXHAUSTED for a disk that is full: "state: <path>: <reason>".
[[nodiscard]] absl::Status system_error(const std::string& path, int error);

/// Writes all of `bytes` at `offset`.
[[nodiscard]] absl::Status write_all(int file, const std::string& path, std::string_view bytes,
                                     std::uint64_t offset);

}  // namespace drip::state
