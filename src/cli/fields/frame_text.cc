// SPDX-License-Identifier: BSD-3-Clause
// Flows are built header by header, captures read by libpcap.
#include "cli/fields/frame_text.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <pcap/pcap.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>

#include "base/quantity.h"
#include "cli/fields/rule_flags.h"
#include "cli/session/flags.h"

namespace drip::cli {
namespace {

constexpr std::size_t kLeastBytes = 14;
constexpr std::size_t kMostBytes = 16384;

struct Address {
  int family = AF_INET;
  std::array<std::uint8_t, 16> bytes{};
  [[nodiscard]] std::size_t size() const { return family == AF_INET ? 4 : 16; }
};
struct End {
  Address address;
  std::optional<std::uint16_t> port;
};

[[noreturn]] void refuse(std::string_view text) {
  throw UsageError(argument_error(
      text,
      "a flow such as 10.0.0.1:5000>10.0.0.2:80/tcp, [2001:db8::1]:53>[2001:db8::2]"
      ":53/udp or 10.0.0.1>10.0.0.2/icmp, a frame in hexadecimal digits, or the name "
      "of a capture file"));
}

std::optional<Address> parse_address(std::string_view text) {
  const std::string copy(text);
  Address address;
  if (inet_pton(AF_INET, copy.c_str(), address.bytes.data()) == 1) return address;
  address.family = AF_INET6;
  if (inet_pton(AF_INET6, copy.c_str(), address.bytes.data()) == 1) return address;
  return std::nullopt;
}

// "10.0.0.1:80", "10.0.0.1", "[2001:db8::1]:80", "2001:db8::1".
std::optional<End> parse_end(std::string_view text) {
  End end;
  std::string_view port;
  std::string_view host = text;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    host = text.substr(1, close - 1);
    port = text.substr(close + 1);
  } else if (std::ranges::count(text, ':') == 1) {
    host = text.substr(0, text.find(':'));
    port = text.substr(text.find(':'));
  }
  const std::optional<Address> address = parse_address(host);
  if (!address) return std::nullopt;
  end.address = *address;
  if (port.empty()) return end;
  const auto number = parse_integer(port.substr(1), 0, 65535);
  if (!port.starts_with(':') || !number) return std::nullopt;
  end.port = static_cast<std::uint16_t>(*number);
  return end;
}

bool has_ports(std::uint8_t protocol) {
  constexpr std::array<std::uint8_t, 5> kWithPorts = {6, 17, 33, 132, 136};
  return std::ranges::find(kWithPorts, protocol) != kWithPorts.end();
}

void add16(std::string& frame, std::uint32_t value) {
  frame.push_back(static_cast<char>(value >> 8 & 0xff));
  frame.push_back(static_cast<char>(value & 0xff));
}
void add(std::string& frame, const Address& address) {
  frame.append(reinterpret_cast<const char*>(address.bytes.data()), address.size());
}

std::string ip_header(const End& from, const End& to, std::uint8_t protocol, std::uint8_t dscp,
                      std::size_t payload) {
  std::string header;
  if (from.address.family == AF_INET) {
    header = {0x45, static_cast<char>(dscp << 2)};
    add16(header, static_cast<std::uint32_t>(20 + payload));
    add16(header, 0);
    add16(header, 0x4000);  // Not to be fragmented.
    header += {64, static_cast<char>(protocol)};
    add16(header, 0);  // Nobody checks it.
  } else {
    header = {static_cast<char>(0x60 | dscp >> 2), static_cast<char>(dscp << 6 & 0xc0), 0, 0};
    add16(header, static_cast<std::uint32_t>(payload));
    header += {static_cast<char>(protocol), 64};
  }
  add(header, from.address);
  add(header, to.address);
  return header;
}

// The header of TCP with ACK, of UDP, or of an echo request, as far as rules look at them.
std::string payload_of(const End& from, const End& to, std::uint8_t protocol) {
  constexpr std::uint8_t kIcmp = 1;
  constexpr std::uint8_t kIcmpv6 = 58;
  std::string payload;
  if (has_ports(protocol)) {
    add16(payload, from.port.value_or(0));
    add16(payload, to.port.value_or(0));
    payload.resize(20);
    payload[12] = 0x50;
    payload[13] = 0x10;
  } else {
    payload.resize(8);
    if (protocol == kIcmp) payload[0] = 8;
    if (protocol == kIcmpv6) payload[0] = static_cast<char>(128);
  }
  return payload;
}

}  // namespace

