// SPDX-License-Identifier: BSD-3-Clause
// Starts, reads and ends child processes.
#include "bench/control/child_server.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include "control/server/server.h"
#include "drip/v1/rate_limiter.grpc.pb.h"
#include "fmt/format.h"

namespace drip::bench {
namespace {

constexpr std::chrono::seconds kStartPatience{20};

class EmptyService final : public v1::RateLimiterService::CallbackService {
  grpc::ServerUnaryReactor* AllowRequest(grpc::CallbackServerContext* call,
                                         const v1::AllowRequestRequest* request,
                                         v1::AllowRequestResponse* response) override {
    grpc::ServerUnaryReactor* const reactor = call->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

[[noreturn]] void serve_nothing(int port_pipe) {
  EmptyService service;
  const std::array<grpc::Service*, 1> services = {&service};
  control::ServerOptions options;
  options.addresses = {"127.0.0.1:0"};
  const auto server = control::Server::start(options, services);
  const std::uint16_t port = server.ok() ? (*server)->ports().front() : 0;
  if (write(port_pipe, &port, sizeof port) != sizeof port) _exit(1);
  for (;;) pause();
}

// What follows `mark` up to the end of its line; empty while the file does not have it.
std::string text_after(int fd, std::string_view mark, std::string& text) {
  std::array<char, 4096> part{};
  text.clear();
  lseek(fd, 0, SEEK_SET);
  for (ssize_t got = 0; (got = read(fd, part.data(), part.size())) > 0;) {
    text.append(part.data(), static_cast<std::size_t>(got));
  }
  const auto at = text.find(mark);
  const auto end = at == std::string::npos ? at : text.find('\n', at);
  if (end == std::string::npos) return {};
  return text.substr(at + mark.size(), end - at - mark.size());
}

}  // namespace

absl::StatusOr<ChildServer> ChildServer::start_dripd(const std::string& path,
                                                     const std::vector<std::string>& flags) {
  std::vector<std::string> words = {path, "--listen", "127.0.0.1:0", "--drain", "0s"};
  words.insert(words.end(), flags.begin(), flags.end());
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> log(std::tmpfile(), std::fclose);
  if (log == nullptr) return absl::UnavailableError("no temporary file for dripd's log");
  const int log_fd = fileno(log.get());
  auto process = ChildProcess::start(std::move(words), log_fd, log_fd);
  if (!process.ok()) return process.status();
  ChildServer child(*std::move(process), {});
  const int read_fd = open(fmt::format("/proc/self/fd/{}", log_fd).c_str(), O_RDONLY | O_CLOEXEC);
  const std::unique_ptr<const int, void (*)(const int*)> closing(&read_fd,
                                                                 [](const int* fd) { close(*fd); });
  std::string text;
  const auto end = std::chrono::steady_clock::now() + kStartPatience;
  while (child.address_.empty()) {
    child.address_ = text_after(read_fd, "serves on ", text);
    if (child.process_.has_ended() || std::chrono::steady_clock::now() > end) {
      return absl::UnavailableError(fmt::format("{} did not start:\n{}", path, text));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return child;
}

absl::StatusOr<ChildServer> ChildServer::start_empty() {
  std::array<int, 2> pipe_fds{};
  if (pipe2(pipe_fds.data(), O_CLOEXEC) != 0) return absl::UnavailableError("no pipe");
  const pid_t pid = fork();
  if (pid == 0) serve_nothing(pipe_fds[1]);
  close(pipe_fds[1]);
  std::uint16_t port = 0;
  const bool told = pid > 0 && read(pipe_fds[0], &port, sizeof port) == sizeof port && port != 0;
  close(pipe_fds[0]);
  if (pid < 0) return absl::UnavailableError("fork failed");
  ChildServer child(ChildProcess(pid), fmt::format("127.0.0.1:{}", port));
  if (!told) return absl::UnavailableError("the empty server did not start");
  return child;
}

}  // namespace drip::bench
