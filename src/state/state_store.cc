// SPDX-License-Identifier: BSD-3-Clause
#include "state/state_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "base/thread.h"

namespace drip::state {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kRetryInterval{1};
// Set aside at a time, so that few changes ask the file system.
constexpr std::uint64_t kReserveStep = std::uint64_t{1} << 20;
// Of one frame of a snapshot, about.
constexpr std::size_t kSnapshotFrameBytes = std::size_t{1} << 20;
// What a frame has beside its batch, and some more.
constexpr std::uint64_t kFrameOverhead = 64;
// Of one write; what is more goes with the next sync.
constexpr std::size_t kMostBatches = 4096;

bool cannot_reserve(int error) { return error == EOPNOTSUPP || error == ENOSYS; }

}  // namespace

absl::StatusOr<std::unique_ptr<StateStore>> StateStore::open(std::string path,
                                                             std::uint64_t least_journal_bytes) {
  auto directory = StateDirectory::open(std::move(path));
  if (!directory.ok()) return directory.status();
  auto loaded = directory->load(true);
  if (!loaded.ok()) return loaded.status();
  return std::unique_ptr<StateStore>(
      new StateStore(*std::move(directory), *std::move(loaded), least_journal_bytes));
}

StateStore::StateStore(StateDirectory directory, StateDirectory::Loaded loaded,
                       std::uint64_t least_bytes)
    : directory_(std::move(directory)),
      least_journal_bytes_(least_bytes),
      image_(std::move(loaded.image)),
      notes_(std::move(loaded.notes)),
      refused_(loaded.refused),
      generation_(loaded.newest),
      previous_(loaded.journal),
      previous_end_(loaded.journal != 0 ? loaded.journal_end : loaded.snapshot) {
  // A new journal for each start, so that nothing is ever written behind what a power cut has left.
  tell(rotate());
  thread_ = start_thread("drip-state", [this] { run(); });
}

absl::Status StateStore::reserve_locked(std::uint64_t end) {
  if (end <= reserved_end_) return absl::OkStatus();
  const std::string path = directory_.path_of(journal_name(generation_));
  for (const std::uint64_t more : {kReserveStep, std::uint64_t{0}}) {
    const std::uint64_t wanted = end + more;
    if (fallocate(journal_.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(wanted)) == 0 ||
        cannot_reserve(errno)) {
      reserved_end_ = wanted;
      return absl::OkStatus();
    }
  }
  const int error = errno;
  ++stats_.failures;
  wanted_end_ = end;
  return system_error(path, error);
}

absl::Status StateStore::reserve(std::size_t bytes) {
  absl::Status status;
  {
    MutexLock lock(mutex_);
    if (!journal_ || !error_.ok()) {
      status = error_;
    } else {
      const std::uint64_t wanted = promised_ + bytes + kFrameOverhead;
      status = reserve_locked(end_ + wanted);
      if (status.ok()) return status;
    }
  }
  tell(status);
  return status;
}

void StateStore::append(Batch batch, Done done, std::function<void(Batch&)> fill) {
  {
    MutexLock lock(mutex_);
    if (!stopped_) {
      const std::uint64_t promised = batch.bytes().size() + kFrameOverhead;
      promised_ += promised;
      entries_.push_back({std::move(batch), std::move(fill), false, std::move(done), promised});
      changed_.notify_one();
      return;
    }
  }
  if (done) done(absl::UnavailableError("state: the node is stopping"));
}

void StateStore::append_late(std::function<void(Batch&)> fill, Done done) {
  {
    MutexLock lock(mutex_);
    if (!stopped_) {
      entries_.push_back({{}, std::move(fill), true, std::move(done), 0});
      changed_.notify_one();
      return;
    }
  }
  if (done) done(absl::UnavailableError("state: the node is stopping"));
}

void StateStore::stop() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
  if (snapshot_thread_.joinable()) snapshot_thread_.join();
}

void StateStore::tell(const absl::Status& status) {
  bool before = false;
  {
    MutexLock lock(mutex_);
    before = error_.ok();
    error_ = status;
    stats_.failing = !status.ok();
  }
  if (status.ok() == before) return;
  if (status.ok()) {
    log_info("state: {} is written again", directory_.path());
  } else {
    log_error("{}; changes of buckets and rules are refused until it can be written",
              message_of(status));
  }
}

