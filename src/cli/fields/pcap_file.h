// SPDX-License-Identifier: BSD-3-Clause
// A capture file that is written.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

struct pcap;
struct pcap_dumper;

namespace drip::cli {

// A pcap file of Ethernet frames with nanoseconds. Not thread safe.
class PcapFile {
 public:
  // Makes the file anew, readable by its owner only, because it shows what others send; "-" is
  // standard output. Throws UsageError, with the system's reason.
  PcapFile(const std::string& path, std::uint32_t snap_bytes);
  ~PcapFile();
  PcapFile(const PcapFile&) = delete;
  PcapFile& operator=(const PcapFile&) = delete;

  // `frame`: the first bytes of one of `frame_bytes`, at `time_ns` since the Unix epoch.
  void add(const std::string& frame, std::uint32_t frame_bytes, std::int64_t time_ns);
  // What was added is in the file. Throws std::runtime_error, with the system's reason.
  void flush();

 private:
  const std::string path_;
  pcap* format_;
  pcap_dumper* dumper_;
};

}  // namespace drip::cli
