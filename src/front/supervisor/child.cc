// SPDX-License-Identifier: BSD-3-Clause
// posix_spawn(3), which shares the memory until the program is there, not fork(2): that would mark
// every page of the data path as copied on write, and its polling threads would fault on each.
#include "front/supervisor/child.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "front/link/link.pb.h"

namespace drip::front {
namespace {

constexpr int kLinkDescriptor = 3;

// Of a child that is being started: nothing but the link is inherited, and no signal is blocked.
class SpawnSettings {
 public:
  explicit SpawnSettings(int link) {
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, link, kLinkDescriptor);
    posix_spawn_file_actions_addclosefrom_np(&files, kLinkDescriptor + 1);
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  posix_spawn_file_actions_t files{};
  posix_spawnattr_t attributes{};
};

std::string text_of_status(int status) {
  if (WIFSIGNALED(status)) {
    return joined("was killed by signal ", WTERMSIG(status), " (", strsignal(WTERMSIG(status)),
                  ")");
  }
  return joined("exited with ", WEXITSTATUS(status));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Child>> Child::start(const std::string& program) {
  auto link = socket_pair(false);
  if (!link.ok()) return link.status();
  const SpawnSettings settings(link->second.get());
  std::string name = program.substr(program.rfind('/') + 1);
  std::string flag = "--link";
  std::string value = std::to_string(kLinkDescriptor);
  char* const arguments[] = {name.data(), flag.data(), value.data(), nullptr};
  pid_t pid = -1;
  const int error =
      posix_spawn(&pid, program.c_str(), &settings.files, &settings.attributes, arguments, environ);
  if (error != 0) {
    return absl::UnavailableError(
        joined("control process: ", program, ": ", std::generic_category().message(error)));
  }
  return std::unique_ptr<Child>(new Child(pid, std::move(link->first)));
}

Child::~Child() { (void)end(); }

bool Child::has_ended() {
  if (pid_ < 0) return true;
  if (waitpid(pid_, &status_, WNOHANG) != pid_) return false;
  pid_ = -1;
  return true;
}

std::string Child::end() {
  if (!has_ended()) {
    kill(pid_, SIGKILL);
    while (waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
  }
  return text_of_status(status_);
}

bool Child::ask() {
  if (missed_ > 0) return ++missed_ <= kMissed;
  ToControl message;
  message.set_ping(++asked_);
  missed_ = 1;
  // That it cannot be told is seen by its end, or by the answer that does not come.
  (void)link_.send(message);
  return true;
}

}  // namespace drip::front
