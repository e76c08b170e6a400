// SPDX-License-Identifier: BSD-3-Clause
// What a fair queue needs of a packet: its flow, from its headers.
#pragma once

#include "drip/queue/queue_key.h"
#include "packet/headers.h"

namespace drip {

/// All fragments of a datagram have one key: they have no ports. A packet without IP is told by its
/// MAC addresses and its EtherType.
[[nodiscard]] inline QueueKey make_queue_key(const Headers& headers) {
  QueueKey key;
  key.source = headers.src_address;
  key.destination = headers.dst_address;
  key.source_port = headers.ip_version != IpVersion::kNone ? headers.src_port : headers.ether_type;
  key.destination_port = headers.dst_port;
  key.protocol = headers.ip_protocol;
  key.version = static_cast<std::uint8_t>(headers.ip_version);
  return key;
}

}  // namespace drip