std::string frame_of_flow(std::string_view text, const FlowFrame& how) {
  const std::size_t arrow = text.find('>');
  const std::size_t slash = text.rfind('/');
  if (arrow == std::string_view::npos || slash == std::string_view::npos || slash < arrow) {
    refuse(text);
  }
  const auto from = parse_end(text.substr(0, arrow));
  const auto to = parse_end(text.substr(arrow + 1, slash - arrow - 1));
  const auto number = parse_protocol(text.substr(slash + 1));
  if (!from || !to || !number || from->address.family != to->address.family) refuse(text);
  const auto protocol = static_cast<std::uint8_t>(*number);
  if (has_ports(protocol) != from->port.has_value() ||
      from->port.has_value() != to->port.has_value()) {
    throw UsageError(argument_error(text, has_ports(protocol) ? "both ports with this protocol"
                                                              : "no ports with this protocol"));
  }
  std::string frame("\x02\0\0\0\0\x02\x02\0\0\0\0\x01", 12);
  if (how.vlan_id) {
    add16(frame, 0x8100);
    add16(frame, *how.vlan_id);
  }
  add16(frame, from->address.family == AF_INET ? 0x0800 : 0x86dd);
  const std::string payload = payload_of(*from, *to, protocol);
  const std::size_t ip_bytes = from->address.family == AF_INET ? 20 : 40;
  const std::size_t headers = frame.size() + ip_bytes;
  const std::size_t payload_bytes =
      std::max(payload.size(), how.bytes > headers ? how.bytes - headers : 0);
  frame += ip_header(*from, *to, protocol, how.dscp, payload_bytes) + payload;
  frame.resize(std::max(frame.size(), headers + payload_bytes));
  return frame;
}

std::optional<std::string> frame_of_hex(std::string_view text) {
  std::string digits;
  for (const char character : text) {
    if (std::isxdigit(static_cast<unsigned char>(character)) != 0) {
      digits.push_back(character);
    } else if (character != ':' && character != '.' &&
               std::isspace(static_cast<unsigned char>(character)) == 0) {
      return std::nullopt;
    }
  }
  if (digits.size() % 2 != 0 || digits.size() < 2 * kLeastBytes) return std::nullopt;
  std::string frame;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    frame.push_back(static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return frame;
}

std::vector<std::string> frames_of_capture(const std::string& path, std::size_t most) {
  std::array<char, PCAP_ERRBUF_SIZE> error{};
  const std::unique_ptr<pcap_t, decltype(&pcap_close)> capture(
      pcap_open_offline(path.c_str(), error.data()), &pcap_close);
  if (capture == nullptr) throw UsageError(fmt::format("{}: {}", path, error.data()));
  if (const int type = pcap_datalink(capture.get()); type != DLT_EN10MB) {
    const char* const name = pcap_datalink_val_to_name(type);
    throw UsageError(fmt::format("{}: link type {} is not allowed: Ethernet", path,
                                 name != nullptr ? name : std::to_string(type)));
  }
  std::vector<std::string> frames;
  pcap_pkthdr* header = nullptr;
  const unsigned char* bytes = nullptr;
  int result = 0;
  while (frames.size() < most && (result = pcap_next_ex(capture.get(), &header, &bytes)) == 1) {
    // A file may say that a frame was shorter than what it has of it.
    const std::size_t size = std::max(header->caplen, header->len);
    if (header->caplen < kLeastBytes || size > kMostBytes) continue;
    std::string frame(reinterpret_cast<const char*>(bytes), header->caplen);
    frame.resize(size);  // What the capture has left out.
    frames.push_back(std::move(frame));
  }
  if (result == PCAP_ERROR) {
    throw UsageError(fmt::format("{}: {}", path, pcap_geterr(capture.get())));
  }
  return frames;
}

}  // namespace drip::cli
