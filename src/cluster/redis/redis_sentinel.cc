// SPDX-License-Identifier: BSD-3-Clause
// SENTINEL GET-MASTER-ADDR-BY-NAME, then ROLE at what it names, as the Sentinel protocol asks.
#include "cluster/redis/redis_sentinel.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/text.h"

namespace drip::cluster {
namespace {

absl::StatusOr<RedisReply> ask(const RedisEndpoint& sentinel, const RedisOptions& options,
                               Deadline deadline) {
  const auto connection = RedisConnection::open({sentinel, ""}, options, deadline);
  if (!connection.ok()) return connection.status();
  const RedisCommand question{"SENTINEL", "GET-MASTER-ADDR-BY-NAME", options.url.master_name};
  auto reply = (*connection)->run_one(question, deadline);
  // Sentinels mostly have no password of their own; those that have share that of the servers.
  if (absl::IsUnauthenticated(reply.status()) && !options.url.password.empty()) {
    RedisOptions own = options;
    own.url.database = 0;
    if (auto status = (*connection)->greet(own, deadline); !status.ok()) return status;
    reply = (*connection)->run_one(question, deadline);
  }
  return reply;
}

absl::StatusOr<RedisEndpoint> master_by(const RedisEndpoint& sentinel, const RedisOptions& options,
                                        Deadline deadline) {
  const auto reply = ask(sentinel, options, deadline);
  if (!reply.ok()) return reply.status();
  const auto* const pair = reply->array();
  if (pair == nullptr || pair->size() != 2 || pair->front().text() == nullptr ||
      pair->back().text() == nullptr) {
    return absl::UnavailableError(joined("Sentinel at ", to_string(sentinel),
                                         ": it knows no master '", options.url.master_name, "'"));
  }
  RedisEndpoint master{*pair->front().text(), 0};
  const std::string& port = *pair->back().text();
  std::from_chars(port.data(), port.data() + port.size(), master.port);
  if (master.port == 0) {
    return absl::UnavailableError(
        joined("Sentinel at ", to_string(sentinel), ": no port in its answer"));
  }
  return master;
}

absl::StatusOr<std::unique_ptr<RedisConnection>> connect_to_master(const RedisEndpoint& master,
                                                                   const RedisOptions& options,
                                                                   Deadline deadline) {
  auto connection = RedisConnection::open({master, ""}, options, deadline);
  if (!connection.ok()) return connection.status();
  if (auto status = (*connection)->greet(options, deadline); !status.ok()) return status;
  if (auto status = (*connection)->check_is_master(deadline); !status.ok()) return status;
  return connection;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RedisConnection>> connect_by_sentinel(RedisOptions& options,
                                                                     Deadline deadline) {
  const std::vector<RedisEndpoint> sentinels = options.url.endpoints;
  absl::Status last = absl::UnavailableError("no Sentinel");
  for (std::size_t i = 0; i < sentinels.size(); ++i) {
    const auto now = std::chrono::steady_clock::now();
    const Deadline part = now + (deadline - now) / static_cast<int>(sentinels.size() - i);
    const auto master = master_by(sentinels[i], options, part);
    if (!master.ok()) {
      last = master.status();
      continue;
    }
    auto connection = connect_to_master(*master, options, part);
    if (connection.ok()) {
      auto& order = options.url.endpoints;
      const auto found = std::find(order.begin(), order.end(), sentinels[i]);
      std::rotate(order.begin(), found, found + 1);
      return connection;
    }
    last = connection.status();
  }
  return last;
}

}  // namespace drip::cluster
