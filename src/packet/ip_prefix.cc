// SPDX-License-Identifier: BSD-3-Clause
// Addresses and networks from text and back.
#include "packet/ip_prefix.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cassert>
#include <charconv>

#include "absl/strings/str_cat.h"
#include "base/as_typed.h"

namespace drip {
namespace {

// The parts of the text, before it is known that no host bits are set.
struct Network {
  IpVersion version = IpVersion::kNone;
  IpAddress address{};
  std::uint8_t length = 0;
};

std::uint8_t address_bits(IpVersion version) { return version == IpVersion::kV4 ? 32 : 128; }

int family_of(IpVersion version) { return version == IpVersion::kV4 ? AF_INET : AF_INET6; }

IpAddress masked(const IpAddress& address, std::size_t length) {
  IpAddress result{};
  const std::size_t whole_bytes = length / 8;
  std::copy_n(address.begin(), whole_bytes, result.begin());
  if (length % 8 != 0) {
    result[whole_bytes] = address[whole_bytes] & static_cast<std::uint8_t>(0xff00U >> length % 8);
  }
  return result;
}

Parsed<Network> refuse(std::string_view text, const std::string& why) {
  return Parsed<Network>::failure(
      absl::StrCat(as_typed(text), " is not a network: ", why,
                   "; allowed: an IPv4 or IPv6 address, with or without /LENGTH"));
}

Parsed<Network> read(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view address_text = text.substr(0, slash);
  if (text.empty()) return refuse(text, "it is empty");
  // inet_pton would stop there and accept what stands before it.
  if (text.find('\0') != std::string_view::npos) return refuse(text, "it has a NUL byte");

  Network network;
  network.version =
      address_text.find(':') == std::string_view::npos ? IpVersion::kV4 : IpVersion::kV6;
  if (inet_pton(family_of(network.version), std::string(address_text).c_str(),
                network.address.data()) != 1) {
    return refuse(text, absl::StrCat(as_typed(address_text), " is no address"));
  }
  network.length = address_bits(network.version);
  if (slash == std::string_view::npos) return network;

  const std::string_view length_text = text.substr(slash + 1);
  const char* const end = length_text.data() + length_text.size();
  unsigned length = 0;
  const auto [rest, error] = std::from_chars(length_text.data(), end, length);
  if (error != std::errc{} || rest != end || length > network.length) {
    return refuse(text,
                  absl::StrCat("the length must be a whole number from 0 to ", network.length));
  }
  network.length = static_cast<std::uint8_t>(length);
  return network;
}

}  // namespace

IpPrefix IpPrefix::of(IpVersion version, const IpAddress& address, std::uint8_t length) {
  assert(version != IpVersion::kNone && length <= address_bits(version));
  IpPrefix prefix;
  prefix.version_ = version;
  prefix.length_ = length;
  prefix.address_ = masked(address, length);
  return prefix;
}

Parsed<IpPrefix> IpPrefix::parse(std::string_view text) {
  const Parsed<Network> network = read(text);
  if (!network) return Parsed<IpPrefix>::failure(network.error());
  const IpPrefix prefix = of(network->version, network->address, network->length);
  if (prefix.address() == network->address) return prefix;
  return Parsed<IpPrefix>::failure(
      absl::StrCat(as_typed(text), " is not a network: bits behind the first ", network->length,
                   " are set; the network is ", prefix.to_text()));
}

std::string IpPrefix::to_text() const {
  return absl::StrCat(drip::to_text(version_, address_), "/", length_);
}

std::string to_text(IpVersion version, const IpAddress& address) {
  char text[INET6_ADDRSTRLEN];
  // Cannot fail: the family is known and the text has room for the longest.
  inet_ntop(family_of(version), address.data(), text, sizeof text);
  return text;
}

}  // namespace drip
