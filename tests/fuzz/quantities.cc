// SPDX-License-Identifier: BSD-3-Clause
// Any text as a rate, a size, a duration, a whole number, a network: what is accepted is in range
// and reads back as the same value from what is written of it; what is refused is refused in one
// line.
#include <chrono>
#include <cmath>
#include <limits>
#include <string>

#include "absl/strings/ascii.h"
#include "base/quantity.h"
#include "fuzz/support/byte_source.h"
#include "fuzz/support/fuzz_target.h"
#include "packet/ip_prefix.h"

namespace drip::fuzz {
namespace {

constexpr std::uint64_t kLargestWhole = std::uint64_t{1} << 53;

template <class T>
void check_error(const Parsed<T>& parsed) {
  if (parsed) return;
  require(parsed.error().find("allowed") != std::string::npos ||
              parsed.error().find("the network is") != std::string::npos,
          "an error says what is allowed");
  for (const char c : parsed.error()) {
    require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "an error is one line of text");
  }
}

// `format(value, digits)` of a quantity that was read.
template <class T, class Parse, class Format>
void check_quantity(std::string_view text, Parse parse, Format format) {
  const Parsed<T> parsed = parse(text);
  check_error(parsed);
  const Parsed<T> upper = parse(absl::AsciiStrToUpper(std::string(text)));
  require(static_cast<bool>(parsed) == static_cast<bool>(upper) && (!parsed || *parsed == *upper),
          "upper and lower case are the same");
  if (!parsed) return;
  const std::string written = format(*parsed, 0);
  const Parsed<T> again = parse(written);
  require(static_cast<bool>(again), "what is written is accepted");
  require(*again == *parsed, "what is written reads back as the same");
  require(format(*again, 0) == written, "it is written the same again");
  // Not that it reads back: 1500 bytes are 1.46kib then, which are no whole ones.
  require(!format(*parsed, 3).empty(), "it can be written with few digits");
}

void check_rates(std::string_view text) {
  for (const Parsed<double>& rate : {parse_bit_rate(text), parse_unit_rate(text)}) {
    require(!rate || (std::isfinite(*rate) && *rate >= 0 && !std::signbit(*rate)),
            "a rate is finite and not negative");
  }
  check_quantity<double>(text, parse_bit_rate, format_bit_rate);
  check_quantity<double>(text, parse_unit_rate, format_unit_rate);
  const Parsed<LeakRate> rate = parse_leak_rate(text);
  check_error(rate);
  require(static_cast<bool>(rate) == (parse_bit_rate(text) || parse_unit_rate(text)),
          "a rate is one of bits or one of units");
}

void check_spans(std::string_view text) {
  check_quantity<std::uint64_t>(text, parse_bytes, format_bytes);
  check_quantity<std::chrono::nanoseconds>(text, parse_duration, format_duration);
  if (const auto bytes = parse_bytes(text)) require(*bytes <= kLargestWhole, "a size is in range");
  if (const auto span = parse_duration(text)) {
    require(span->count() >= 0 && static_cast<std::uint64_t>(span->count()) <= kLargestWhole,
            "a duration is in range");
  }
}

void check_numbers(std::string_view text) {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const auto number = parse_integer(text, kLeast, kMost);
  check_error(number);
  const auto narrow = parse_integer(text, -5, 1000);
  check_error(narrow);
  require(static_cast<bool>(narrow) == (number && *number >= -5 && *number <= 1000),
          "a number is accepted if it is in range");
}

void check_network(std::string_view text) {
  const Parsed<IpPrefix> network = IpPrefix::parse(text);
  check_error(network);
  if (!network) return;
  const Parsed<IpPrefix> again = IpPrefix::parse(network->to_text());
  require(again && *again == *network, "a network reads back as the same");
  require(IpPrefix::of(network->version(), network->address(), network->length()) == *network,
          "no bits are set behind the length");
}

}  // namespace

std::vector<std::string> seeds() {
  return {"100mbit",
          "1.5gbit/s",
          "64kibit",
          "10kpps",
          "1/h",
          "10/min",
          "0.5k/s",
          "2e3rps",
          "64kb",
          "1500",
          "9mib",
          "8tbit",
          "20ms",
          "1.5us",
          "0",
          "24h",
          "3secs",
          "-1mbit",
          "10mbps",
          "1e308gbit",
          "1e-320/s",
          "9007199254740992b",
          ".5",
          "inf",
          "+5",
          "192.0.2.0/24",
          "2001:db8::/32",
          "10.0.0.1",
          "::ffff:1.2.3.4/128"};
}

}  // namespace drip::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drip::fuzz;  // NOLINT(google-build-using-namespace)
  const std::string_view text = text_of({data, size});
  check_rates(text);
  check_spans(text);
  check_numbers(text);
  check_network(text);
  return 0;
}
