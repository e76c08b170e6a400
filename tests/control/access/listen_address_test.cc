// SPDX-License-Identifier: BSD-3-Clause
// Options of addresses, and the mode of a Unix socket.
#include "control/listen/listen_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "base/text.h"
#include "control/listen/listen_socket.h"
#include "support/temporary_directory.h"

namespace drip::control {
namespace {

using testing::HasSubstr;

TEST(ListenAddress, OptionsFollowTheAddress) {
  const auto tcp = parse_listen_address("[::1]:50051,tls=off");
  ASSERT_TRUE(tcp.ok()) << tcp.status();
  EXPECT_EQ(tcp->address, "[::1]:50051");
  EXPECT_FALSE(tcp->tls);
  EXPECT_TRUE(parse_listen_address("127.0.0.1:1")->tls);
  const auto local = parse_listen_address("unix:/run/drip.sock,mode=0660,owner=root,group=0");
  ASSERT_TRUE(local.ok()) << local.status();
  EXPECT_EQ(local->address, "unix:/run/drip.sock");
  EXPECT_EQ(local->mode, mode_t{0660});
  EXPECT_EQ(local->owner, uid_t{0});
  EXPECT_EQ(local->group, gid_t{0});
  EXPECT_EQ(parse_listen_address("unix:/a,owner=4294967")->owner, uid_t{4294967});
}

TEST(ListenAddress, ErrorsNameOptionValueAndWhatIsAllowed) {
  const std::pair<std::string, std::string> cases[] = {
      {"unix:/a,mode=888", "listen: mode: \"888\" is not allowed: an octal mode"},
      {"unix:/a,mode=7777", "listen: mode: \"7777\""},
      {"unix:/a,mode=", "listen: mode: \"\""},
      {"unix:/a,group=no-such-group", "listen: group: \"no-such-group\" is not allowed: a group"},
      {"unix:/a,owner=no-such-user", "listen: owner: \"no-such-user\" is not allowed: a user"},
      {"unix:/a,tls=off", "listen: option: \"tls\" is not allowed: mode, owner, group"},
      {"unix:/a,x", "listen: option: \"x\" is not allowed"},
      {"127.0.0.1:1,mode=0600", "listen: option: \"mode\" is not allowed: tls for a TCP address"},
      {"127.0.0.1:1,tls=no", "listen: tls: \"no\" is not allowed: on, off"},
  };
  for (const auto& [text, error] : cases) {
    EXPECT_THAT(std::string(message_of(parse_listen_address(text).status())), HasSubstr(error))
        << text;
  }
}

TEST(ListenAddress, AUnixSocketHasItsMode) {
  const TemporaryDirectory directory;
  const std::string path = directory.path_of("s");
  for (const char* const mode : {"0600", "0660", "0666"}) {
    const auto address = parse_listen_address(joined("unix:", path, ",mode=", mode));
    ASSERT_TRUE(address.ok());
    const auto sockets = listen_on(*address);
    ASSERT_TRUE(sockets.ok()) << sockets.status();
    struct stat file {};
    ASSERT_EQ(stat(path.c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 07777, *address->mode);
    EXPECT_TRUE(sockets->front().is_local());
  }
}

TEST(ListenAddress, AnOwnerThatMayNotBeSetIsAnErrorAndLeavesNoSocket) {
  if (geteuid() == 0) GTEST_SKIP() << "root may give a file to everybody";
  const TemporaryDirectory directory;
  const std::string path = directory.path_of("s");
  const auto sockets = listen_on(*parse_listen_address(joined("unix:", path, ",owner=0")));
  EXPECT_EQ(message_of(sockets.status()),
            joined("listen: unix:", path, ": Operation not permitted"));
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

TEST(ListenAddress, OnlyLoopbackIsOfThisMachine) {
  for (const auto& [text, local] : {std::pair("127.0.0.1:0", true), std::pair("0.0.0.0:0", false),
                                    std::pair("[::]:0", false)}) {
    const auto sockets = listen_on(*parse_listen_address(text));
    ASSERT_TRUE(sockets.ok()) << text << ": " << sockets.status();
    EXPECT_EQ(sockets->front().is_local(), local) << text;
  }
}

}  // namespace
}  // namespace drip::control
