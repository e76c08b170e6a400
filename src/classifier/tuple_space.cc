// SPDX-License-Identifier: BSD-3-Clause
// Builds the hash tables and filters of TupleSpace.
#include "classifier/tuple_space.h"

#include <algorithm>
#include <bit>
#include <map>
#include <utility>

namespace drip {
namespace {

// With more tuples than this, filters are faster than probing all.
constexpr std::size_t kFewTuples = 1;
// Filters are added while more tuples than this are left to probe for a packet, on average.
constexpr double kEnoughPruned = 1.5;
// A filter that leaves a larger share of the tuples than this costs more than it saves.
constexpr double kWorstFill = 0.7;

constexpr PortRange kAllPorts{0, 0xffff};

}  // namespace

template <std::size_t kWords>
TupleSpace<kWords>::TupleSpace(std::span<const MaskedRule<kWords>> rules) {
  std::map<PacketKey<kWords>, Rules> by_mask;
  for (const MaskedRule<kWords>& rule : rules) by_mask[rule.mask].push_back(rule);
  std::vector<Rules> rules_of_tuple;
  for (auto& [mask, same_mask] : by_mask) {
    std::ranges::sort(same_mask, {}, &MaskedRule<kWords>::rank);
    rules_of_tuple.push_back(std::move(same_mask));
  }
  std::ranges::sort(rules_of_tuple, {}, [](const Rules& same_mask) { return same_mask[0].rank; });
  for (const Rules& same_mask : rules_of_tuple) add_tuple(same_mask);
  if (tuples_.size() > kFewTuples) add_filters(rules_of_tuple);
  // Where a range of ports is tested, so is in the last word but one that there are ports.
  const auto has_bits = [](std::uint64_t word) { return word != 0; };
  tests_first_word_only_ =
      tuples_.size() == 1 && std::ranges::none_of(std::span(tuples_[0].mask).subspan(1), has_bits);
}

template <std::size_t kWords>
void TupleSpace<kWords>::add_tuple(const Rules& rules) {
  std::map<PacketKey<kWords>, Rules> by_value;
  for (const MaskedRule<kWords>& rule : rules) by_value[rule.value].push_back(rule);
  Tuple tuple;
  tuple.mask = rules.front().mask;
  tuple.best_rank = rules.front().rank;
  tuple.first_slot = static_cast<std::uint32_t>(slots_.size());
  // At most half full, so that unsuccessful searches, which are most of them, end soon.
  const std::size_t slot_count = by_value.size() == 1 ? 1 : std::bit_ceil(2 * by_value.size());
  tuple.slot_mask = static_cast<std::uint32_t>(slot_count - 1);
  slots_.resize(slots_.size() + slot_count);
  for (const auto& [value, same_key] : by_value) add_slot(tuple, same_key);
  tuples_.push_back(tuple);
}

template <std::size_t kWords>
void TupleSpace<kWords>::add_slot(const Tuple& tuple,
                                  std::span<const MaskedRule<kWords>> same_key) {
  const MaskedRule<kWords>& best = same_key.front();
  std::uint64_t at = hash(best.value);
  while (slots_[tuple.first_slot + (at & tuple.slot_mask)].best_rank != kNoRank) ++at;
  Slot& slot = slots_[tuple.first_slot + (at & tuple.slot_mask)];
  slot.key = best.value;
  slot.best_rank = best.rank;
  const auto checks_nothing = [](const MaskedRule<kWords>& rule) {
    return rule.src_ports == kAllPorts && rule.dst_ports == kAllPorts;
  };
  if (checks_nothing(best)) return;
  std::vector<PortRanges::Rule> rules;
  for (const MaskedRule<kWords>& rule : same_key) {
    rules.push_back({rule.src_ports, rule.dst_ports, rule.rank});
    if (checks_nothing(rule)) break;  // No later rule can apply.
  }
  slot.ranges = ranges_.add(rules);
}

template <std::size_t kWords>
auto TupleSpace<kWords>::fields() -> std::span<const Field> {
  constexpr std::uint8_t kTransport = kWords - 2;
  if constexpr (version_of_key(kWords) == IpVersion::kV4) {
    static constexpr Field kFields[] = {
        {0, 32, 32}, {0, 0, 32}, {kTransport, 16, 16}, {kTransport, 0, 16}, {kTransport, 32, 8}};
    return kFields;
  } else if constexpr (version_of_key(kWords) == IpVersion::kV6) {
    // Only the first half of an address: that may leave a tuple in, but never wrongly skips one.
    static constexpr Field kFields[] = {
        {0, 0, 64}, {2, 0, 64}, {kTransport, 16, 16}, {kTransport, 0, 16}, {kTransport, 32, 8}};
    return kFields;
  } else {
    return {};
  }
}

// The values of the field that the rule can match.
template <std::size_t kWords>
Interval TupleSpace<kWords>::interval_of(const MaskedRule<kWords>& rule, const Field& field) {
  PacketKey<kWords> all;
  all.fill(~0ULL);
  const std::uint64_t value = field.of(rule.value);
  const std::uint64_t most = field.of(all);
  Interval interval{value, value | (most & ~field.of(rule.mask)), 0};
  if (field.word != kWords - 2 || field.of(rule.mask) != 0) return interval;
  if (field.shift == 0) interval = {rule.src_ports.first, rule.src_ports.last, 0};
  if (field.shift == 16) interval = {rule.dst_ports.first, rule.dst_ports.last, 0};
  return interval;
}

template <std::size_t kWords>
void TupleSpace<kWords>::add_filters(const std::vector<Rules>& rules_of_tuple) {
  std::vector<Filter> candidates;
  for (const Field& field : fields()) {
    std::vector<Interval> intervals;
    for (std::uint32_t tuple = 0; tuple < rules_of_tuple.size(); ++tuple) {
      for (const MaskedRule<kWords>& rule : rules_of_tuple[tuple]) {
        intervals.push_back(interval_of(rule, field));
        intervals.back().member = tuple;
      }
    }
    candidates.push_back(
        {field, IntervalSets(intervals, static_cast<std::uint32_t>(rules_of_tuple.size()))});
  }
  std::ranges::sort(candidates, {}, [](const Filter& f) { return f.tuples.mean_fill(); });
  auto left = static_cast<double>(tuples_.size());
  for (Filter& candidate : candidates) {
    if (left < kEnoughPruned || candidate.tuples.mean_fill() > kWorstFill) break;
    left *= candidate.tuples.mean_fill();
    filters_.push_back(std::move(candidate));
  }
}

template class TupleSpace<kIpv4KeyWords>;
template class TupleSpace<kIpv6KeyWords>;
template class TupleSpace<kOtherKeyWords>;
template class TupleSpace<kIpv4KeyWords + kMoreWords>;
template class TupleSpace<kIpv6KeyWords + kMoreWords>;
template class TupleSpace<kOtherKeyWords + kMoreWords>;

}  // namespace drip
