// SPDX-License-Identifier: BSD-3-Clause
// Marks, remarks and washes frames of any content: the field is what was asked, the checksum is as
// right as before by a sum from scratch, nothing else has changed, and twice is as once. The first
// byte has the DSCP and how much of the frame is not contiguous.
#include "packet/ds_field.h"

#include <algorithm>

#include "fuzz/support/frame_seeds.h"
#include "fuzz/support/fuzz_target.h"

namespace drip::fuzz {
namespace {

// The ones' complement sum of the header that is there, RFC 791; 0 and 0xffff are one number.
std::uint32_t header_sum(const Bytes& frame, std::size_t at) {
  std::uint32_t sum = 0;
  // A header that says that it is shorter than 20 bytes is none; it has these all the same.
  const std::size_t bytes = std::size_t{4} * std::max(frame[at] & 15U, 5U);
  for (std::size_t i = 0; i < bytes && at + i < frame.size(); i += 2) {
    const unsigned low = at + i + 1 < frame.size() ? frame[at + i + 1] : 0;
    sum += static_cast<std::uint32_t>(frame[at + i] << 8) + low;
  }
  return sum % 0xffff;
}

// `after` differs from `before` in the field and in the checksum of IPv4 only.
void check_rest(const Bytes& before, const Bytes& after, IpLocation ip) {
  require(after.size() == before.size(), "the frame is as long as before");
  for (std::size_t i = 0; i < before.size(); ++i) {
    unsigned may_change = 0;
    if (ip.version == IpVersion::kV4) {
      const std::size_t at = i - ip.offset;
      if (at == 1 || at == 10 || at == 11) may_change = 0xff;
    } else if (ip.version == IpVersion::kV6) {
      if (i == ip.offset) may_change = 0x0f;
      if (i == ip.offset + std::size_t{1}) may_change = 0xf0;
    }
    require(((before[i] ^ after[i]) & ~may_change & 0xff) == 0, "nothing else has changed");
  }
  if (ip.version == IpVersion::kV4) {
    require(header_sum(before, ip.offset) == header_sum(after, ip.offset),
            "a checksum that was right is right, and one that was wrong as wrong");
  }
}

void check_mark(const Bytes& frame, IpLocation ip) {
  const std::uint8_t field = read_ds_field(frame, ip);
  Bytes marked = frame;
  const bool capable = ip.version != IpVersion::kNone && (field & 3) != 0;
  require(set_ce(marked, ip) == capable, "what is ECN capable is marked, and nothing else");
  require(read_ds_field(marked, ip) == (capable ? (field | 3) : field), "a mark is both bits");
  require(capable || marked == frame, "what is not ECN capable is left alone");
  check_rest(frame, marked, ip);
  Bytes again = marked;
  (void)set_ce(again, ip);
  require(again == marked, "a mark upon a mark changes nothing");
}

void check_remark(const Bytes& frame, IpLocation ip, std::uint8_t dscp) {
  Bytes remarked = frame;
  set_dscp(remarked, ip, dscp);
  if (ip.version != IpVersion::kNone) {
    require(read_dscp(remarked, ip) == dscp, "the DSCP is the new one");
    require(read_ecn(remarked, ip) == read_ecn(frame, ip), "the ECN bits stay");
  } else {
    require(remarked == frame, "without IP nothing is written");
  }
  check_rest(frame, remarked, ip);
  Bytes again = remarked;
  set_dscp(again, ip, dscp);
  require(again == remarked, "the same DSCP again changes nothing");
  const Headers before = parse_frame(frame, static_cast<std::uint32_t>(frame.size()));
  Headers after = parse_frame(remarked, static_cast<std::uint32_t>(remarked.size()));
  after.dscp = before.dscp;
  require(after == before, "the parser sees the same packet");
}

}  // namespace

std::vector<std::string> seeds() {
  std::vector<std::string> all;
  for (const char head : {0, 46}) {
    for (const Bytes& frame : seed_frames()) {
      std::string seed = head + std::string(frame.begin(), frame.end());
      all.push_back(seed);
    }
  }
  return all;
}

}  // namespace drip::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drip;        // NOLINT(google-build-using-namespace)
  using namespace drip::fuzz;  // NOLINT(google-build-using-namespace)
  if (size < 1) return 0;
  const Bytes frame(data + 1, data + size);
  const std::uint8_t dscp = data[0] % 64;
  const auto frame_bytes = static_cast<std::uint32_t>(frame.size()) + data[0] / 64 * 100U;
  const IpLocation ip = locate_ip(frame, frame_bytes);
  check_mark(frame, ip);
  check_remark(frame, ip, dscp);
  return 0;
}
