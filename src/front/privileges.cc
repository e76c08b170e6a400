// SPDX-License-Identifier: BSD-3-Clause
#include "front/privileges.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>

#include "base/errors.h"
#include "base/file_descriptor.h"
#include "base/log.h"
#include "base/text.h"

namespace drip::front {
namespace {

absl::Status become(const std::string& user) {
  const passwd* const entry = getpwnam(user.c_str());
  if (entry == nullptr) {
    return not_allowed("control_user", quoted(user), "the name of a user of this machine");
  }
  if (entry->pw_uid == geteuid()) return absl::OkStatus();
  if (setgroups(0, nullptr) != 0 || setgid(entry->pw_gid) != 0 || setuid(entry->pw_uid) != 0) {
    return absl::PermissionDeniedError(joined("control_user: dripd may not become ", quoted(user),
                                              ": ", std::generic_category().message(errno)));
  }
  return absl::OkStatus();
}

void drop_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  // A service manager may forbid the call: then it also has left nothing to drop, unless it is
  // root.
  if (syscall(SYS_capset, &header, sets.data()) == 0) return;
  if (syscall(SYS_capget, &header, sets.data()) == 0 &&
      (sets[0].permitted | sets[1].permitted) == 0) {
    return;
  }
  log_warning("control process: it keeps its capabilities: {}",
              std::generic_category().message(errno));
}

// The first that the kernel ends when memory runs out (proc(5)).
void prefer_for_oom() {
  const FileDescriptor file(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  constexpr std::string_view kScore = "800";
  if (file) (void)!write(file.get(), kScore.data(), kScore.size());
}

}  // namespace

absl::Status drop_privileges(const std::string& user) {
  prefer_for_oom();
  if (!user.empty()) {
    if (absl::Status status = become(user); !status.ok()) return status;
  }
  drop_capabilities();
  (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  // After a change of user, which clears it. A parent that is gone already has closed the link.
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  return absl::OkStatus();
}

}  // namespace drip::front
