// SPDX-License-Identifier: BSD-3-Clause
#include "access/audit/audit_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "base/thread.h"

namespace drip::access {
namespace {

constexpr std::chrono::seconds kRetryInterval{1};

std::string reason_of(int error) { return std::generic_category().message(error); }

FileDescriptor open_file(const std::string& path) {
  return FileDescriptor(
      ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600));
}

// The file's last bytes, at most so many; empty if it cannot be read.
std::string end_of_file(const std::string& path, std::size_t most_bytes) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat status {};
  // A device or a pipe has no end.
  if (!file || fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return "";
  const auto size = static_cast<std::size_t>(status.st_size);
  std::string end(std::min(size, most_bytes), '\0');
  std::size_t read = 0;
  while (read < end.size()) {
    const ssize_t count = pread(file.get(), end.data() + read, end.size() - read,
                                static_cast<off_t>(size - end.size() + read));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    read += static_cast<std::size_t>(count);
  }
  end.resize(read);
  return end;
}

}  // namespace

absl::StatusOr<std::shared_ptr<AuditLog>> AuditLog::open(std::string path,
                                                         std::size_t most_queued_bytes) {
  FileDescriptor file = open_file(path);
  if (!file) {
    return absl::UnavailableError(joined("audit_log: ", path, ": ", reason_of(errno)));
  }
  const std::string last = end_of_file(path, 1);
  // The thread tells of a file that takes nothing.
  if (!last.empty() && last != "\n") (void)!::write(file.get(), "\n", 1);
  return std::shared_ptr<AuditLog>(
      new AuditLog(std::move(path), std::move(file), most_queued_bytes));
}

AuditLog::AuditLog(std::string path, FileDescriptor file, std::size_t most_queued_bytes)
    : path_(std::move(path)),
      most_queued_bytes_(most_queued_bytes),
      file_(std::move(file)),
      thread_(start_thread("drip-audit", [this] { run(); })) {}

AuditLog::~AuditLog() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }
  thread_.join();
  if (file_) fdatasync(file_.get());
}

void AuditLog::record(const AuditRecord& record) {
  std::string line = json_line(record);
  MutexLock lock(mutex_);
  if (queued_bytes_ + line.size() > most_queued_bytes_) {
    ++lost_;
    return;
  }
  queued_bytes_ += line.size();
  lines_.push_back(std::move(line));
  changed_.notify_all();
}

std::vector<AuditRecord> AuditLog::read_tail(std::size_t most_bytes) const {
  std::vector<AuditRecord> records;
  const std::string end = end_of_file(path_, most_bytes);
  std::string_view text = end;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    // The first and the last one may be parts of lines, which are no JSON.
    if (auto record = read_json_line(line)) records.push_back(*std::move(record));
  }
  return records;
}

void AuditLog::reopen() {
  MutexLock lock(mutex_);
  reopen_ = true;
  changed_.notify_all();
}

std::vector<std::string> AuditLog::warnings() const {
  std::vector<std::string> warnings;
  MutexLock lock(mutex_);
  if (!error_.empty()) {
    warnings.push_back(joined("audit log: ", path_, ": ", error_, "; ", lines_.size(),
                              " lines wait to be written"));
  }
  if (lost_ > 0) warnings.push_back(joined("audit log: ", lost_, " lines were lost"));
  return warnings;
}

void AuditLog::reopen_if_replaced(bool demanded) {
  struct stat named {};
  struct stat opened {};
  const bool same = file_ && stat(path_.c_str(), &named) == 0 && fstat(file_.get(), &opened) == 0 &&
                    named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
  if (same && !demanded) return;
  FileDescriptor file = open_file(path_);
  // Rather into the file that has another name now than nowhere.
  if (file) file_ = std::move(file);
}

bool AuditLog::write(std::string& lines) {
  while (!lines.empty()) {
    const ssize_t size = ::write(file_.get(), lines.data(), lines.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    lines.erase(0, static_cast<std::size_t>(size));
  }
  return true;
}

void AuditLog::run() {
  for (;;) {
    bool reopen = false;
    bool stopping = false;
    std::string line;
    {
      MutexLock lock(mutex_);
      while (lines_.empty() && !stopped_ && !reopen_) changed_.wait(mutex_);
      reopen = std::exchange(reopen_, false);
      stopping = stopped_;
      if (lines_.empty() && stopping) return;
      if (!lines_.empty()) line = lines_.front();
    }
    reopen_if_replaced(reopen);
    if (line.empty()) continue;
    // What is left of a line that did not go in whole.
    if (current_line_.empty()) current_line_ = line;
    const bool written = write(current_line_);
    const int error = errno;
    MutexLock lock(mutex_);
    if (written) {
      if (!error_.empty()) log_info("audit log: {} is written again", path_);
      error_.clear();
      queued_bytes_ -= line.size();
      lines_.pop_front();
      continue;
    }
    if (error_.empty()) log_error("audit log: {}: {}", path_, reason_of(error));
    error_ = reason_of(error);
    if (stopping) {
      log_error("audit log: {}: {} lines are lost", path_, lines_.size());
      return;
    }
    changed_.wait_for(mutex_, kRetryInterval);
  }
}

}  // namespace drip::access