void StateStore::run() {
  for (;;) {
    std::deque<Entry> entries;
    bool stopping = false;
    bool failing = false;
    {
      MutexLock lock(mutex_);
      while (entries_.empty() && !stopped_ && error_.ok()) changed_.wait(mutex_);
      if (!error_.ok() && !stopped_) changed_.wait_for(mutex_, kRetryInterval);
      stopping = stopped_;
      failing = !error_.ok();
      while (!entries_.empty() && entries.size() < kMostBatches) {
        entries.push_back(std::move(entries_.front()));
        entries_.pop_front();
      }
    }
    if (failing || !entries.empty() || !unwritten_.empty()) commit(std::move(entries));
    MutexLock lock(mutex_);
    if (stopping && (entries_.empty() || !error_.ok())) break;
  }
  std::deque<Entry> left;
  {
    MutexLock lock(mutex_);
    left.swap(entries_);
    if (!error_.ok() && !(unwritten_.empty() && left.empty())) {
      log_error("{}: {} changes are lost", message_of(error_), unwritten_.size() + left.size());
    }
  }
  for (Entry& entry : left) {
    if (entry.done) entry.done(absl::UnavailableError("state: the node is stopping"));
  }
}

void StateStore::commit(std::deque<Entry> entries) {
  const auto begin = steady_clock::now();
  bool has_journal = false;
  {
    MutexLock lock(mutex_);
    has_journal = static_cast<bool>(journal_);
  }
  absl::Status status = has_journal ? absl::OkStatus() : rotate();
  const Digest before = writer_.last();
  std::string bytes;
  std::uint64_t promised = 0;
  const auto add = [&](const Batch& batch) {
    if (!batch.empty()) bytes += writer_.frame(batch.bytes());
  };
  if (status.ok()) {
    for (const Entry& entry : unwritten_) {
      add(entry.batch);
      promised += entry.promised;
    }
    for (Entry& entry : entries) {
      promised += entry.promised;
      if (entry.fill) entry.fill(entry.batch);
      add(entry.batch);
    }
    status = write(bytes);
  }
  absl::Status space;
  if (status.ok()) {
    MutexLock lock(mutex_);
    end_ += bytes.size();
    promised_ -= promised;
    if (!bytes.empty()) {
      ++stats_.commits;
      stats_.written_bytes += bytes.size();
      stats_.commit_time += steady_clock::now() - begin;
    }
    // What was refused for want of space may fit by now.
    if (wanted_end_ > 0) space = reserve_locked(std::max(wanted_end_, end_));
    if (space.ok()) wanted_end_ = 0;
    unwritten_.clear();
  } else {
    writer_.set_last(before);
    MutexLock lock(mutex_);
    ++stats_.failures;
  }
  tell(status.ok() ? space : status);
  for (Entry& entry : entries) {
    if (entry.done) std::exchange(entry.done, nullptr)(status);
    if (!status.ok() && !entry.is_late) unwritten_.push_back(std::move(entry));
  }
  if (!status.ok()) return;
  bool wants_snapshot = false;
  {
    MutexLock lock(mutex_);
    wants_snapshot =
        !stopped_ && !making_snapshot_ && end_ > std::max(least_journal_bytes_, snapshot_bytes_);
  }
  if (!wants_snapshot) return;
  if (const absl::Status rotated = rotate(); !rotated.ok()) {
    // The present journal goes on; the next commit tries again.
    MutexLock lock(mutex_);
    snapshot_error_ = rotated;
  }
}

absl::Status StateStore::write(const std::string& bytes) {
  int file = -1;
  std::uint64_t end = 0;
  {
    MutexLock lock(mutex_);
    // Only this thread replaces it.
    file = journal_.get();
    end = end_;
    if (const absl::Status status = reserve_locked(end + bytes.size()); !status.ok()) return status;
  }
  if (bytes.empty()) return absl::OkStatus();
  const std::string path = directory_.path_of(journal_name(generation_));
  absl::Status status = write_all(file, path, bytes, end);
  if (status.ok() && fdatasync(file) != 0) status = system_error(path, errno);
  if (!status.ok()) (void)ftruncate(file, static_cast<off_t>(end));
  return status;
}

