// SPDX-License-Identifier: BSD-3-Clause
// Stores batches of changes so that they survive a restart and a power cut.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/file_descriptor.h"
#include "base/mutex.h"
#include "state/batch.h"
#include "state/state_directory.h"
#include "state/state_file.h"

namespace drip::state {

struct StateStats {
  bool failing = false;             ///< The last attempt to write has failed.
  std::uint64_t commits = 0;        ///< Writes that were synced; each has one batch or more.
  std::uint64_t failures = 0;       ///< Of writes, of syncs, and of reservations.
  std::uint64_t written_bytes = 0;  ///< Of journals.
  std::uint64_t journal_bytes = 0;  ///< Of the present one.
  std::uint64_t snapshots = 0;      ///< Made since the start.
  std::chrono::nanoseconds commit_time{0};  ///< Of all commits together.
};

/// An append-only journal, which a snapshot of all replaces when it has become as large. A thread
/// of its own, drip-state, writes: what is appended while it syncs goes with the next sync. Another
/// one, drip-snapshot, makes snapshots of what is on the disk; nobody waits for it. Thread safe.
class StateStore {
 public:
  /// Called once, on drip-state: OK when the batch is on the disk.
  using Done = std::function<void(const absl::Status&)>;

  /// A journal below that is not replaced.
  static constexpr std::uint64_t kLeastJournalBytes = std::uint64_t{4} << 20;

  /// Errors are those of StateDirectory::open() and load(). A disk that is full is none: the store
  /// says so (warnings()), and goes on when there is room.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<StateStore>> open(
      std::string path, std::uint64_t least_journal_bytes = kLeastJournalBytes);
  ~StateStore() { stop(); }
  StateStore(const StateStore&) = delete;
  StateStore& operator=(const StateStore&) = delete;

  /// What was stored before open(). Gives it away: later calls return nothing.
  [[nodiscard]] Image take_image() { return std::move(image_); }
  /// What of it could not be used, and why: for the log. Whether that is more than what a power cut
  /// leaves is warnings().
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

  /// Sees to it that so many bytes will fit on the disk, with what waits to be written: to be
  /// called before a change is made that append() is to store. RESOURCE_EXHAUSTED, or UNAVAILABLE,
  /// with the system's reason. A file system that cannot set space aside (fallocate(2)) says OK.
  [[nodiscard]] absl::Status reserve(std::size_t bytes);
  /// Stores `batch`, after those before it. If that fails, `done` says so, and it is tried again
  /// every second until it succeeds. `done` may be null, and so may `fill`, which adds to the batch
  /// on drip-state when it is written.
  void append(Batch batch, Done done, std::function<void(Batch&)> fill = nullptr);
  /// Stores what `fill` puts into a batch, on drip-state, when its turn has come. If that fails
  /// `done` says so, and it is given up.
  void append_late(std::function<void(Batch&)> fill, Done done);
  /// Writes what waits, and stops. Later calls of append() do nothing, and tell `done` at once.
  void stop();

  [[nodiscard]] StateStats stats() const;
  /// What the operator should know.
  [[nodiscard]] std::vector<std::string> warnings() const;
  [[nodiscard]] const std::string& path() const { return directory_.path(); }

 private:
  struct Entry {
    Batch batch;
    std::function<void(Batch&)> fill;  // If it is not null: adds to the batch.
    bool is_late = false;              // Is not tried again.
    Done done;
    std::uint64_t promised = 0;  // Of `promised_`.
  };

  StateStore(StateDirectory directory, StateDirectory::Loaded loaded, std::uint64_t least_bytes);
  void run();
  void commit(std::deque<Entry> entries);
  [[nodiscard]] absl::Status write(const std::string& bytes);
  // Begins the next generation, and its snapshot.
  [[nodiscard]] absl::Status rotate();
  [[nodiscard]] absl::Status reserve_locked(std::uint64_t end)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void tell(const absl::Status& status);
  void start_snapshot();
  [[nodiscard]] absl::Status make_snapshot(std::uint64_t generation, std::uint64_t previous,
                                           std::uint64_t previous_end);

  const StateDirectory directory_;
  const std::uint64_t least_journal_bytes_;
  Image image_;
  std::vector<std::string> notes_;
  const bool refused_;

  // Of drip-state.
  std::uint64_t generation_ = 0;    // Of the journal that is written; the newest of all files.
  std::uint64_t previous_ = 0;      // The journal before it.
  std::uint64_t previous_end_ = 0;  // So many bytes of that one count.
  FileWriter writer_;
  std::deque<Entry> unwritten_;  // Batches that the disk has not taken.
  std::thread snapshot_thread_;

  mutable Mutex mutex_;
  Condition changed_;
  FileDescriptor journal_ ABSL_GUARDED_BY(mutex_);  // Written by drip-state, without the lock.
  std::uint64_t end_ ABSL_GUARDED_BY(mutex_) = 0;   // What is in the journal.
  std::uint64_t reserved_end_ ABSL_GUARDED_BY(mutex_) = 0;  // What the disk has room for.
  std::uint64_t wanted_end_ ABSL_GUARDED_BY(mutex_) = 0;    // What it had no room for; 0: nothing.
  std::uint64_t promised_ ABSL_GUARDED_BY(mutex_) = 0;      // Bytes behind `end_`.
  std::deque<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  absl::Status error_ ABSL_GUARDED_BY(mutex_);  // Why nothing can be written; OK: it can.
  absl::Status snapshot_error_ ABSL_GUARDED_BY(mutex_);
  StateStats stats_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t snapshot_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // Of the last one.
  bool making_snapshot_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace drip::state
