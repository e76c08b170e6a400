// SPDX-License-Identifier: BSD-3-Clause
#include "state/state_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "base/text.h"

namespace drip::state {
namespace {

constexpr std::string_view kSnapshot = "snapshot.";
constexpr std::string_view kJournal = "journal.";
constexpr std::string_view kRefused = ".refused";

// The number between `prefix` and `suffix`.
std::optional<std::uint64_t> number_in(std::string_view name, std::string_view prefix,
                                       std::string_view suffix = "") {
  if (!name.starts_with(prefix) || !name.ends_with(suffix)) return std::nullopt;
  if (name.size() <= prefix.size() + suffix.size()) return std::nullopt;
  name.remove_prefix(prefix.size());
  name.remove_suffix(suffix.size());
  std::uint64_t number = 0;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data(), end, number);
  if (error != std::errc() || stop != end || number == 0) return std::nullopt;
  return number;
}

absl::StatusOr<std::string> read_whole(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file) return system_error(path, errno);
  std::string bytes;
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  for (;;) {
    const std::size_t size = bytes.size();
    bytes.resize(size + kPiece);
    const ssize_t count = ::read(file.get(), bytes.data() + size, kPiece);
    bytes.resize(size + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error(path, errno);
    if (count == 0) return bytes;
  }
}

std::string holder_of(const FileDescriptor& lock) {
  char text[32] = {};
  const ssize_t size = pread(lock.get(), text, sizeof text - 1, 0);
  if (size <= 0) return "";
  const std::string_view pid(text, static_cast<std::size_t>(size));
  return joined(" (process ", pid.substr(0, pid.find('\n')), ")");
}

}  // namespace

std::string snapshot_name(std::uint64_t generation) { return joined(kSnapshot, generation); }
std::string journal_name(std::uint64_t generation) { return joined(kJournal, generation); }

absl::Status system_error(const std::string& path, int error) {
  const std::string text = joined("state: ", path, ": ", std::generic_category().message(error));
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  return full ? absl::ResourceExhaustedError(text) : absl::UnavailableError(text);
}

absl::Status write_all(int file, const std::string& path, std::string_view bytes,
                       std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t count = pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error(path, errno);
    bytes.remove_prefix(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return absl::OkStatus();
}

// The generations of which there are files.
struct StateDirectory::Files {
  std::set<std::uint64_t> snapshots;
  std::set<std::uint64_t> journals;
  std::uint64_t newest = 0;  // Refused ones included.
};

absl::StatusOr<StateDirectory> StateDirectory::open(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return system_error(path, errno);
  const std::string name = path + "/lock";
  FileDescriptor lock(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600));
  if (!lock) return system_error(name, errno);
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return system_error(name, errno);
    return absl::FailedPreconditionError(joined("state: ", path, " is in use by another dripd",
                                                holder_of(lock),
                                                "; each needs a directory of its own"));
  }
  // For people; the lock counts, not the number.
  const std::string pid = joined(getpid(), "\n");
  if (ftruncate(lock.get(), 0) == 0) (void)write_all(lock.get(), name, pid, 0);
  return StateDirectory(std::move(path), std::move(lock));
}

absl::StatusOr<StateDirectory::Files> StateDirectory::list() const {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path_.c_str()), closedir);
  if (directory == nullptr) return system_error(path_, errno);
  Files files;
  while (const dirent* const entry = readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (const auto snapshot = number_in(name, kSnapshot)) files.snapshots.insert(*snapshot);
    if (const auto journal = number_in(name, kJournal)) files.journals.insert(*journal);
    for (const std::string_view kind : {kSnapshot, kJournal}) {
      for (const std::string_view suffix : {std::string_view(), kRefused}) {
        files.newest = std::max(files.newest, number_in(name, kind, suffix).value_or(0));
      }
    }
  }
  return files;
}

absl::Status StateDirectory::read_snapshot(std::uint64_t generation, Loaded& loaded) const {
  const std::string path = path_of(snapshot_name(generation));
  const absl::StatusOr<std::string> bytes = read_whole(path);
  if (!bytes.ok()) return bytes.status();
  Image image;
  const FileContent content = read_file(*bytes, image);
  if (!content.problem.ok()) {
    return absl::DataLossError(joined("state: ", path, ": ", message_of(content.problem)));
  }
  if (content.header.kind != FileKind::kSnapshot || content.header.generation != generation) {
    return absl::DataLossError(joined("state: ", path, ": byte 12: this is another file: kind ",
                                      static_cast<std::uint32_t>(content.header.kind),
                                      ", generation ", content.header.generation));
  }
  loaded.image = std::move(image);
  loaded.snapshot = generation;
  return absl::OkStatus();
}

