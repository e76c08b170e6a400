// SPDX-License-Identifier: BSD-3-Clause
// Starts Redis and nodes, and waits until they agree.
#include "bench/cluster/cluster_group.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <thread>
#include <utility>

#include "bench/control/grpc_load.h"
#include "drip/v1/rate_limiter.grpc.pb.h"
#include "fmt/format.h"

namespace drip::bench {
namespace {

constexpr std::chrono::seconds kPatience{20};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

std::uint16_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  const bool bound = bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(fd);
  return bound ? ntohs(address.sin_port) : 0;
}

bool accepts(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  const bool connected =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return connected;
}

bool wait_until(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildRedis>> ChildRedis::start(const std::string& program) {
  const std::uint16_t port = free_port();
  const int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
  auto process =
      ChildProcess::start({program, "--bind", "127.0.0.1", "--port", fmt::format("{}", port),
                           "--save", "", "--appendonly", "no", "--loglevel", "warning"},
                          nothing, -1);
  close(nothing);
  if (!process.ok()) return process.status();
  std::unique_ptr<ChildRedis> redis(new ChildRedis(*std::move(process), port));
  if (!wait_until([&] { return accepts(port); })) {
    return absl::UnavailableError(fmt::format("{} does not answer", program));
  }
  return redis;
}

std::string ChildRedis::url() const { return fmt::format("redis://127.0.0.1:{}", port_); }

absl::StatusOr<ClusterGroup> ClusterGroup::start(const std::string& dripd, const ChildRedis& redis,
                                                 std::size_t nodes) {
  ClusterGroup group;
  for (std::size_t i = 1; i <= nodes; ++i) {
    const std::string id = fmt::format("n{}", i);
    auto node = ChildServer::start_dripd(
        dripd, {"--cluster", redis.url(), "--node-id", id, "--advertise", id});
    if (!node.ok()) return node.status();
    group.nodes_.push_back(*std::move(node));
  }
  return group;
}

absl::Status ClusterGroup::configure(const v1::ConfigureBucketRequest& request) const {
  grpc::Status last;
  const bool set = wait_until([&] {
    v1::RateLimiterService::Stub stub(connect(nodes_.front().address()));
    grpc::ClientContext context;
    v1::ConfigureBucketResponse response;
    last = stub.ConfigureBucket(&context, request, &response);
    return last.ok();
  });
  if (!set) return absl::UnavailableError(last.error_message());
  for (const ChildServer& node : nodes_) {
    v1::RateLimiterService::Stub stub(connect(node.address()));
    const bool has = wait_until([&] {
      grpc::ClientContext context;
      v1::GetBucketStatusRequest ask;
      ask.set_bucket_id(request.bucket_id());
      v1::GetBucketStatusResponse reply;
      if (!stub.GetBucketStatus(&context, ask, &reply).ok()) return false;
      return request.sharing() != v1::SHARING_SPLIT || reply.bucket().share_rate() > 0;
    });
    if (!has) return absl::UnavailableError("a node does not get the bucket");
  }
  return absl::OkStatus();
}

}  // namespace drip::bench
