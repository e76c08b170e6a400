// SPDX-License-Identifier: BSD-3-Clause
// Binds TCP and Unix sockets.
#include "control/listen/listen_socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <string_view>
#include <system_error>

#include "absl/status/status.h"
#include "base/errors.h"
#include "base/text.h"

namespace drip::control {
namespace {

constexpr int kBacklog = 1024;
constexpr const char* kAllowed = "HOST:PORT such as 127.0.0.1:50051 or [::1]:50051, or unix:PATH";

absl::Status cannot_listen(const std::string& address, int error) {
  const std::string text =
      joined("listen: ", address, ": ", std::generic_category().message(error));
  return error == EADDRINUSE ? absl::AlreadyExistsError(text) : absl::UnavailableError(text);
}

FileDescriptor open_socket(int family) {
  return FileDescriptor(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

std::uint16_t bound_port(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  // The port is at the same offset for IPv4 and IPv6.
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

void set_port(addrinfo& entry, std::uint16_t port) {
  reinterpret_cast<sockaddr_in*>(entry.ai_addr)->sin_port = htons(port);
}

// Checked here because getaddrinfo() accepts 65537 as port 1.
bool is_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port <= 65535;
}

// Returns no descriptor, and sets errno, if it fails.
FileDescriptor bind_tcp(const addrinfo& entry) {
  FileDescriptor fd = open_socket(entry.ai_family);
  if (!fd) return fd;
  const int on = 1;
  // Allows the port although connections of an earlier process are in TIME_WAIT. Not SO_REUSEPORT,
  // with which a second daemon could bind the same port and get some of the connections.
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (entry.ai_family == AF_INET6) {
    const auto& v6 = *reinterpret_cast<const sockaddr_in6*>(entry.ai_addr);
    const int only_v6 = IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr) ? 0 : 1;
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6);
  }
  if (bind(fd.get(), entry.ai_addr, entry.ai_addrlen) != 0 || listen(fd.get(), kBacklog) != 0) {
    return FileDescriptor();
  }
  return fd;
}

absl::StatusOr<std::vector<ListenSocket>> listen_tcp(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 ||
      !is_port(std::string_view(address).substr(colon + 1))) {
    return not_allowed("listen", quoted(address), kAllowed);
  }
  std::string host = address.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string::npos) {
    return not_allowed("listen", quoted(address), kAllowed);
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found);
  if (error == EAI_SERVICE || error == EAI_NONAME) {
    return not_allowed("listen", quoted(address), joined(kAllowed, " (", gai_strerror(error), ")"));
  }
  if (error != 0) {
    return absl::UnavailableError(joined("listen: ", address, ": ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> entries(found, &freeaddrinfo);
  std::vector<ListenSocket> sockets;
  for (addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    if (!sockets.empty()) set_port(*entry, sockets.front().port());
    FileDescriptor fd = bind_tcp(*entry);
    // `localhost` has an IPv6 address also where IPv6 is disabled.
    const bool has_others = found->ai_next != nullptr;
    if (!fd && has_others && (errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT)) continue;
    if (!fd) return cannot_listen(address, errno);
    const std::uint16_t port = bound_port(fd.get());
    sockets.emplace_back(std::move(fd), port, std::string());
  }
  if (sockets.empty()) return cannot_listen(address, EADDRNOTAVAIL);
  return sockets;
}

// Whether a process listens at `path`.
bool answers(const sockaddr_un& path) {
  const FileDescriptor probe = open_socket(AF_UNIX);
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&path), sizeof path) == 0) return true;
  // ECONNREFUSED means that no process listens. EAGAIN is a full backlog; after EACCES it is not
  // known.
  return errno != ECONNREFUSED && errno != ENOENT;
}

// Mode, owner and group of the socket that was just made. -1 in chown() leaves one as it is.
bool set_access(const std::string& path, const ListenAddress& address) {
  constexpr auto kSame = static_cast<uid_t>(-1);
  if ((address.owner || address.group) &&
      lchown(path.c_str(), address.owner.value_or(kSame), address.group.value_or(kSame)) != 0) {
    return false;
  }
  return !address.mode || chmod(path.c_str(), *address.mode) == 0;
}

absl::StatusOr<std::vector<ListenSocket>> listen_unix(const ListenAddress& wanted) {
  const std::string& address = wanted.address;
  const std::string path = address.substr(kUnixScheme.size());
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof name.sun_path) {
    return not_allowed(
        "listen", quoted(address),
        joined("unix:PATH with a path of 1 to ", sizeof name.sun_path - 1, " bytes"));
  }
  std::memcpy(name.sun_path, path.data(), path.size());

  struct stat file {};
  if (lstat(path.c_str(), &file) == 0) {
    if (!S_ISSOCK(file.st_mode)) {
      return absl::AlreadyExistsError(
          joined("listen: ", address, ": the file exists and is no socket"));
    }
    if (answers(name)) {
      return absl::AlreadyExistsError(
          joined("listen: ", address, ": another process listens there"));
    }
    if (unlink(path.c_str()) != 0 && errno != ENOENT) return cannot_listen(address, errno);
  }
  FileDescriptor fd = open_socket(AF_UNIX);
  if (!fd || bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) {
    return cannot_listen(address, errno);
  }
  std::vector<ListenSocket> sockets;
  const int bound = fd.get();
  sockets.emplace_back(std::move(fd), 0, path);  // Removes the path from here on.
  // Nobody connects before listen(): who may is set by then.
  if (!set_access(path, wanted) || listen(bound, kBacklog) != 0) {
    return cannot_listen(address, errno);
  }
  return sockets;
}

}  // namespace

ListenSocket::ListenSocket(FileDescriptor fd, std::uint16_t port, std::string unix_path)
    : fd_(std::move(fd)), port_(port), unix_path_(std::move(unix_path)) {
  struct stat file {};
  if (!unix_path_.empty() && lstat(unix_path_.c_str(), &file) == 0) {
    device_ = file.st_dev;
    inode_ = file.st_ino;
  }
}

ListenSocket::ListenSocket(ListenSocket&& other) noexcept
    : fd_(std::move(other.fd_)),
      port_(other.port_),
      unix_path_(std::exchange(other.unix_path_, {})),
      device_(other.device_),
      inode_(other.inode_) {}

ListenSocket::~ListenSocket() {
  struct stat file {};
  if (unix_path_.empty() || lstat(unix_path_.c_str(), &file) != 0) return;
  if (file.st_dev == device_ && file.st_ino == inode_) unlink(unix_path_.c_str());
}

bool ListenSocket::is_local() const {
  if (is_unix()) return true;
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) return false;
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    return (ntohl(v4.sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

absl::StatusOr<std::vector<ListenSocket>> listen_on(const ListenAddress& address) {
  return address.is_unix() ? listen_unix(address) : listen_tcp(address.address);
}

}  // namespace drip::control
