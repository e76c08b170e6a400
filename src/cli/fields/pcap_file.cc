// SPDX-License-Identifier: BSD-3-Clause
#include "cli/fields/pcap_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pcap/pcap.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "cli/session/flags.h"

namespace drip::cli {
namespace {

std::FILE* open_file(const std::string& path) {
  if (path == "-") return stdout;
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) throw UsageError(fmt::format("--output: {}: {}", path, std::strerror(errno)));
  return fdopen(file, "wb");
}

}  // namespace

PcapFile::PcapFile(const std::string& path, std::uint32_t snap_bytes)
    : path_(path),
      format_(pcap_open_dead_with_tstamp_precision(DLT_EN10MB, static_cast<int>(snap_bytes),
                                                   PCAP_TSTAMP_PRECISION_NANO)),
      dumper_(nullptr) {
  std::FILE* const file = open_file(path);
  dumper_ = pcap_dump_fopen(format_, file);
  if (dumper_ == nullptr) {
    throw UsageError(fmt::format("--output: {}: {}", path, pcap_geterr(format_)));
  }
}

PcapFile::~PcapFile() {
  if (path_ != "-") {
    pcap_dump_close(dumper_);
  } else {
    pcap_dump_flush(dumper_);
  }
  pcap_close(format_);
}

void PcapFile::add(const std::string& frame, std::uint32_t frame_bytes, std::int64_t time_ns) {
  pcap_pkthdr header{};
  header.ts.tv_sec = time_ns / 1'000'000'000;
  header.ts.tv_usec = time_ns % 1'000'000'000;  // Nanoseconds, as the file's header says.
  header.caplen = static_cast<std::uint32_t>(frame.size());
  header.len = frame_bytes;
  pcap_dump(reinterpret_cast<std::uint8_t*>(dumper_), &header,
            reinterpret_cast<const std::uint8_t*>(frame.data()));
}

void PcapFile::flush() {
  if (pcap_dump_flush(dumper_) == 0) return;
  throw std::runtime_error(fmt::format("{}: {}", path_, std::strerror(errno)));
}

}  // namespace drip::cli
