// SPDX-License-Identifier: BSD-3-Clause
// Any file as a capture, and any text as a flow or a frame, as `dripctl explain` reads them.
#include <string>
#include <vector>

#include "cli/fields/frame_text.h"
#include "cli/session/flags.h"
#include "fuzz/support/byte_source.h"
#include "fuzz/support/frame_seeds.h"
#include "fuzz/support/fuzz_target.h"
#include "fuzz/support/memory_file.h"
#include "packet/headers.h"

namespace drip::fuzz {
namespace {

constexpr std::size_t kMostFrames = 64;
constexpr std::size_t kLeastBytes = 14;
constexpr std::size_t kMostBytes = 16384;

std::span<const std::uint8_t> bytes_of(const std::string& frame) {
  return {reinterpret_cast<const std::uint8_t*>(frame.data()), frame.size()};
}

void check_capture(std::string_view content) {
  static const MemoryFile kFile;
  kFile.write(content);
  try {
    const std::vector<std::string> frames = cli::frames_of_capture(kFile.path(), kMostFrames);
    require(frames.size() <= kMostFrames, "no more frames than asked for");
    // A record of pcap has 16 bytes besides the frame's first bytes, one of pcapng more.
    require(frames.size() * (16 + kLeastBytes) <= content.size(), "the file has the frames");
    for (const std::string& frame : frames) {
      require(frame.size() >= kLeastBytes && frame.size() <= kMostBytes,
              "a frame has an Ethernet header, and is no longer than a frame can be");
    }
  } catch (const cli::UsageError& error) {
    require(std::string_view(error.what()).starts_with(kFile.path()), "an error names the file");
  }
}

void check_flow(std::string_view text) {
  try {
    const std::string frame = cli::frame_of_flow(text, {});
    const auto size = static_cast<std::uint32_t>(frame.size());
    const Headers headers = parse_frame(bytes_of(frame), size);
    require(headers.ip_version != IpVersion::kNone, "the frame of a flow is IP");
    require(size >= 64, "it is as long as was asked for");
  } catch (const cli::UsageError& error) {
    require(std::string_view(error.what()).find("allowed") != std::string_view::npos,
            "an error says what is allowed");
  }
}

void check_digits(std::string_view text) {
  const auto frame = cli::frame_of_hex(text);
  if (!frame) return;
  require(frame->size() >= kLeastBytes && 2 * frame->size() <= text.size(),
          "a frame has two digits a byte");
}

void add32(std::string& bytes, std::uint32_t number) {
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(number >> shift);
}

// See draft-ietf-opsawg-pcap. `magic`: of microseconds or of nanoseconds.
std::string pcap_of(std::uint32_t magic, std::uint32_t link_type, std::uint32_t left_out = 100) {
  std::string file;
  add32(file, magic);
  add32(file, 4U << 16 | 2);
  for (const std::uint32_t number : {0U, 0U, 65535U, link_type}) add32(file, number);
  for (const std::size_t sample : {0, 11, 20}) {
    const Bytes frame = sample_frames()[sample];
    add32(file, 1);
    add32(file, 2);
    add32(file, static_cast<std::uint32_t>(frame.size()));
    add32(file, static_cast<std::uint32_t>(frame.size()) + left_out);
    file.append(frame.begin(), frame.end());
  }
  return file;
}

// See draft-ietf-opsawg-pcapng: a section, an interface, a packet.
std::string pcapng() {
  std::string file;
  for (const std::uint32_t number :
       {0x0a0d0d0aU, 28U, 0x1a2b3c4dU, 1U, 0xffffffffU, 0xffffffffU, 28U}) {
    add32(file, number);
  }
  for (const std::uint32_t number : {1U, 20U, 1U, 65535U, 20U}) add32(file, number);
  const Bytes frame = sample_frames()[0];
  const auto size = static_cast<std::uint32_t>(frame.size());
  const std::uint32_t padded = (size + 3) / 4 * 4;
  for (const std::uint32_t number : {6U, 32 + padded, 0U, 0U, 0U, size, size}) {
    add32(file, number);
  }
  file.append(frame.begin(), frame.end());
  file.append(padded - size, '\0');
  add32(file, 32 + padded);
  return file;
}

}  // namespace

std::vector<std::string> seeds() {
  return {pcap_of(0xa1b2c3d4, 1), pcap_of(0xa1b23c4d, 1), pcap_of(0xa1b2c3d4, 113),
          // Shorter than what is there, and longer than a frame can be.
          pcap_of(0xa1b2c3d4, 1, 0U - 40), pcap_of(0xa1b2c3d4, 1, 16384), pcapng(),
          "10.0.0.1:5000>10.0.0.2:80/tcp", "[2001:db8::1]:53>[2001:db8::2]:53/udp",
          "2001:db8::1>2001:db8::2/icmpv6", "10.0.0.1>10.0.0.2/47",
          "02 00 00 00 00 01 02 00 00 00 00 02 08 06 00 01",
          "0200.0000.0001:0200.0000.0002:0800:45000014"};
}

}  // namespace drip::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drip::fuzz;  // NOLINT(google-build-using-namespace)
  const std::string_view text = text_of({data, size});
  check_capture(text);
  check_flow(text);
  check_digits(text);
  return 0;
}
