// SPDX-License-Identifier: BSD-3-Clause
// A thread writes the line, because a call that takes long does not come back to do it.
#include "cli/session/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>

namespace drip::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSilence{1000};
constexpr milliseconds kRedraw{200};
constexpr std::size_t kMostBar = 40;
constexpr const char* kEraseLine = "\r\x1b[K";

std::atomic<bool> any_active = false;

bool is_usable() {
  const char* const name = std::getenv("TERM");
  return isatty(STDERR_FILENO) == 1 && name != nullptr && std::strcmp(name, "dumb") != 0;
}

std::size_t terminal_width() {
  winsize size{};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

}  // namespace

std::string progress_text(const std::string& what, std::uint64_t done, std::uint64_t total,
                          std::chrono::seconds since, std::size_t width) {
  std::string text;
  if (total == 0) {
    text = fmt::format("{}, {} s", what, since.count());
  } else {
    done = std::min(done, total);
    const std::string numbers = fmt::format(" {} of {}, {} s", done, total, since.count());
    const std::size_t others = what.size() + numbers.size() + 3;
    const std::size_t bar = width > others + 4 ? std::min(width - others, kMostBar) : 0;
    const auto filled = static_cast<std::size_t>(
        static_cast<double>(done) / static_cast<double>(total) * static_cast<double>(bar));
    text = bar == 0 ? what + numbers
                    : fmt::format("{} [{}{}]{}", what, std::string(filled, '#'),
                                  std::string(bar - filled, '.'), numbers);
  }
  if (text.size() > width) text.resize(width);
  return text;
}

Progress::Progress(std::string what, std::uint64_t total) : what_(std::move(what)), total_(total) {
  if (!is_usable() || any_active.exchange(true)) return;
  active_ = true;
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

Progress::~Progress() {
  if (!active_) return;
  thread_.request_stop();
  thread_.join();
  if (shown_) {
    std::fputs(kEraseLine, stderr);
    std::fflush(stderr);
  }
  any_active = false;
}

void Progress::run(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  const auto stopped = [&] { return stop.stop_requested(); };
  for (milliseconds wait = kSilence; !changed.wait_for(lock, stop, wait, stopped); wait = kRedraw) {
    const auto since =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin_);
    // The last column stays free: some terminals go to the next line there.
    const std::string text = progress_text(what_, done_, total_, since, terminal_width() - 1);
    fmt::print(stderr, "{}{}", kEraseLine, text);
    std::fflush(stderr);
    shown_ = true;
  }
}

}  // namespace drip::cli