absl::Status StateStore::rotate() {
  FileHeader header;
  header.generation = generation_ + 1;
  {
    MutexLock lock(mutex_);
    header.previous = journal_ ? generation_ : previous_;
    header.previous_end = journal_ ? end_ : previous_end_;
  }
  const std::string name = journal_name(header.generation);
  const std::string path = directory_.path_of(name);
  auto file = directory_.create(name);
  if (!file.ok()) return file.status();
  FileWriter writer;
  const std::string bytes = writer.begin(header);
  const std::uint64_t reserved = bytes.size() + kReserveStep;
  absl::Status status = write_all(file->get(), path, bytes, 0);
  if (status.ok() &&
      fallocate(file->get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(reserved)) != 0 &&
      !cannot_reserve(errno)) {
    status = system_error(path, errno);
  }
  if (status.ok() && fsync(file->get()) != 0) status = system_error(path, errno);
  if (status.ok()) status = directory_.sync();
  if (!status.ok()) {
    directory_.remove(name);
    return status;
  }
  previous_ = header.previous;
  previous_end_ = header.previous_end;
  generation_ = header.generation;
  writer_ = writer;
  {
    MutexLock lock(mutex_);
    journal_ = *std::move(file);
    end_ = bytes.size();
    reserved_end_ = reserved;
    wanted_end_ = 0;
  }
  start_snapshot();
  return absl::OkStatus();
}

void StateStore::start_snapshot() {
  {
    MutexLock lock(mutex_);
    if (making_snapshot_) return;
    making_snapshot_ = true;
  }
  if (snapshot_thread_.joinable()) snapshot_thread_.join();
  snapshot_thread_ = start_thread(
      "drip-snapshot",
      [this, generation = generation_, previous = previous_, previous_end = previous_end_] {
        const absl::Status status = make_snapshot(generation, previous, previous_end);
        if (!status.ok()) log_error("{}: the snapshot was not made", message_of(status));
        MutexLock lock(mutex_);
        snapshot_error_ = status;
        making_snapshot_ = false;
      });
}

absl::Status StateStore::make_snapshot(std::uint64_t generation, std::uint64_t previous,
                                       std::uint64_t previous_end) {
  const auto loaded = directory_.load_before(generation);
  if (!loaded.ok()) return loaded.status();
  const std::uint64_t end = loaded->journal != 0 ? loaded->journal_end : loaded->snapshot;
  if (loaded->journal != previous || end != previous_end) {
    return absl::DataLossError(joined("state: ", directory_.path_of(journal_name(previous)),
                                      " has changed: ", end, " bytes of it count, and ",
                                      previous_end, " were written"));
  }
  const std::string name = snapshot_name(generation);
  const std::string unfinished = name + ".tmp";
  const std::string path = directory_.path_of(unfinished);
  auto file = directory_.create(unfinished);
  if (!file.ok()) return file.status();
  FileWriter writer;
  std::uint64_t size = 0;
  const auto write = [&](const std::string& bytes) {
    absl::Status status = write_all(file->get(), path, bytes, size);
    size += bytes.size();
    return status;
  };
  absl::Status status = write(writer.begin({FileKind::kSnapshot, generation, 0, 0}));
  Batch batch;
  for (const auto& [key, value] : loaded->image) {
    batch.put(key, value);
    if (batch.bytes().size() < kSnapshotFrameBytes) continue;
    if (status.ok()) status = write(writer.frame(batch.bytes()));
    batch = {};
  }
  if (status.ok() && !batch.empty()) status = write(writer.frame(batch.bytes()));
  if (status.ok()) status = write(writer.frame(""));
  if (status.ok() && fsync(file->get()) != 0) status = system_error(path, errno);
  if (status.ok()) status = directory_.rename(unfinished, name);
  if (status.ok()) status = directory_.sync();
  if (!status.ok()) {
    directory_.remove(unfinished);
    return status;
  }
  // What this one was made of stays: it is used if this one cannot be read.
  directory_.remove_before(std::max<std::uint64_t>(loaded->snapshot, 1));
  MutexLock lock(mutex_);
  ++stats_.snapshots;
  snapshot_bytes_ = size;
  return absl::OkStatus();
}

StateStats StateStore::stats() const {
  MutexLock lock(mutex_);
  StateStats stats = stats_;
  stats.journal_bytes = end_;
  return stats;
}

std::vector<std::string> StateStore::warnings() const {
  std::vector<std::string> warnings;
  MutexLock lock(mutex_);
  if (!error_.ok()) {
    warnings.push_back(joined(message_of(error_),
                              "; changes of buckets and rules are refused, and a restart may let "
                              "requests through too early"));
  }
  if (!snapshot_error_.ok()) {
    warnings.push_back(joined(message_of(snapshot_error_), "; the journal grows"));
  }
  if (refused_) {
    for (const std::string& note : notes_) warnings.push_back(note);
  }
  return warnings;
}

}  // namespace drip::state
