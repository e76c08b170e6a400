// SPDX-License-Identifier: BSD-3-Clause
// One client of the API: what it uses of the node at present, and how much it may.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "drip/time.h"

namespace drip::control {

/// What a client has of the node for as long as a call lasts.
enum class ClientUse : std::uint8_t {
  kOpenCalls,        ///< Calls that wait for a turn, and streams.
  kWaitingRequests,  ///< Turns that AwaitTurn and AwaitTurns wait for.
  kWatchedBuckets,   ///< Buckets whose states WatchBuckets sends.
};
inline constexpr std::size_t kClientUses = 3;

/// Of each client; 0: no limit.
struct ClientLimits {
  std::uint32_t calls_per_second = 0;
  std::array<std::uint32_t, kClientUses> most = {32'768, 524'288, 1'048'576};  ///< By ClientUse.

  [[nodiscard]] std::uint32_t of(ClientUse use) const {
    return most[static_cast<std::size_t>(use)];
  }
};

/// As the flag and the file name them: those of ClientUse.
inline constexpr std::array<const char*, kClientUses> kClientUseNames = {
    "open_calls", "waiting_requests", "watched_buckets"};

/// Thread safe.
class Client {
 public:
  /// `limits` outlive the client. `name`: for errors.
  Client(std::string name, const ClientLimits& limits) : name_(std::move(name)), limits_(limits) {}

  /// One call more, at `now` of a clock that only goes on. A client that has paused may make as
  /// many at once as it may in kBurst. RESOURCE_EXHAUSTED naming calls_per_second.
  [[nodiscard]] absl::Status begin_call(TimePoint now);
  /// RESOURCE_EXHAUSTED naming the limit, and nothing is taken.
  [[nodiscard]] absl::Status take(ClientUse use, std::size_t count);
  void give_back(ClientUse use, std::size_t count) {
    used_[static_cast<std::size_t>(use)].fetch_sub(count, std::memory_order_relaxed);
  }
  [[nodiscard]] std::size_t used(ClientUse use) const {
    return used_[static_cast<std::size_t>(use)].load(std::memory_order_relaxed);
  }
  /// Whether forgetting the client would give it nothing: it has nothing, and may begin a whole
  /// burst of calls.
  [[nodiscard]] bool idle(TimePoint now) const;

  static constexpr Duration kBurst{1'000'000'000};

 private:
  const std::string name_;
  const ClientLimits& limits_;
  // When the calls so far would have been made at exactly the rate (GCRA, ITU-T I.371).
  std::atomic<std::uint64_t> calls_until_ns_{0};
  std::array<std::atomic<std::size_t>, kClientUses> used_{};
};
using ClientRef = std::shared_ptr<Client>;

/// What one call uses, until it is destroyed. For one thread at a time.
class ClientShare {
 public:
  ClientShare(ClientRef client, ClientUse use) : client_(std::move(client)), use_(use) {}
  ClientShare(ClientShare&& other) noexcept
      : client_(std::move(other.client_)),
        use_(other.use_),
        count_(std::exchange(other.count_, 0)) {}
  ClientShare& operator=(ClientShare&& other) noexcept {
    std::swap(client_, other.client_);
    std::swap(use_, other.use_);
    std::swap(count_, other.count_);
    return *this;
  }
  ~ClientShare() {
    if (count_ > 0) client_->give_back(use_, count_);
  }

  /// RESOURCE_EXHAUSTED naming the limit, and it stays as it was. Less is never refused.
  [[nodiscard]] absl::Status resize(std::size_t count);

 private:
  ClientRef client_;
  ClientUse use_;
  std::size_t count_ = 0;
};

}  // namespace drip::control
