// SPDX-License-Identifier: BSD-3-Clause
// Checks the options of the cluster, and reads the password for the first time.
#include "daemon/cluster_options.h"

#include <algorithm>
#include <chrono>
#include <fstream>

#include "base/errors.h"
#include "base/password_file.h"
#include "fmt/format.h"

namespace drip::daemon {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxNameBytes = 64;
constexpr std::size_t kMaxIdBytes = 128;

// Whether `text` has only letters, digits and `signs`.
bool consists_of(const std::string& text, std::string_view signs) {
  return std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           signs.find(c) != std::string_view::npos;
  });
}

absl::StatusOr<milliseconds> read_ms(const char* flag, Duration value, milliseconds least,
                                     milliseconds most) {
  const milliseconds ms(value.ns / 1'000'000);
  if (ms >= least && ms <= most) return ms;
  return check_range(flag, ms.count(), least.count(), most.count(), " ms");
}

absl::Status set_times(const ClusterOptions& options, cluster::MembershipOptions& result) {
  const auto heartbeat =
      read_ms("--cluster-heartbeat", options.heartbeat, milliseconds(20), milliseconds(10'000));
  if (!heartbeat.ok()) return heartbeat.status();
  const auto lease =
      read_ms("--cluster-lease", options.lease, milliseconds(100), milliseconds(60'000));
  if (!lease.ok()) return lease.status();
  if (*lease < 3 * *heartbeat) {
    return not_allowed("--cluster-lease", fmt::format("{} ms", lease->count()),
                       fmt::format("at least three heartbeats, {} ms", 3 * heartbeat->count()));
  }
  result.heartbeat = *heartbeat;
  result.lease = *lease;
  // Half of the lease, so that after a lost heartbeat another one arrives before the lease ends.
  result.redis.command_timeout = std::max(*lease / 2, milliseconds(100));
  return absl::OkStatus();
}

absl::Status set_tls(const ClusterOptions& options, cluster::RedisOptions& redis) {
  if (options.cert_file.empty() != options.key_file.empty()) {
    return absl::InvalidArgumentError("--cluster-cert and --cluster-key go together");
  }
  if (!redis.url.tls && !(options.ca_file.empty() && options.cert_file.empty())) {
    return not_allowed("--cluster", quoted(to_string(redis.url)),
                       "rediss:// or sentinels:// where a CA or certificate is given");
  }
  redis.tls = {options.ca_file, options.cert_file, options.key_file};
  for (const std::string& path : {options.ca_file, options.cert_file, options.key_file}) {
    if (!path.empty() && !std::ifstream(path)) {
      return not_allowed("--cluster-ca, -cert, -key", quoted(path), "a file that can be read");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<cluster::MembershipOptions> membership_options(const ClusterOptions& options,
                                                              const std::string& node_id,
                                                              const std::string& advertise) {
  cluster::MembershipOptions result;
  auto url = cluster::parse_redis_url(options.url);
  if (!url.ok()) return url.status();
  result.redis.url = *std::move(url);
  if (!options.password_file.empty()) {
    if (!result.redis.url.password.empty()) {
      return absl::InvalidArgumentError(
          "--cluster-password-file: the URL holds a password already; give one of them");
    }
    auto password = read_password_file(options.password_file);
    if (!password.ok()) return password.status();
    result.redis.url.password = *std::move(password);
    result.redis.password_file = options.password_file;
  }
  if (auto status = set_tls(options, result.redis); !status.ok()) return status;
  if (auto status = set_times(options, result); !status.ok()) return status;
  if (options.name.empty() || options.name.size() > kMaxNameBytes ||
      !consists_of(options.name, "._-")) {
    return not_allowed("--cluster-name", quoted(options.name), "1 to 64 of A-Z a-z 0-9 . _ -");
  }
  if (node_id.empty() || node_id.size() > kMaxIdBytes || !consists_of(node_id, "._:-@/")) {
    return not_allowed("--node-id", quoted(node_id),
                       "1 to 128 of A-Z a-z 0-9 . _ : @ / - in a cluster");
  }
  result.cluster_name = options.name;
  result.node_id = node_id;
  result.address = advertise;
  result.version = DRIP_VERSION;
  result.redis.client_name = fmt::format("drip:{}:{}", options.name, node_id);
  return result;
}

}  // namespace drip::daemon
