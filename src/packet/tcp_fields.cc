// SPDX-License-Identifier: BSD-3-Clause
#include "packet/tcp_fields.h"

#include <algorithm>
#include <cstddef>

#include "packet/big_endian.h"
#include "packet/ds_field.h"
#include "packet/protocol_numbers.h"

namespace drip {
namespace {

constexpr std::size_t kHeaderBytes = 20;
constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kAck = 0x10;
// Options: their kinds, and the length of Timestamps.
constexpr std::uint8_t kEndOfOptions = 0, kNoOperation = 1, kTimestamps = 8;
constexpr std::size_t kTimestampsBytes = 10;

void read_options(std::span<const std::uint8_t> options, TcpFields& fields) {
  while (!options.empty() && options[0] != kEndOfOptions) {
    if (options[0] == kNoOperation) {
      options = options.subspan(1);
      continue;
    }
    if (options.size() < 2 || options[1] < 2 || options[1] > options.size()) return;
    if (options[0] == kTimestamps && options[1] == kTimestampsBytes) {
      fields.timestamps = true;
      fields.ts_value = load_be32(&options[2]);
      fields.ts_echo = load_be32(&options[6]);
      return;
    }
    options = options.subspan(options[1]);
  }
}

// Where the IP packet ends, counted from the begin of the frame.
std::size_t packet_end(std::span<const std::uint8_t> bytes, IpLocation ip) {
  const std::uint8_t* const header = &bytes[ip.offset];
  return ip.version == IpVersion::kV4 ? std::size_t{ip.offset} + load_be16(header + 2)
                                      : std::size_t{ip.offset} + 40U + load_be16(header + 4);
}

}  // namespace

std::optional<TcpFields> read_tcp(std::span<const std::uint8_t> bytes, const Headers& headers) {
  if (headers.ip_protocol != ip_protocol::kTcp || !headers.ports_valid) return std::nullopt;
  const std::size_t offset = headers.l4_offset;
  if (bytes.size() < offset + kHeaderBytes) return std::nullopt;
  const IpLocation ip = locate_ip(bytes, headers);
  if (ip.version == IpVersion::kNone) return std::nullopt;
  const std::uint8_t* const tcp = &bytes[offset];
  const std::size_t header_bytes = std::size_t{tcp[12]} / 16 * 4;
  const std::size_t end = packet_end(bytes, ip);
  if (header_bytes < kHeaderBytes || end < offset + header_bytes) return std::nullopt;
  TcpFields fields;
  fields.sequence = load_be32(tcp + 4);
  fields.acknowledgment = load_be32(tcp + 8);
  const std::uint8_t flags = tcp[13];
  fields.ack = (flags & kAck) != 0;
  fields.syn = (flags & kSyn) != 0;
  fields.fin = (flags & kFin) != 0;
  fields.rst = (flags & kRst) != 0;
  fields.length = static_cast<std::uint32_t>(end - offset - header_bytes) + (fields.syn ? 1 : 0) +
                  (fields.fin ? 1 : 0);
  const std::size_t options_end = std::min(offset + header_bytes, bytes.size());
  read_options(bytes.subspan(offset + kHeaderBytes, options_end - offset - kHeaderBytes), fields);
  return fields;
}

}  // namespace drip
