// SPDX-License-Identifier: BSD-3-Clause
#include "access/audit_log.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "base/thread.h"

namespace drip::access {
namespace {

using std::chrono::system_clock;

constexpr std::chrono::seconds kRetryInterval{1};

std::string reason_of(int error) { return std::generic_category().message(error); }

FileDescriptor open_file(const std::string& path) {
  return FileDescriptor(
      ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600));
}

// RFC 8259, section 7.
void append_text(std::string& json, std::string_view text) {
  json += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      json += fmt::format("\\u{:04x}", byte);
    } else {
      json += c;
    }
  }
  json += '"';
}

void append_field(std::string& json, std::string_view name, std::string_view text) {
  json += joined(",\"", name, "\":");
  append_text(json, text);
}

std::string time_text(system_clock::time_point time) {
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(system_clock::to_time_t(time)),
                     milliseconds % 1000);
}

}  // namespace

std::string json_line(const AuditRecord& record) {
  std::string json = joined("{\"time\":\"", time_text(record.time), "\"");
  append_field(json, "caller", record.caller);
  append_field(json, "peer", record.peer);
  append_field(json, "method", record.method);
  if (!record.target.empty()) append_field(json, "target", record.target);
  if (!record.before.empty()) json += joined(",\"before\":", record.before);
  if (!record.after.empty()) json += joined(",\"after\":", record.after);
  append_field(json, "result", record.result);
  if (!record.error.empty()) append_field(json, "error", record.error);
  return json + "}\n";
}

absl::StatusOr<std::shared_ptr<AuditLog>> AuditLog::open(std::string path,
                                                         std::size_t most_queued_bytes) {
  FileDescriptor file = open_file(path);
  if (!file) {
    return absl::UnavailableError(joined("audit_log: ", path, ": ", reason_of(errno)));
  }
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

void AuditLog::record_refused(AuditRecord record) {
  {
    MutexLock lock(mutex_);
    if (record.time - refused_since_ >= std::chrono::seconds(1) || record.time < refused_since_) {
      refused_since_ = record.time;
      refused_ = 0;
    }
    if (++refused_ > kMostRefusedASecond) {
      ++refused_more_;
      return;
    }
    if (refused_more_ > 0) {
      record.error += joined(" (", std::exchange(refused_more_, 0), " more refused calls before)");
    }
  }
  this->record(record);
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
