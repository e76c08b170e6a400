// SPDX-License-Identifier: BSD-3-Clause
// Frames for the devices, and pcap files of them.
#pragma once

#include <pcap/pcap.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "support/frame_builder.h"

namespace drip::vdev {

using Frame = std::vector<std::uint8_t>;

/// Ethernet, an experimental EtherType (IEEE 802, 0x88b5), a number, and a pattern made of it.
inline Frame numbered_frame(std::uint32_t number, std::size_t frame_bytes) {
  Bytes payload(frame_bytes - 14);
  for (std::size_t i = 0; i < payload.size(); ++i) {
    payload[i] = static_cast<std::uint8_t>(number * 31 + i);
  }
  std::memcpy(payload.data(), &number, sizeof number);
  return FrameBuilder().be16(0x88b5).raw(payload).build();
}

struct Captured {
  Frame frame;
  std::int64_t ns;
};

inline void write_pcap(const std::string& path, const std::vector<Captured>& captured) {
  pcap_t* const pcap =
      pcap_open_dead_with_tstamp_precision(DLT_EN10MB, 65535, PCAP_TSTAMP_PRECISION_NANO);
  pcap_dumper_t* const file = pcap_dump_open(pcap, path.c_str());
  for (const Captured& one : captured) {
    pcap_pkthdr header{};
    header.caplen = header.len = static_cast<bpf_u_int32>(one.frame.size());
    header.ts.tv_sec = one.ns / 1'000'000'000;
    header.ts.tv_usec = one.ns % 1'000'000'000;
    pcap_dump(reinterpret_cast<u_char*>(file), &header, one.frame.data());
  }
  pcap_dump_close(file);
  pcap_close(pcap);
}
inline void write_pcap(const std::string& path, const std::vector<Frame>& frames) {
  std::vector<Captured> captured;
  for (const Frame& frame : frames) captured.push_back({frame, 0});
  write_pcap(path, captured);
}

inline std::vector<Captured> read_pcap(const std::string& path) {
  std::vector<Captured> captured;
  char error[PCAP_ERRBUF_SIZE];
  pcap_t* const pcap =
      pcap_open_offline_with_tstamp_precision(path.c_str(), PCAP_TSTAMP_PRECISION_NANO, error);
  if (pcap == nullptr) return captured;
  pcap_pkthdr* header = nullptr;
  const u_char* bytes = nullptr;
  while (pcap_next_ex(pcap, &header, &bytes) == 1) {
    captured.push_back({Frame(bytes, bytes + header->caplen),
                        header->ts.tv_sec * 1'000'000'000LL + header->ts.tv_usec});
  }
  pcap_close(pcap);
  return captured;
}

}  // namespace drip::vdev
