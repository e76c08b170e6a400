// SPDX-License-Identifier: BSD-3-Clause
// Non-blocking sockets, poll() and the deadline.
#include "cluster/redis/socket_stream.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <future>
#include <utility>
#include <vector>

#include "base/file_descriptor.h"
#include "base/text.h"
#include "base/thread.h"

namespace drip::cluster {
namespace {

absl::Status failed(const std::string& peer, std::string_view what, int error) {
  return absl::UnavailableError(joined(peer, ": ", what, ": ", std::strerror(error)));
}

// Until `events` or the deadline.
absl::Status wait_for(int fd, short events, const std::string& peer, Deadline deadline) {
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      return absl::DeadlineExceededError(joined(peer, ": no answer before the deadline"));
    }
    pollfd waited{fd, events, 0};
    constexpr std::int64_t kMostMs = 60'000;
    const int ready =
        poll(&waited, 1, static_cast<int>(std::min<std::int64_t>(left.count(), kMostMs)));
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return failed(peer, "poll", errno);
  }
}

class SocketStream final : public ByteStream {
 public:
  SocketStream(FileDescriptor socket, std::string peer)
      : socket_(std::move(socket)), peer_(std::move(peer)) {}

  absl::Status write(std::string_view bytes, Deadline deadline) override {
    while (!bytes.empty()) {
      const ssize_t sent = send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        if (auto status = wait_for(socket_.get(), POLLOUT, peer_, deadline); !status.ok()) {
          return status;
        }
      } else if (errno != EINTR) {
        return failed(peer_, "send", errno);
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::size_t> read(std::span<char> into, Deadline deadline) override {
    while (true) {
      const ssize_t received = recv(socket_.get(), into.data(), into.size(), 0);
      if (received > 0) return static_cast<std::size_t>(received);
      if (received == 0) return absl::UnavailableError(joined(peer_, ": it closed the connection"));
      if (errno == EAGAIN || errno == EWOULDBLOCK) {
        if (auto status = wait_for(socket_.get(), POLLIN, peer_, deadline); !status.ok()) {
          return status;
        }
      } else if (errno != EINTR) {
        return failed(peer_, "recv", errno);
      }
    }
  }

 private:
  const FileDescriptor socket_;
  const std::string peer_;
};

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

struct Lookup {
  int error = 0;
  std::vector<Address> addresses;
};

Lookup look_up(const RedisEndpoint& peer, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* list = nullptr;
  Lookup result;
  result.error = getaddrinfo(peer.host.c_str(), std::to_string(peer.port).c_str(), &hints, &list);
  if (result.error != 0) return result;
  for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
    Address address;
    std::memcpy(&address.storage, each->ai_addr, each->ai_addrlen);
    address.length = each->ai_addrlen;
    result.addresses.push_back(address);
  }
  freeaddrinfo(list);
  return result;
}

// getaddrinfo() knows no deadline; a thread that nobody waits for any more ends by itself.
absl::StatusOr<std::vector<Address>> resolve(const RedisEndpoint& peer, Deadline deadline) {
  Lookup lookup = look_up(peer, AI_NUMERICHOST);
  if (lookup.error == EAI_NONAME) {
    std::promise<Lookup> promise;
    std::future<Lookup> answer = promise.get_future();
    start_thread("drip-resolve", [peer, promise = std::move(promise)]() mutable {
      promise.set_value(look_up(peer, AI_ADDRCONFIG));
    }).detach();
    if (answer.wait_until(deadline) != std::future_status::ready) {
      return absl::DeadlineExceededError(
          joined(peer.host, ": the name server did not answer before the deadline"));
    }
    lookup = answer.get();
  }
  if (lookup.error != 0) {
    return absl::UnavailableError(joined(peer.host, ": ", gai_strerror(lookup.error)));
  }
  return std::move(lookup.addresses);
}

absl::StatusOr<std::unique_ptr<ByteStream>> connect_to(const Address& address,
                                                       const std::string& peer, Deadline deadline) {
  FileDescriptor socket(
      ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return failed(peer, "socket", errno);
  if (address.storage.ss_family != AF_UNIX) {
    const int on = 1;
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  const auto* const name = reinterpret_cast<const sockaddr*>(&address.storage);
  if (connect(socket.get(), name, address.length) != 0) {
    if (errno != EINPROGRESS) return failed(peer, "connect", errno);
    if (auto status = wait_for(socket.get(), POLLOUT, peer, deadline); !status.ok()) return status;
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return failed(peer, "connect", error);
  }
  return std::make_unique<SocketStream>(std::move(socket), peer);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ByteStream>> connect_tcp(const RedisEndpoint& peer,
                                                        Deadline deadline) {
  const auto addresses = resolve(peer, deadline);
  if (!addresses.ok()) return addresses.status();
  absl::Status last = absl::UnavailableError(joined(peer.host, ": the name has no address"));
  for (const Address& address : *addresses) {
    auto stream = connect_to(address, to_string(peer), deadline);
    if (stream.ok()) return stream;
    last = stream.status();
  }
  return last;
}

absl::StatusOr<std::unique_ptr<ByteStream>> connect_unix(const std::string& path,
                                                         Deadline deadline) {
  Address address;
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path) {
    return absl::InvalidArgumentError(joined(path, ": the path of a socket has at most ",
                                             sizeof name.sun_path - 1, " characters"));
  }
  std::memcpy(name.sun_path, path.data(), path.size());
  std::memcpy(&address.storage, &name, sizeof name);
  address.length = sizeof name;
  return connect_to(address, path, deadline);
}

}  // namespace drip::cluster
