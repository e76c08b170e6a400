// SPDX-License-Identifier: BSD-3-Clause
// Rule sets of four shapes, and packets of which nine in ten fit some rule.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "classifier/classifier.h"

namespace drip {

enum class Shape : std::uint8_t {
  kPrefix,   ///< A destination network, as in a list of customers.
  kAcl,      ///< 5-tuples with the usual prefix lengths, ports exact, any or from 1024 on.
  kScatter,  ///< 5-tuples with any two prefix lengths from 8 to 32: as many masks as can be.
  kRanges,   ///< Port ranges on ten servers: what one key can have behind it.
};
inline constexpr std::array<const char*, 4> kShapeNames = {"prefix", "acl", "scatter", "ranges"};

class BenchRules {
 public:
  BenchRules(Shape shape, std::size_t count) : random_(1) {
    rules_.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      rules_[i].match = match(shape);
      // As in a list that is tried from the top.
      rules_[i].priority = static_cast<std::int32_t>(count - i);
    }
  }

  [[nodiscard]] const std::vector<ClassifierRule>& rules() const { return rules_; }

  std::vector<Headers> packets(std::size_t count) {
    std::vector<Headers> packets(count);
    for (Headers& packet : packets) packet = this->packet(rules_[below(rules_.size())].match);
    return packets;
  }

 private:
  std::uint32_t below(std::size_t bound) { return static_cast<std::uint32_t>(random_() % bound); }

  Match match(Shape shape) {
    static constexpr std::uint8_t kCustomer[] = {32, 32, 29, 28, 26, 24, 24, 22, 20, 16};
    static constexpr std::uint8_t kUsual[] = {0, 16, 24, 24, 28, 32, 32, 32};
    Match match;
    switch (shape) {
      case Shape::kPrefix:
        match.dst_prefix = prefix(kCustomer[below(std::size(kCustomer))]);
        return match;
      case Shape::kAcl:
        match.src_prefix = prefix(kUsual[below(std::size(kUsual))]);
        match.dst_prefix = prefix(kUsual[below(std::size(kUsual))]);
        match.ip_protocol = below(3) == 0 ? 17 : 6;
        if (below(10) == 0) match.src_port = ports();
        if (below(5) != 0) match.dst_port = ports();
        return match;
      case Shape::kScatter:
        match.src_prefix = prefix(8 + below(25));
        match.dst_prefix = prefix(8 + below(25));
        match.ip_protocol = below(3) == 0 ? 17 : 6;
        if (below(2) == 0) match.dst_port = ports();
        return match;
      case Shape::kRanges:
        match.dst_prefix =
            IpPrefix::of(IpVersion::kV4, {10, 0, 0, static_cast<std::uint8_t>(1 + below(10))}, 32);
        match.ip_protocol = 6;
        match.dst_port = PortRange{};
        match.dst_port->first = static_cast<std::uint16_t>(random_());
        match.dst_port->last = static_cast<std::uint16_t>(
            std::min<std::uint32_t>(65535, match.dst_port->first + 1 + below(200)));
        return match;
    }
    return match;
  }

  // In 256 networks of /16, so that prefixes nest.
  IpPrefix prefix(std::uint32_t length) {
    const IpAddress address = {
        static_cast<std::uint8_t>(10 + below(4)), static_cast<std::uint8_t>(below(64)),
        static_cast<std::uint8_t>(below(256)), static_cast<std::uint8_t>(below(256))};
    return IpPrefix::of(IpVersion::kV4, address, static_cast<std::uint8_t>(length));
  }

  PortRange ports() {
    const std::uint32_t kind = below(10);
    if (kind == 0) return {1024, 65535};
    const auto first = static_cast<std::uint16_t>(kind < 6 ? 1 + below(1024) : below(60000));
    if (kind == 9) return {first, static_cast<std::uint16_t>(first + below(100))};
    return {first, first};
  }

  IpAddress inside(const std::optional<IpPrefix>& prefix) {
    IpAddress address = {10, 200};
    for (std::size_t i = 0; i < 4; ++i) {
      const std::uint32_t kept =
          prefix ? std::clamp<std::uint32_t>(prefix->length(), 8 * i, 8 * i + 8) - 8 * i : 0;
      const auto host = static_cast<std::uint8_t>(below(256) & 0xffU >> kept);
      address[i] = static_cast<std::uint8_t>((prefix ? prefix->address()[i] : 0) | host);
    }
    return address;
  }

  std::uint16_t inside(const std::optional<PortRange>& ports) {
    if (!ports) return static_cast<std::uint16_t>(random_());
    return static_cast<std::uint16_t>(ports->first + below(ports->last - ports->first + 1U));
  }

  Headers packet(const Match& match) {
    const bool fits = below(10) != 0;
    Headers headers;
    headers.ether_type = 0x0800;
    headers.ip_version = IpVersion::kV4;
    headers.src_address = inside(fits ? match.src_prefix : std::nullopt);
    headers.dst_address = inside(fits ? match.dst_prefix : std::nullopt);
    headers.ip_protocol = match.ip_protocol.value_or(6);
    headers.ports_valid = true;
    headers.src_port = inside(fits ? match.src_port : std::nullopt);
    headers.dst_port = inside(fits ? match.dst_port : std::nullopt);
    return headers;
  }

  std::mt19937 random_;
  std::vector<ClassifierRule> rules_;
};

}  // namespace drip
