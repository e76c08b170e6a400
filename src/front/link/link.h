// SPDX-License-Identifier: BSD-3-Clause
// The socket between two processes of a node: messages in order, and descriptors with them.
#pragma once

#include <google/protobuf/message_lite.h>

#include <chrono>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/file_descriptor.h"

namespace drip::front {

/// Two sockets that are connected. UNAVAILABLE with the system's reason.
[[nodiscard]] absl::StatusOr<std::pair<FileDescriptor, FileDescriptor>> socket_pair(
    bool non_blocking);

/// For one thread. Errors are UNAVAILABLE: the other end is closed, or does not keep to the form,
/// and the link is of no more use.
class Link {
 public:
  /// Each message is less than this; a longer one from the other end is an error.
  static constexpr std::size_t kMostBytes = std::size_t{4} << 20;
  static constexpr std::size_t kMostDescriptors = 200;

  explicit Link(FileDescriptor socket);

  [[nodiscard]] int fd() const { return socket_.get(); }
  /// Also an error: the other end has not read for two seconds.
  [[nodiscard]] absl::Status send(const google::protobuf::MessageLite& message,
                                  std::span<const int> descriptors = {});
  /// DEADLINE_EXCEEDED, and the link is as before, if no message begins within `patience`.
  /// Descriptors that come with it are in `descriptors`; null: they are refused.
  [[nodiscard]] absl::Status receive(google::protobuf::MessageLite& message,
                                     std::chrono::milliseconds patience,
                                     std::vector<FileDescriptor>* descriptors = nullptr);

 private:
  [[nodiscard]] absl::Status read_bytes(void* bytes, std::size_t size,
                                        std::vector<FileDescriptor>* descriptors);

  FileDescriptor socket_;
};

}  // namespace drip::front
