// SPDX-License-Identifier: BSD-3-Clause
// Shares in rates and in text.
#include "cluster/shares/share.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <vector>

#include "cluster/shares/share_allocation.h"

namespace drip::cluster {
namespace {

// Splits at `by`; empty fields stay.
std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> fields;
  while (true) {
    const std::size_t end = text.find(by);
    fields.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return fields;
    text.remove_prefix(end + 1);
  }
}

template <class Number>
bool read(std::string_view text, Number& number) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  return result.ec == std::errc{} && result.ptr == text.data() + text.size();
}

// Calls entry(fields) for each line; false as soon as one returns false.
template <class Entry>
bool read_lines(std::string_view text, Entry entry) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos || !entry(split(text.substr(0, end), ' '))) return false;
    text.remove_prefix(end + 1);
  }
  return true;
}

bool is_rate(double rate) { return rate >= 0 && rate <= 1e12; }

}  // namespace

LeasedRates part_of(const LeasedRates& rates, std::uint64_t parts) {
  const double part = static_cast<double>(parts) / static_cast<double>(kWholeRate);
  return {rates.units_per_second * part, rates.bits_per_second * part};
}

std::uint64_t parts_of(std::uint64_t parts, const LeasedRates& of, const LeasedRates& now) {
  if (parts == 0 || of == now) return parts;
  double ratio = 0;
  const auto look_at = [&](double of_rate, double now_rate) {
    if (now_rate <= 0) return true;
    if (of_rate <= 0) return false;
    ratio = std::max(ratio, of_rate / now_rate);
    return true;
  };
  if (!look_at(of.units_per_second, now.units_per_second) ||
      !look_at(of.bits_per_second, now.bits_per_second)) {
    return kWholeRate;
  }
  // The quotient's rounding must not make it smaller.
  const double result = std::ceil(static_cast<double>(parts) * ratio * (1 + 1e-12));
  return result >= 0x1p62 ? std::uint64_t{1} << 62 : static_cast<std::uint64_t>(result);
}

std::string to_text(const Shares& shares) {
  std::string text;
  for (const auto& [id, share] : shares) {
    fmt::format_to(std::back_inserter(text), "{} {} {} {} {}\n", id, share.leased, share.safe,
                   share.rates.units_per_second, share.rates.bits_per_second);
  }
  return text;
}

std::optional<Shares> to_shares(std::string_view text) {
  Shares shares;
  const bool good = read_lines(text, [&](const std::vector<std::string_view>& fields) {
    Share share;
    if (fields.size() != 5 || fields[0].empty() || !read(fields[1], share.leased) ||
        !read(fields[2], share.safe) || !read(fields[3], share.rates.units_per_second) ||
        !read(fields[4], share.rates.bits_per_second)) {
      return false;
    }
    if (share.leased > kWholeRate || share.safe > kWholeRate ||
        !is_rate(share.rates.units_per_second) || !is_rate(share.rates.bits_per_second)) {
      return false;
    }
    return shares.emplace(fields[0], share).second;
  });
  if (!good) return std::nullopt;
  return shares;
}

std::string to_text(const Demands& demands) {
  std::string text;
  for (const auto& [id, demand] : demands) {
    fmt::format_to(std::back_inserter(text), "{} {}\n", id, demand);
  }
  return text;
}

std::optional<Demands> to_demands(std::string_view text) {
  Demands demands;
  const bool good = read_lines(text, [&](const std::vector<std::string_view>& fields) {
    std::uint64_t demand = 0;
    return fields.size() == 2 && !fields[0].empty() && read(fields[1], demand) &&
           demands.emplace(fields[0], demand).second;
  });
  if (!good) return std::nullopt;
  return demands;
}

}  // namespace drip::cluster
