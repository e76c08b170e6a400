// SPDX-License-Identifier: BSD-3-Clause
// Shares applied to the parts of spread roots, and what is reported of them.
#include "datapath/spread/transmitter_spreads.h"

#include <algorithm>

namespace drip::datapath {
namespace {

// A rate as parts of a whole one; 0 without that.
double parts_of(double rate, double whole) {
  return whole > 0 ? rate / whole * static_cast<double>(kWholeShare) : 0;
}
std::uint64_t to_parts(double parts) {
  constexpr double kMost = 8 * static_cast<double>(kWholeShare);
  return static_cast<std::uint64_t>(std::clamp(parts, 0.0, kMost));
}

// Between two reports, by the length of a unit.
Duration period(const LeasedRates& rates, std::uint32_t bytes) {
  double ns = 0;
  if (rates.units_per_second > 0) ns = 1e9 / rates.units_per_second;
  if (rates.bits_per_second > 0) ns = std::max(ns, 8e9 * bytes / rates.bits_per_second);
  return std::clamp(Duration{static_cast<std::int64_t>(TransmitterSpreads::kUnits * ns)},
                    TransmitterSpreads::kPeriod, TransmitterSpreads::kLongestPeriod);
}

FineSpan period_at_share(long double ns, std::uint64_t share) {
  const long double at_share =
      ns * static_cast<long double>(kWholeShare) / static_cast<long double>(share);
  // The three roundings are off by at most 2^-64 of their results, of_ns() by less than one step.
  return FineSpan::of_ns(at_share * (1 + 0x1p-61L));
}

}  // namespace

SharePeriods SharePeriods::of(const LeasedRates& rates, std::uint64_t share) {
  const double part = static_cast<double>(share) / static_cast<double>(kWholeShare);
  SharePeriods result;
  if (rates.units_per_second > 0) {
    if (rates.units_per_second * part < kMinUnitsPerSecond) return {};
    result.periods.per_unit = period_at_share(1e9L / rates.units_per_second, share);
    result.none = false;
  }
  if (rates.bits_per_second > 0) {
    if (rates.bits_per_second * part < kMinBitsPerSecond) return {};
    result.periods.per_byte = period_at_share(8e9L / rates.bits_per_second, share);
    result.none = false;
  }
  return result;
}

void TransmitterSpreads::add(SpreadPart& part, TimePoint now) {
  if (next_ == nullptr) {
    next_ = part.next_ = part.previous_ = &part;
  } else {
    part.next_ = next_;
    part.previous_ = next_->previous_;
    next_->previous_->next_ = &part;
    next_->previous_ = &part;
  }
  part.reported_ = now;
  part.period_ = kPeriod;
  apply(part, part.line().held(), now);
}

void TransmitterSpreads::change(SpreadPart& part, const LeasedRates& rates, TimePoint now) {
  part.rates = rates;
  apply(part, part.line().held(), now);
}

void TransmitterSpreads::remove(SpreadPart& part) {
  if (part.next_ == &part) {
    next_ = nullptr;
  } else {
    if (next_ == &part) next_ = part.next_;
    part.next_->previous_ = part.previous_;
    part.previous_->next_ = part.next_;
  }
  part.next_ = part.previous_ = nullptr;
}

void TransmitterSpreads::apply(const SpreadPart& part, std::uint64_t share, TimePoint now) {
  if (scheduler_.buckets()[part.slot].in_tree == 0) return;  // It has drained.
  const SharePeriods at_share = SharePeriods::of(part.rates, share);
  if (at_share.none) return scheduler_.pause(part.slot, now);
  scheduler_.set_share(part.slot, at_share.periods, now);
}

void TransmitterSpreads::report(SpreadPart& part, TimePoint now) {
  part.line().claim(claim(part, now));
  part.reported_ = now;
  if (part.granter != nullptr) part.granter->plan();
}

void TransmitterSpreads::release(SpreadPart& part) {
  remove(part);
  part.released.store(true, std::memory_order_release);
}

CoreClaim TransmitterSpreads::claim(SpreadPart& part, TimePoint now) {
  const Bucket& bucket = scheduler_.buckets()[part.slot];
  if (bucket.in_tree == 0) return {};  // It has drained.
  const auto seconds = 1e-9 * static_cast<double>((now - part.reported_).ns);
  const auto used = [&](std::uint64_t units, std::uint64_t bytes) {
    return to_parts(
        std::max(parts_of(static_cast<double>(units) / seconds, part.rates.units_per_second),
                 parts_of(8 * static_cast<double>(bytes) / seconds, part.rates.bits_per_second)));
  };
  const std::uint64_t departed = bucket.departed.get();
  const std::uint64_t departed_bytes = bucket.departed_bytes.get();
  DemandEstimate::Interval interval;
  interval.used = used(departed - part.departed_, departed_bytes - part.departed_bytes_);
  interval.unit = used(1, bucket.in_service_bytes);
  interval.held = part.line().held();
  const NodeState state = scheduler_.tree().states().node(part.slot).state;
  interval.waits = state == NodeState::kParked || state == NodeState::kStopped;
  part.departed_ = departed;
  part.departed_bytes_ = departed_bytes;
  part.period_ = period(part.rates, bucket.in_service_bytes);
  CoreClaim claim = part.line().claim();
  claim.demand = part.demand_.update(interval);
  look_at_children(part, claim);
  return claim;
}

void TransmitterSpreads::look_at_children(SpreadPart& part, CoreClaim& claim) {
  const TreeStates& states = scheduler_.tree().states();
  const TreeStructure& structure = scheduler_.tree().structure();
  const auto is_child = [&](std::uint32_t slot) {
    return scheduler_.buckets()[slot].in_tree != 0 && structure.parent(slot) == part.slot;
  };
  // Children come and go. It goes on behind the last one of the last look that is still there: one
  // that is new, perhaps in the slot of a former one, comes before all others.
  const auto is_where_it_was = [&](std::uint32_t index) {
    const std::uint32_t slot = part.children_[index];
    if (!is_child(slot) || index == 0) return is_child(slot);
    const auto end = part.children_.begin() + index;
    return std::find(part.children_.begin(), end, states.node(slot).previous_sibling) != end;
  };
  while (part.child_count_ > 0 && !is_where_it_was(part.child_count_ - 1)) --part.child_count_;
  std::uint32_t child = structure.first_child(part.slot);
  if (part.child_count_ > 0) {
    child = structure.next_sibling(part.children_[part.child_count_ - 1]);
  } else {
    part.weight_ = 0;
    part.guaranteed_ = 0;
  }
  part.child_count_ = 0;
  for (; child != kNoNode && part.child_count_ < SpreadPart::kChildrenALook;
       child = structure.next_sibling(child)) {
    part.children_[part.child_count_++] = child;
    const TreeNode& node = states.node(child);
    if (node.state != NodeState::kReady) continue;
    part.weight_ += TreeNode::kInverseWeightScale / node.inverse_weight;
    part.guaranteed_ +=
        std::max(parts_of(structure.guaranteed_units(child), part.rates.units_per_second),
                 parts_of(structure.guaranteed_bits(child), part.rates.bits_per_second));
  }
  if (child != kNoNode) return;
  part.child_count_ = 0;
  // With nobody ready the weight does not matter, and the last one is as good as any other.
  if (part.weight_ > 0) claim.weight = part.weight_;
  claim.guaranteed = to_parts(part.guaranteed_);
}

}  // namespace drip::datapath
