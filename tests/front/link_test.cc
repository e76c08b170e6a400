// SPDX-License-Identifier: BSD-3-Clause
// Messages and descriptors between two ends, and what is no message.
#include "front/link/link.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "front/link/link.pb.h"

namespace drip::front {
namespace {

using std::chrono::milliseconds;

class LinkTest : public testing::Test {
 protected:
  LinkTest() {
    auto ends = socket_pair(false);
    EXPECT_TRUE(ends.ok());
    left_ = std::make_unique<Link>(std::move(ends->first));
    right_ = std::make_unique<Link>(std::move(ends->second));
  }
  static ToControl ping(std::uint64_t number) {
    ToControl message;
    message.set_ping(number);
    return message;
  }
  void write_raw(const std::string& bytes) {
    ASSERT_EQ(write(left_->fd(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

  std::unique_ptr<Link> left_, right_;
};

TEST_F(LinkTest, MessagesInOrderInBothDirections) {
  for (std::uint64_t i = 1; i <= 3; ++i) ASSERT_TRUE(left_->send(ping(i)).ok());
  ToControl message;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(right_->receive(message, milliseconds(1000)).ok());
    EXPECT_EQ(message.ping(), i);
  }
  EXPECT_TRUE(absl::IsDeadlineExceeded(right_->receive(message, milliseconds(1))));
  FromControl answer;
  answer.set_pong(3);
  ASSERT_TRUE(right_->send(answer).ok());
  FromControl received;
  ASSERT_TRUE(left_->receive(received, milliseconds(1000)).ok());
  EXPECT_EQ(received.pong(), 3U);
}

TEST_F(LinkTest, DescriptorsComeWithTheirMessage) {
  ASSERT_TRUE(left_->send(ping(1)).ok());
  std::vector<int> pipes;
  std::vector<FileDescriptor> owned;
  for (int i = 0; i < 20; ++i) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    owned.emplace_back(ends[0]);
    owned.emplace_back(ends[1]);
    pipes.push_back(ends[1]);
  }
  ToControl settings;
  settings.mutable_settings()->mutable_tls()->set_client_ca(std::string(300'000, 'c'));
  // More than fits into the socket at once.
  std::thread sender([&] { ASSERT_TRUE(left_->send(settings, pipes).ok()); });
  ToControl message;
  std::vector<FileDescriptor> descriptors;
  ASSERT_TRUE(right_->receive(message, milliseconds(1000), &descriptors).ok());
  EXPECT_TRUE(descriptors.empty());
  ASSERT_TRUE(right_->receive(message, milliseconds(1000), &descriptors).ok());
  sender.join();
  EXPECT_EQ(message.settings().tls().client_ca().size(), 300'000U);
  ASSERT_EQ(descriptors.size(), pipes.size());
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    const char byte = static_cast<char>('a' + i);
    char read_byte = 0;
    ASSERT_EQ(write(descriptors[i].get(), &byte, 1), 1);
    ASSERT_EQ(read(owned[2 * i].get(), &read_byte, 1), 1);
    EXPECT_EQ(read_byte, byte);
  }
}

// A process that was taken over cannot fill the other's table of descriptors.
TEST_F(LinkTest, DescriptorsThatNobodyAskedForAreDropped) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  FileDescriptor reading(ends[0]);
  ASSERT_TRUE(left_->send(ping(1), std::vector<int>{ends[1]}).ok());
  close(ends[1]);
  ToControl message;
  ASSERT_TRUE(right_->receive(message, milliseconds(1000)).ok());
  char byte = 0;
  EXPECT_EQ(read(reading.get(), &byte, 1), 0) << "the other end of the pipe is still open";
}

TEST_F(LinkTest, AnEndThatIsClosedIsUnavailable) {
  left_.reset();
  ToControl message;
  EXPECT_TRUE(absl::IsUnavailable(right_->receive(message, milliseconds(1000))));
  EXPECT_TRUE(absl::IsUnavailable(right_->send(message)));
}

TEST_F(LinkTest, WhatIsNoMessageIsUnavailable) {
  ToControl message;
  const std::uint32_t size = 3;
  write_raw(std::string(reinterpret_cast<const char*>(&size), sizeof size) + "\xff\xff\xff");
  EXPECT_TRUE(absl::IsUnavailable(right_->receive(message, milliseconds(1000))));
  const std::uint32_t huge = 0xffffffff;
  write_raw(std::string(reinterpret_cast<const char*>(&huge), sizeof huge));
  EXPECT_TRUE(absl::IsUnavailable(right_->receive(message, milliseconds(1000))));
}

TEST_F(LinkTest, AMessageThatStopsInItsMiddleIsUnavailable) {
  const std::uint32_t size = 100;
  write_raw(std::string(reinterpret_cast<const char*>(&size), sizeof size) + "begin");
  ToControl message;
  EXPECT_TRUE(absl::IsUnavailable(right_->receive(message, milliseconds(1000))));
}

TEST_F(LinkTest, AMessageThatIsTooLongIsNotSent) {
  ToControl message;
  message.mutable_tls()->set_client_ca(std::string(Link::kMostBytes, 'c'));
  EXPECT_TRUE(absl::IsInternal(left_->send(message)));
}

}  // namespace
}  // namespace drip::front
