// SPDX-License-Identifier: BSD-3-Clause
// The server over a socket: which requests reach the handler, and what is sent of its response.
#include "http/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>

#include "base/file_descriptor.h"

namespace drip::http {
namespace {

class ServerTest : public testing::Test {
 protected:
  // One for all tests: civetweb takes two seconds to stop.
  static void SetUpTestSuite() {
    auto server = Server::start({{}, "test", "2", "http-test"}, [](const Request& request) {
      Response response{200, "text/plain", "", {{"X-Drip", "yes"}}};
      response.body = std::string(request.path) + "|" + std::string(request.query) + "|" +
                      std::string(request.header("x-asked"));
      return response;
    });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    const std::string url = server_->url();
    port_ = std::stoi(url.substr(url.rfind(':') + 1));
  }
  static void TearDownTestSuite() { server_ = nullptr; }

  // The whole answer to one request.
  [[nodiscard]] static std::string ask(const std::string& request) {
    const FileDescriptor socket(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(send(socket.get(), request.data(), request.size(), 0),
              static_cast<ssize_t>(request.size()));
    std::string answer;
    char part[4096];
    for (ssize_t got = 0; (got = recv(socket.get(), part, sizeof part, 0)) > 0;) {
      answer.append(part, static_cast<std::size_t>(got));
    }
    return answer;
  }

  static inline std::unique_ptr<Server> server_;
  static inline int port_ = 0;
};

TEST_F(ServerTest, GetAndHeadReachTheHandler) {
  const std::string got = ask("GET /a%20b?c=%20 HTTP/1.1\r\nHost: x\r\nX-Asked: d\r\n\r\n");
  EXPECT_TRUE(got.starts_with("HTTP/1.1 200 OK\r\n")) << got;
  EXPECT_NE(got.find("\r\nX-Drip: yes\r\n"), std::string::npos) << got;
  EXPECT_NE(got.find("\r\nContent-Length: 12\r\n"), std::string::npos) << got;
  EXPECT_TRUE(got.ends_with("\r\n\r\n/a b|c=%20|d")) << got;
  const std::string head = ask("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(head.find("\r\nContent-Length: 3\r\n"), std::string::npos) << head;
  EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
}

TEST_F(ServerTest, NothingElseDoes) {
  for (const std::string method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"}) {
    const std::string got = ask(method + " / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    EXPECT_TRUE(got.starts_with("HTTP/1.1 405 ")) << got;
    EXPECT_NE(got.find("\r\nAllow: GET, HEAD\r\n"), std::string::npos) << got;
  }
}

TEST_F(ServerTest, APreflightIsNotAllowed) {
  const std::string got =
      ask("OPTIONS / HTTP/1.1\r\nHost: x\r\nOrigin: http://evil\r\n"
          "Access-Control-Request-Method: GET\r\n\r\n");
  EXPECT_EQ(got.find("Access-Control-Allow"), std::string::npos) << got;
}

TEST_F(ServerTest, APathIsWithoutDots) {
  const std::string got = ask("GET /a/../../b HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(got.ends_with("/b||")) << got;
}

TEST(Server, SaysWhyItCannotStart) {
  const auto first = Server::start({{}, "test", "1", "http-test"}, nullptr);
  ASSERT_TRUE(first.ok());
  const std::string url = (*first)->url();
  ListenAddress taken;
  taken.port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
  const auto second = Server::start({taken, "test", "1", "http-test"}, nullptr);
  ASSERT_FALSE(second.ok());
  EXPECT_TRUE(absl::IsUnavailable(second.status()));
  EXPECT_TRUE(std::string(second.status().message()).starts_with("test: " + taken.text() + ": "))
      << second.status();
}

}  // namespace
}  // namespace drip::http
