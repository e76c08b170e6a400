// SPDX-License-Identifier: BSD-3-Clause
// Shares in rates and in text.
#include "cluster/shares/lease/share.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "cluster/shares/lease/rate_division.h"

namespace drip::cluster {
namespace {

template <class Number>
bool read(std::string_view text, Number& number) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  return result.ec == std::errc{} && result.ptr == text.data() + text.size();
}

template <class Number>
void append(std::string& text, Number number) {
  std::array<char, 32> digits;  // A double's shortest form has at most 24.
  const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  text.append(digits.data(), result.ptr);
}

// Cuts the text up to `end` off, and `end` with it; none if there is no `end`.
std::optional<std::string_view> cut(std::string_view& text, char end) {
  const std::size_t at = text.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view field = text.substr(0, at);
  text.remove_prefix(at + 1);
  return field;
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
  text.reserve(shares.size() * 64);
  // Many buckets in a row have the same rates.
  LeasedRates rates;
  std::string rates_text = "0 0\n";
  for (const auto& [id, share] : shares) {
    if (share.rates != rates) {
      rates = share.rates;
      rates_text.clear();
      append(rates_text, rates.units_per_second);
      rates_text += ' ';
      append(rates_text, rates.bits_per_second);
      rates_text += '\n';
    }
    text += id;
    text += ' ';
    append(text, share.leased);
    text += ' ';
    append(text, share.safe);
    text += ' ';
    text += rates_text;
  }
  return text;
}

std::optional<Shares> to_shares(std::string_view text) {
  Shares shares;
  shares.reserve(static_cast<std::size_t>(std::ranges::count(text, '\n')));
  LeasedRates rates;
  std::string_view rates_text = "0 0";
  while (!text.empty()) {
    const auto id = cut(text, ' ');
    const auto leased = cut(text, ' ');
    const auto safe = cut(text, ' ');
    const auto both = cut(text, '\n');
    Share share;
    if (!id || id->empty() || !leased || !safe || !both || !read(*leased, share.leased) ||
        !read(*safe, share.safe) || share.leased > kWholeRate || share.safe > kWholeRate) {
      return std::nullopt;
    }
    if (*both != rates_text) {
      rates_text = *both;
      std::string_view rest = *both;
      const auto units = cut(rest, ' ');
      if (!units || !read(*units, rates.units_per_second) || !read(rest, rates.bits_per_second) ||
          !is_rate(rates.units_per_second) || !is_rate(rates.bits_per_second)) {
        return std::nullopt;
      }
    }
    share.rates = rates;
    if (!shares.emplace(*id, share).second) return std::nullopt;
  }
  return shares;
}

std::string to_text(const Demands& demands) {
  std::string text;
  text.reserve(demands.size() * 32);
  for (const auto& [id, demand] : demands) {
    text += id;
    text += ' ';
    append(text, demand);
    text += '\n';
  }
  return text;
}

std::optional<Demands> to_demands(std::string_view text) {
  Demands demands;
  demands.reserve(static_cast<std::size_t>(std::ranges::count(text, '\n')));
  while (!text.empty()) {
    const auto id = cut(text, ' ');
    const auto parts = cut(text, '\n');
    std::uint64_t demand = 0;
    if (!id || id->empty() || !parts || !read(*parts, demand) ||
        !demands.emplace(*id, demand).second) {
      return std::nullopt;
    }
  }
  return demands;
}

}  // namespace drip::cluster
