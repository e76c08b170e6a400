// SPDX-License-Identifier: BSD-3-Clause
// base/quantity.h: every unit, the errors, and that what is written reads as the same value.
#include "base/quantity.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <random>
#include <string>

namespace drip {
namespace {

using std::chrono::nanoseconds;
using namespace std::chrono_literals;

LeakRate bits(double per_second) { return {RateKind::kBits, per_second}; }
LeakRate units(double per_second) { return {RateKind::kUnits, per_second}; }

TEST(QuantityTest, ReadsBitRates) {
  const std::pair<const char*, double> cases[] = {
      {"100mbit", 100e6}, {"2.5gbit", 2.5e9}, {"1bit", 1},          {"64kbit", 64e3},
      {"0.4tbit", 4e11},  {"1kibit", 1024},   {"3mibit", 3145728},  {"1gibit", 1073741824},
      {"1e8bit", 1e8},    {"100MBit", 100e6}, {"100Mbit/s", 100e6}, {".5mbit", 5e5},
      {"0bit", 0},
  };
  for (const auto& [text, expected] : cases) {
    const auto rate = parse_leak_rate(text);
    ASSERT_TRUE(rate) << rate.error();
    EXPECT_EQ(*rate, bits(expected)) << text;
    EXPECT_EQ(*parse_bit_rate(text), expected) << text;
    EXPECT_FALSE(parse_unit_rate(text)) << text;
  }
}

TEST(QuantityTest, ReadsUnitRates) {
  const std::pair<const char*, double> cases[] = {
      {"10kpps", 10e3},    {"10", 10},     {"0.5", 0.5},    {"7rps", 7},      {"3mpps", 3e6},
      {"1gpps", 1e9},      {"2krps", 2e3}, {"10/s", 10},    {"10k/s", 10e3},  {"30/min", 0.5},
      {"1/h", 1.0 / 3600}, {"0", 0},       {"1e3pps", 1e3}, {"10KPPS", 10e3},
  };
  for (const auto& [text, expected] : cases) {
    const auto rate = parse_leak_rate(text);
    ASSERT_TRUE(rate) << rate.error();
    EXPECT_EQ(*rate, units(expected)) << text;
    EXPECT_EQ(*parse_unit_rate(text), expected) << text;
    EXPECT_FALSE(parse_bit_rate(text)) << text;
  }
}

TEST(QuantityTest, ReadsSizesAsTcDoes) {
  const std::pair<const char*, std::uint64_t> cases[] = {
      {"1500b", 1500},
      {"1500", 1500},
      {"64kb", 65536},
      {"64k", 65536},
      {"64kib", 65536},
      {"1.5kb", 1536},
      {"2mb", 2097152},
      {"1gib", 1073741824},
      {"8kbit", 1000},
      {"1mbit", 125000},
      {"0", 0},
      {"0.1kbit", 0},
      {"1tb", std::uint64_t{1} << 40},
      {"8192tib", std::uint64_t{1} << 53},
  };
  for (const auto& [text, expected] : cases) {
    const auto bytes = parse_bytes(text);
    if (std::string_view(text) == "0.1kbit") {  // 12.5 bytes
      EXPECT_FALSE(bytes);
      continue;
    }
    ASSERT_TRUE(bytes) << bytes.error();
    EXPECT_EQ(*bytes, expected) << text;
  }
}

TEST(QuantityTest, ReadsDurations) {
  const std::pair<const char*, nanoseconds> cases[] = {
      {"20ms", 20ms}, {"1.5s", 1500ms}, {"1.1us", 1100ns}, {"7ns", 7ns},     {"2min", 2min},
      {"1h", 1h},     {"0", 0ns},       {"0s", 0ns},       {"3secs", 3s},    {"5usec", 5us},
      {"5MS", 5ms},   {"9msec", 9ms},   {"9nsec", 9ns},    {"0.3us", 300ns},
  };
  for (const auto& [text, expected] : cases) {
    const auto duration = parse_duration(text);
    ASSERT_TRUE(duration) << duration.error();
    EXPECT_EQ(*duration, expected) << text;
  }
}

TEST(QuantityTest, ErrorsSayWhatIsWrongAndWhatIsAllowed) {
  const std::string bit_forms = "allowed: a number followed by bit, kbit, mbit, gbit or tbit";
  const std::string duration_forms = "allowed: a number followed by ns, us, ms, s, min or h";
  EXPECT_EQ(parse_leak_rate("10furlongs").error(),
            "'10furlongs' is not a rate: unknown unit 'furlongs'; " + bit_forms +
                " (also kibit ...) for bits, pps, kpps, mpps, rps, krps, /s, /min, /h or nothing "
                "for units");
  EXPECT_EQ(parse_bit_rate("10").error(),
            "'10' is not a bit rate: it is a rate of units; " + bit_forms + " (also kibit ...)");
  EXPECT_EQ(parse_duration("5").error(),
            "'5' is not a duration: the unit is missing; " + duration_forms);
  EXPECT_EQ(parse_duration("-5ms").error(),
            "'-5ms' is not a duration: it is negative; " + duration_forms);
  EXPECT_EQ(parse_duration("0.5ns").error(),
            "'0.5ns' is not a duration: it does not come to whole nanoseconds; " + duration_forms);
  EXPECT_EQ(parse_bytes("1.5b").error(),
            "'1.5b' is not a size: it does not come to whole bytes; allowed: a number followed by "
            "b, kb, mb, gb, kib, mib, gib or nothing");
}

// tc reads `mbps` as a million bytes per second, most people as bits.
TEST(QuantityTest, BpsIsAnError) {
  const auto rate = parse_leak_rate("10mbps");
  ASSERT_FALSE(rate);
  EXPECT_NE(rate.error().find("it says bytes to tc and bits to others"), std::string::npos)
      << rate.error();
}

TEST(QuantityTest, AnErrorIsOneLineWhateverTheTextHas) {
  const std::string text = std::string("5\n\x1b[2J\0m", 8);
  for (const std::string& error :
       {parse_leak_rate(text).error(), parse_bytes(text).error(), parse_duration(text).error(),
        parse_integer(text, 0, 9).error()}) {
    EXPECT_EQ(error.substr(0, 20), "'5\\n\\033[2J\\000m' is") << error;
    EXPECT_EQ(error.find_first_of(std::string("\n\x1b\0", 3)), std::string::npos) << error;
  }
}

TEST(QuantityTest, TextThatIsNoNumberIsAnError) {
  for (const char* text :
       {"",      " ",      "mbit",      "inf",       "nan",   "infbit",  "nanpps", "-1",
        "-0bit", "+1",     "1e999mbit", "1e308tbit", "0x10",  "1,5mbit", "1 mbit", "1mbit ",
        "1..5",  "1mbitx", "..",        ".",         "1e400", "10k",     "/s"}) {
    EXPECT_FALSE(parse_leak_rate(text)) << text;
  }
  for (const char* text : {"", "b", "-1b", "inf", "nan", "1e30", "9000000tb", "1q", "1 b"}) {
    EXPECT_FALSE(parse_bytes(text)) << text;
  }
  for (const char* text : {"", "s", "-1s", "inf", "nans", "1e30s", "1d", "1 s", "1"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(QuantityTest, ReadsIntegersWithinBounds) {
  EXPECT_EQ(*parse_integer("0", 0, 10), 0);
  EXPECT_EQ(*parse_integer("010", 0, 10), 10);
  EXPECT_EQ(*parse_integer("-64", -64, 256), -64);
  EXPECT_EQ(*parse_integer("9223372036854775807", 0, std::numeric_limits<std::int64_t>::max()),
            std::numeric_limits<std::int64_t>::max());
  for (const char* text :
       {"", "-1", "11", "1.0", "1e1", "0x1", " 1", "1 ", "+1", "ten", "9223372036854775808"}) {
    EXPECT_FALSE(parse_integer(text, 0, 10)) << text;
  }
  EXPECT_EQ(parse_integer("70000", 1, 65535).error(),
            "'70000' is not allowed; allowed: a whole number from 1 to 65535");
}

TEST(QuantityTest, WritesWhatReadsWell) {
  EXPECT_EQ(format_bit_rate(100e6), "100mbit");
  EXPECT_EQ(format_bit_rate(2.5e9), "2.5gbit");
  EXPECT_EQ(format_bit_rate(1), "1bit");
  EXPECT_EQ(format_bit_rate(0), "0bit");
  EXPECT_EQ(format_bit_rate(4e11), "400gbit");
  EXPECT_EQ(format_bit_rate(1234567), "1.234567mbit");
  EXPECT_EQ(format_bit_rate(99.99567e6, 4), "100mbit");
  EXPECT_EQ(format_bit_rate(999.96e3, 4), "1mbit");
  EXPECT_EQ(format_bit_rate(99.49567e6, 4), "99.5mbit");
  EXPECT_EQ(format_unit_rate(10e3), "10k/s");
  EXPECT_EQ(format_unit_rate(10), "10/s");
  EXPECT_EQ(format_unit_rate(0.5), "0.5/s");
  EXPECT_EQ(format_unit_rate(7.0 / 60), "7/min");
  EXPECT_EQ(format_unit_rate(1.0 / 3600), "1/h");
  EXPECT_EQ(format_unit_rate(0), "0/s");
  EXPECT_EQ(format_unit_rate(1.0 / 3, 4), "20/min");
  EXPECT_EQ(format_bytes(1500), "1500b");
  EXPECT_EQ(format_bytes(1536), "1536b");
  EXPECT_EQ(format_bytes(65536), "64kib");
  EXPECT_EQ(format_bytes(900), "900b");
  EXPECT_EQ(format_bytes(123456789, 4), "117.7mib");
  EXPECT_EQ(format_bytes(1023 * 1024, 3), "1020kib");
  EXPECT_EQ(format_duration(20ms), "20ms");
  EXPECT_EQ(format_duration(1500us), "1.5ms");
  EXPECT_EQ(format_duration(2h), "7200s");
  EXPECT_EQ(format_duration(0ns), "0ns");
  EXPECT_EQ(format_duration(1234567ns, 3), "1.23ms");
}

TEST(QuantityTest, WhatIsWrittenReadsAsTheSameValue) {
  std::mt19937_64 random(2);
  std::uniform_real_distribution<double> exponent(-4, 11.6);
  std::uniform_int_distribution<int> decimals(0, 6);
  for (int i = 0; i < 20'000; ++i) {
    double rate = std::pow(10, exponent(random));
    if (i % 2 == 0) {  // Half of them have few digits, as rates that people choose.
      const double step = std::pow(10, std::floor(std::log10(rate)) - decimals(random));
      rate = std::round(rate / step) * step;
    }
    EXPECT_EQ(*parse_bit_rate(format_bit_rate(rate)), rate) << format_bit_rate(rate);
    EXPECT_EQ(*parse_unit_rate(format_unit_rate(rate)), rate) << format_unit_rate(rate);
    const auto whole = static_cast<std::uint64_t>(rate);
    EXPECT_EQ(*parse_bytes(format_bytes(whole)), whole) << format_bytes(whole);
    const nanoseconds span(whole);
    EXPECT_EQ(*parse_duration(format_duration(span)), span) << format_duration(span);
  }
}

}  // namespace
}  // namespace drip
