// SPDX-License-Identifier: BSD-3-Clause
// Starts dripd and waits, with a bound, for what it should do.
#include "dripd_process.h"

#include <signal.h>

#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "wait_until.h"

namespace drip {
namespace {

constexpr std::string_view kServes = " serves on ";

std::vector<std::string> command(const std::vector<std::string>& flags) {
  const char* const dripd = std::getenv("DRIPD");
  if (dripd == nullptr) throw std::runtime_error("DRIPD (the program's path) is not set");
  std::vector<std::string> words = {dripd};
  words.insert(words.end(), flags.begin(), flags.end());
  return words;
}

int count(const std::string& text, std::string_view part) {
  int found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace

DripdProcess::DripdProcess(const std::vector<std::string>& flags,
                           const std::map<std::string, std::string>& environment)
    : process_(command(flags), {}, environment) {}

void DripdProcess::fail(const std::string& what) const {
  throw std::runtime_error("dripd " + what + "; its log:\n" + log());
}

std::string DripdProcess::serves() {
  logs(std::string(kServes));
  const std::string text = log();
  const std::size_t begin = text.find(kServes) + kServes.size();
  return text.substr(begin, text.find_first_of(",\n", begin) - begin);
}

void DripdProcess::logs(const std::string& text, int times) {
  bool ended = false;
  const bool done = wait_until([&] {
    ended = process_.has_ended();  // Before the log is read, for it may say so in the end.
    const std::string so_far = log();
    return count(so_far.substr(0, so_far.rfind('\n') + 1), text) >= times || ended;
  });
  if (!done || count(log(), text) < times) fail("did not log '" + text + "'");
}

Outcome DripdProcess::wait() {
  if (!wait_until([&] { return process_.has_ended(); })) fail("did not end");
  return process_.wait();
}

Outcome DripdProcess::stop() {
  signal(SIGTERM);
  return wait();
}

ServingDripd::ServingDripd(const std::vector<std::string>& more_flags,
                           const std::map<std::string, std::string>& environment) {
  std::vector<std::string> flags = {"--listen", "unix:" + directory_.path_of("dripd.sock")};
  flags.insert(flags.end(), more_flags.begin(), more_flags.end());
  process_ = std::make_unique<DripdProcess>(flags, environment);
  address_ = process_->serves();
}

}  // namespace drip
