// SPDX-License-Identifier: BSD-3-Clause
#include "control/rpc/clients/client.h"

#include <algorithm>

#include "base/text.h"

namespace drip::control {
namespace {

constexpr std::array<const char*, kClientUses> kWhat = {"calls that wait for turns or are streams",
                                                        "requests that wait for their turn",
                                                        "buckets that are watched"};

}  // namespace

absl::Status Client::begin_call(TimePoint now) {
  const std::uint64_t rate = limits_.calls_per_second;
  if (rate == 0) return absl::OkStatus();
  const std::uint64_t spacing = 1'000'000'000 / rate;
  const auto burst = static_cast<std::uint64_t>(kBurst.ns);
  std::uint64_t until = calls_until_ns_.load(std::memory_order_relaxed);
  for (;;) {
    const std::uint64_t next = std::max(until, now.ns) + spacing;
    if (next - now.ns > burst) {
      return absl::ResourceExhaustedError(
          joined("calls_per_second: ", name_, " makes more than ", rate,
                 " calls a second, as many as one client may; one call of AllowRequests or "
                 "AwaitTurns carries many requests"));
    }
    if (calls_until_ns_.compare_exchange_weak(until, next, std::memory_order_relaxed)) {
      return absl::OkStatus();
    }
  }
}

absl::Status Client::take(ClientUse use, std::size_t count) {
  const std::size_t limit = limits_.of(use);
  std::atomic<std::size_t>& used = used_[static_cast<std::size_t>(use)];
  std::size_t before = used.load(std::memory_order_relaxed);
  do {
    if (limit != 0 && count > limit - std::min(limit, before)) {
      return absl::ResourceExhaustedError(
          joined(kClientUseNames[static_cast<std::size_t>(use)], ": ", name_, " has ", before, " ",
                 kWhat[static_cast<std::size_t>(use)], " and wants ", count,
                 " more; one client may have ", limit));
    }
  } while (!used.compare_exchange_weak(before, before + count, std::memory_order_relaxed));
  return absl::OkStatus();
}

bool Client::idle(TimePoint now) const {
  return calls_until_ns_.load(std::memory_order_relaxed) <= now.ns &&
         std::ranges::all_of(used_, [](const auto& used) { return used == 0; });
}

absl::Status ClientShare::resize(std::size_t count) {
  if (count > count_) {
    if (absl::Status status = client_->take(use_, count - count_); !status.ok()) return status;
  } else {
    client_->give_back(use_, count_ - count);
  }
  count_ = count;
  return absl::OkStatus();
}

}  // namespace drip::control
