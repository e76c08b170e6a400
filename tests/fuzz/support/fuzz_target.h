// SPDX-License-Identifier: BSD-3-Clause
// What every fuzz target has, besides LLVMFuzzerTestOneInput().
//
// A target is one file, and two programs. With libFuzzer (fuzzer.cc) it searches for inputs that
// break something; with any other compiler (replay.cc) it runs its seeds and damaged ones, or the
// inputs of files, as a test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace drip::fuzz {

/// What the search begins with: one input of every kind. Made by the program, so that it follows
/// the builders of the tests; the target defines it.
[[nodiscard]] std::vector<std::string> seeds();

/// Writes `what` and ends the process, as a fuzzer wants it, unless `holds`.
void require(bool holds, std::string_view what);

}  // namespace drip::fuzz
