// SPDX-License-Identifier: BSD-3-Clause
// posix_spawn with temporary files for its three streams, so that nothing can block on a pipe.
#include "process.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "wait_until.h"

namespace drip {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> result;
  for (const std::string& word : words) result.push_back(const_cast<char*>(word.c_str()));
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> merged(const std::map<std::string, std::string>& environment) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!environment.contains(text.substr(0, text.find('=')))) result.push_back(text);
  }
  for (const auto& [name, value] : environment) result.push_back(name + "=" + value);
  return result;
}

}  // namespace

Process::Process(const std::vector<std::string>& words, const std::string& input,
                 const std::map<std::string, std::string>& environment) {
  std::fwrite(input.data(), 1, input.size(), in_.get());
  std::fflush(in_.get());
  lseek(fileno(in_.get()), 0, SEEK_SET);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fileno(in_.get()), 0);
  posix_spawn_file_actions_adddup2(&actions, fileno(out_.get()), 1);
  posix_spawn_file_actions_adddup2(&actions, fileno(err_.get()), 2);
  const std::vector<std::string> variables = merged(environment);
  const int error = posix_spawnp(&pid_, words.front().c_str(), &actions, nullptr,
                                 pointers(words).data(), pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error("cannot start " + words.front());
}

Process::~Process() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

std::string Process::content(const File& file) {
  std::string text;
  char chunk[4096];
  ssize_t size = 0;
  while ((size = pread(fileno(file.get()), chunk, sizeof chunk, static_cast<off_t>(text.size()))) >
         0) {
    text.append(chunk, static_cast<std::size_t>(size));
  }
  return text;
}

std::string Process::out() const { return content(out_); }

std::string Process::err() const { return content(err_); }

std::vector<std::string> Process::thread_names() const {
  std::vector<std::string> names;
  const std::string tasks = "/proc/" + std::to_string(pid_) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks)) {
    std::getline(std::ifstream(task.path() / "comm"), names.emplace_back());
  }
  return names;
}

bool Process::has_ended() const {
  siginfo_t info{};
  // WNOWAIT leaves it to wait().
  return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid != 0;
}

bool Process::has_written(const std::string& text) const {
  return wait_until([&] { return out().find(text) != std::string::npos; });
}

void Process::send_signal(int signal) const { kill(pid_, signal); }

Outcome Process::wait() {
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), content(out_),
          content(err_)};
}

}  // namespace drip
