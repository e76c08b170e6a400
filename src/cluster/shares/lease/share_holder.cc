// SPDX-License-Identifier: BSD-3-Clause
// Exchanges and the end of the shares that they return.
#include "cluster/shares/lease/share_holder.h"

#include <utility>

namespace drip::cluster {

void ShareHolder::end_leases() {
  settled_ = false;
  for (auto& [bucket, share] : held_) share.leased = 0;
  erase_if(held_, [](const auto& entry) { return entry.second.nothing(); });
}

void ShareHolder::drop_expired(TimePoint now) {
  if (!leased_ || now < ends_.share) return;
  const bool safe_over = now >= ends_.fallback;
  end_leases();
  if (safe_over) held_.clear();
}

ShareHolder::Exchange ShareHolder::begin(TimePoint now) {
  drop_expired(now);
  begun_ = now;
  settled_ = false;
  return {++sequence_, generation_, held_, false};
}

ShareHolder::Exchange ShareHolder::renew(TimePoint now) {
  begun_ = now;
  return {++sequence_, generation_, {}, true};
}

void ShareHolder::on_answer(std::uint64_t sequence, ExchangeAnswer answer, std::uint64_t generation,
                            const Shares* granted) {
  if (sequence != sequence_) return;
  set_generation(generation);
  switch (answer) {
    case ExchangeAnswer::kStale:
    case ExchangeAnswer::kUnknown:
    case ExchangeAnswer::kChanged:
      settled_ = false;
      return;  // The held shares stay active until they end.
    case ExchangeAnswer::kLost:
      return end_leases();
    case ExchangeAnswer::kForgotten:
      settled_ = false;
      held_.clear();
      return;
    case ExchangeAnswer::kRenewed:
      break;
  }
  leased_ = true;
  ends_.share = begun_ + timing_.at_holder(timing_.lease);
  ends_.fallback = begun_ + timing_.at_holder(timing_.lease + timing_.safe_hold);
  if (granted == nullptr) return;
  settled_ = *granted == held_;
  if (settled_) return;
  held_ = *granted;
  erase_if(held_, [](const auto& entry) { return entry.second.nothing(); });
}

std::uint64_t ShareHolder::active_parts(std::string_view bucket, TimePoint now) const {
  const auto held = held_.find(bucket);
  if (held == held_.end() || !leased_) return 0;
  if (now < ends_.share) return held->second.leased + held->second.safe;
  return now < ends_.fallback ? held->second.safe : 0;
}

}  // namespace drip::cluster