void StateDirectory::read_journals(const Files& files, std::uint64_t before, Loaded& loaded,
                                   std::vector<std::string>& refused) const {
  auto next = files.journals.lower_bound(loaded.snapshot);
  for (; next != files.journals.end() && *next < before; ++next) {
    const std::string path = path_of(journal_name(*next));
    const auto refuse = [&](std::string_view why) {
      loaded.notes.push_back(joined("state: ", path, ": ", why));
      loaded.refused = true;
    };
    const absl::StatusOr<std::string> bytes = read_whole(path);
    if (!bytes.ok()) {
      loaded.notes.emplace_back(message_of(bytes.status()));
      loaded.refused = true;
      break;
    }
    // Into a copy only if needed: the header is read before the first change.
    Image nothing;
    const FileContent header = read_file(bytes->substr(0, kHeaderAndDigestBytes), nothing);
    if (!header.problem.ok()) {
      // A journal whose header was being written holds no change.
      if (header.cut_off && bytes->size() < kHeaderAndDigestBytes) {
        loaded.notes.push_back(
            joined("state: ", path, ": ", message_of(header.problem), ": it was being made"));
      } else {
        refuse(message_of(header.problem));
      }
      break;
    }
    if (header.header.kind != FileKind::kJournal || header.header.generation != *next) {
      refuse(joined("byte 12: this is another file: kind ",
                    static_cast<std::uint32_t>(header.header.kind), ", generation ",
                    header.header.generation));
      break;
    }
    // What its own snapshot does not cover must be what it continues.
    if (*next != loaded.snapshot) {
      const FileHeader& its = header.header;
      if (its.previous != loaded.journal) {
        refuse(joined("byte 24: it continues journal ", its.previous, ", and the last is ",
                      loaded.journal));
        break;
      }
      if (its.previous == 0 && its.previous_end != loaded.snapshot) {
        refuse(joined("byte 32: it continues snapshot ", its.previous_end, ", and there is ",
                      loaded.snapshot));
        break;
      }
      if (its.previous != 0 && its.previous_end > loaded.journal_end) {
        refuse(joined("byte 32: it continues byte ", its.previous_end, " of journal ", its.previous,
                      ", of which ", loaded.journal_end, " can be read"));
        break;
      }
    }
    const FileContent content = read_file(*bytes, loaded.image);
    loaded.journal = *next;
    loaded.journal_end = content.end;
    if (content.problem.ok()) continue;
    loaded.notes.push_back(joined("state: ", path, ": ", message_of(content.problem),
                                  content.cut_off ? ": it was being written, and nobody was told "
                                                    "that it had been"
                                                  : "; what is behind is not used"));
    loaded.refused = loaded.refused || !content.cut_off;
  }
  for (; next != files.journals.end() && *next < before; ++next) {
    refused.push_back(journal_name(*next));
  }
}

absl::StatusOr<StateDirectory::Loaded> StateDirectory::read(
    const Files& files, std::uint64_t before, std::vector<std::string>& refused) const {
  Loaded loaded;
  loaded.newest = files.newest;
  absl::Status first_problem;
  for (auto next = files.snapshots.rbegin(); next != files.snapshots.rend(); ++next) {
    if (*next >= before) continue;
    const absl::Status status = read_snapshot(*next, loaded);
    if (status.ok()) break;
    if (first_problem.ok()) first_problem = status;
    loaded.notes.emplace_back(message_of(status));
    loaded.refused = true;
    refused.push_back(snapshot_name(*next));
  }
  // Without a snapshot the journals count if they go back to the beginning.
  read_journals(files, before, loaded, refused);
  if (loaded.snapshot == 0 && loaded.journal == 0 && first_problem.ok() && loaded.refused) {
    first_problem = absl::DataLossError(loaded.notes.front());
  }
  if (loaded.snapshot == 0 && loaded.journal == 0 && !first_problem.ok()) {
    return absl::DataLossError(joined(
        message_of(first_problem), "; no file of ", path_,
        " can be used: move the directory away to start without, or restore it from a backup"));
  }
  return loaded;
}

absl::StatusOr<StateDirectory::Loaded> StateDirectory::load(bool set_aside) {
  const auto files = list();
  if (!files.ok()) return files.status();
  std::vector<std::string> refused;
  auto loaded = read(*files, ~std::uint64_t{0}, refused);
  if (!loaded.ok() || !set_aside) return loaded;
  for (const std::string& name : refused) (void)rename(name, joined(name, kRefused));
  return loaded;
}

absl::StatusOr<StateDirectory::Loaded> StateDirectory::load_before(std::uint64_t before) const {
  const auto files = list();
  if (!files.ok()) return files.status();
  std::vector<std::string> refused;
  return read(*files, before, refused);
}

absl::StatusOr<FileDescriptor> StateDirectory::create(const std::string& name) const {
  const std::string path = path_of(name);
  FileDescriptor file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600));
  if (!file) return system_error(path, errno);
  return file;
}

absl::Status StateDirectory::rename(const std::string& from, const std::string& to) const {
  if (::rename(path_of(from).c_str(), path_of(to).c_str()) == 0) return absl::OkStatus();
  return system_error(path_of(to), errno);
}

absl::Status StateDirectory::sync() const {
  const FileDescriptor directory(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory && fsync(directory.get()) == 0) return absl::OkStatus();
  return system_error(path_, errno);
}

void StateDirectory::remove(const std::string& name) const { unlink(path_of(name).c_str()); }

void StateDirectory::remove_before(std::uint64_t generation) const {
  const auto files = list();
  if (!files.ok()) return;
  for (const std::uint64_t snapshot : files->snapshots) {
    if (snapshot < generation) remove(snapshot_name(snapshot));
  }
  for (const std::uint64_t journal : files->journals) {
    if (journal < generation) remove(journal_name(journal));
  }
}

}  // namespace drip::state
