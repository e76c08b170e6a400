// SPDX-License-Identifier: BSD-3-Clause
#include "front/link/link.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <system_error>

#include "base/text.h"

namespace drip::front {
namespace {

// For the rest of a message that has begun, and for room to write one.
constexpr timeval kPatience{2, 0};

absl::Status broken(std::string_view what, int error) {
  return absl::UnavailableError(
      joined("link: ", what, ": ", std::generic_category().message(error)));
}

}  // namespace

absl::StatusOr<std::pair<FileDescriptor, FileDescriptor>> socket_pair(bool non_blocking) {
  std::array<int, 2> ends{};
  const int type = SOCK_STREAM | SOCK_CLOEXEC | (non_blocking ? SOCK_NONBLOCK : 0);
  if (socketpair(AF_UNIX, type, 0, ends.data()) != 0) return broken("socketpair", errno);
  return std::pair(FileDescriptor(ends[0]), FileDescriptor(ends[1]));
}

Link::Link(FileDescriptor socket) : socket_(std::move(socket)) {
  setsockopt(fd(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  setsockopt(fd(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
}

absl::Status Link::send(const google::protobuf::MessageLite& message,
                        std::span<const int> descriptors) {
  std::string bytes(sizeof(std::uint32_t), '\0');
  if (!message.AppendToString(&bytes) || bytes.size() > kMostBytes ||
      descriptors.size() > kMostDescriptors) {
    return absl::InternalError("link: a message is too long");
  }
  const auto size = static_cast<std::uint32_t>(bytes.size() - sizeof(std::uint32_t));
  std::memcpy(bytes.data(), &size, sizeof size);

  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostDescriptors * sizeof(int))> control{};
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    iovec part{bytes.data() + sent, bytes.size() - sent};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (sent == 0 && !descriptors.empty()) {
      header.msg_control = control.data();
      header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
      cmsghdr* const rights = CMSG_FIRSTHDR(&header);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
      std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
    }
    const ssize_t got = sendmsg(fd(), &header, MSG_NOSIGNAL);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return broken("write", errno);
    sent += static_cast<std::size_t>(got);
  }
  return absl::OkStatus();
}

absl::Status Link::read_bytes(void* bytes, std::size_t size,
                              std::vector<FileDescriptor>* descriptors) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostDescriptors * sizeof(int))> control{};
  std::size_t read = 0;
  while (read < size) {
    iovec part{static_cast<char*>(bytes) + read, size - read};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    // Without room for them the kernel drops descriptors.
    if (descriptors != nullptr) {
      header.msg_control = control.data();
      header.msg_controllen = control.size();
    }
    const ssize_t got = recvmsg(fd(), &header, MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return broken("read", errno);
    if (got == 0) return absl::UnavailableError("link: the other end is closed");
    for (cmsghdr* one = CMSG_FIRSTHDR(&header); one != nullptr; one = CMSG_NXTHDR(&header, one)) {
      if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_RIGHTS) continue;
      const std::size_t count = (one->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int descriptor = -1;
        std::memcpy(&descriptor, CMSG_DATA(one) + i * sizeof(int), sizeof(int));
        descriptors->emplace_back(descriptor);
      }
    }
    read += static_cast<std::size_t>(got);
  }
  return absl::OkStatus();
}

absl::Status Link::receive(google::protobuf::MessageLite& message,
                           std::chrono::milliseconds patience,
                           std::vector<FileDescriptor>* descriptors) {
  pollfd polled{fd(), POLLIN, 0};
  const int ready = poll(&polled, 1, static_cast<int>(patience.count()));
  if (ready == 0 || (ready < 0 && errno == EINTR)) {
    return absl::DeadlineExceededError("link: no message");
  }
  std::uint32_t size = 0;
  if (absl::Status status = read_bytes(&size, sizeof size, descriptors); !status.ok()) {
    return status;
  }
  if (size > kMostBytes) return absl::UnavailableError("link: a message is too long");
  std::string bytes(size, '\0');
  if (absl::Status status = read_bytes(bytes.data(), size, descriptors); !status.ok()) {
    return status;
  }
  if (!message.ParseFromString(bytes)) return absl::UnavailableError("link: no message of ours");
  return absl::OkStatus();
}

}  // namespace drip::front
