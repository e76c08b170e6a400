// SPDX-License-Identifier: BSD-3-Clause
// A map by bucket id in one piece of memory: made in order, read in order, copied at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace drip::cluster {

/// The calls are those of std::map. Adding an id behind all others is O(1) amortised, elsewhere
/// O(n).
template <class Value>
class SortedMap {
 public:
  // NOLINTBEGIN(readability-identifier-naming): the names of the standard's containers.
  using value_type = std::pair<std::string, Value>;
  using iterator = typename std::vector<value_type>::iterator;
  using const_iterator = typename std::vector<value_type>::const_iterator;
  // NOLINTEND(readability-identifier-naming)

  SortedMap() = default;
  SortedMap(std::initializer_list<value_type> entries) {
    for (const value_type& entry : entries) emplace(entry.first, entry.second);
  }

  [[nodiscard]] iterator begin() { return entries_.begin(); }
  [[nodiscard]] iterator end() { return entries_.end(); }
  [[nodiscard]] const_iterator begin() const { return entries_.begin(); }
  [[nodiscard]] const_iterator end() const { return entries_.end(); }
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  void clear() { entries_.clear(); }
  void reserve(std::size_t size) { entries_.reserve(size); }

  [[nodiscard]] iterator find(std::string_view id) {
    const auto place = std::ranges::lower_bound(entries_, id, {}, id_of);
    return place != entries_.end() && place->first == id ? place : entries_.end();
  }
  [[nodiscard]] const_iterator find(std::string_view id) const {
    const auto place = std::ranges::lower_bound(entries_, id, {}, id_of);
    return place != entries_.end() && place->first == id ? place : entries_.end();
  }
  [[nodiscard]] bool contains(std::string_view id) const { return find(id) != end(); }
  [[nodiscard]] const Value& at(std::string_view id) const {
    const auto found = find(id);
    if (found == end()) throw std::out_of_range("no such bucket");
    return found->second;
  }

  /// The entry, and whether it is new. An entry that is there already stays as it is.
  std::pair<iterator, bool> emplace(std::string_view id, Value value) {
    auto place = entries_.end();
    if (!entries_.empty() && id <= entries_.back().first) {
      place = std::ranges::lower_bound(entries_, id, {}, id_of);
      if (place->first == id) return {place, false};
    }
    return {entries_.emplace(place, std::string(id), std::move(value)), true};
  }
  Value& operator[](std::string_view id) { return emplace(id, Value{}).first->second; }

  template <class Predicate>
  friend std::size_t erase_if(SortedMap& map, Predicate predicate) {
    return std::erase_if(map.entries_, std::move(predicate));
  }
  friend bool operator==(const SortedMap&, const SortedMap&) = default;

 private:
  static std::string_view id_of(const value_type& entry) { return entry.first; }

  std::vector<value_type> entries_;
};

/// Finds ids that are asked for in their order, all of them in one pass. The map outlives it and
/// does not change meanwhile.
template <class Value>
class InOrder {
 public:
  explicit InOrder(const SortedMap<Value>& map) : next_(map.begin()), end_(map.end()) {}
  /// Null if there is no such entry.
  [[nodiscard]] const Value* find(std::string_view id) {
    while (next_ != end_ && next_->first < id) ++next_;
    return next_ != end_ && next_->first == id ? &next_->second : nullptr;
  }

 private:
  typename SortedMap<Value>::const_iterator next_;
  typename SortedMap<Value>::const_iterator end_;
};

}  // namespace drip::cluster
