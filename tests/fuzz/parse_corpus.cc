// SPDX-License-Identifier: BSD-3-Clause
// The seeds of parse_fuzz: with an argument writes them to that directory; without, runs each of
// them, every begin of each, and random damage, for compilers that have no fuzzer.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "support/encapsulate.h"
#include "support/frame_builder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::vector<drip::Bytes> seeds() {
  std::vector<drip::Bytes> seeds = drip::sample_frames();
  for (const std::size_t sample : {0, 11}) {  // UDP over IPv4 and over IPv6.
    for (drip::Encapsulated& each : drip::encapsulated(seeds[sample])) {
      seeds.push_back(std::move(each.frame));
    }
  }
  for (drip::Bytes& seed : seeds) seed.insert(seed.begin(), {1, 0});
  return seeds;
}

int write(const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  std::size_t number = 0;
  for (const drip::Bytes& seed : seeds()) {
    std::ofstream file(directory / ("frame" + std::to_string(number++)), std::ios::binary);
    for (const std::uint8_t byte : seed) file.put(static_cast<char>(byte));
    if (!file.flush()) {
      std::fprintf(stderr, "cannot write to %s\n", directory.c_str());
      return 1;
    }
  }
  return 0;
}

// In memory that ends where the bytes do, as the fuzzer does it.
void run_one(const drip::Bytes& bytes, std::size_t size) {
  const std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[size]);
  std::copy_n(bytes.begin(), size, exact.get());
  LLVMFuzzerTestOneInput(exact.get(), size);
}

int run() {
  std::mt19937 random(1);
  std::size_t inputs = 0;
  for (const drip::Bytes& seed : seeds()) {
    for (std::size_t size = 0; size <= seed.size(); ++size, ++inputs) run_one(seed, size);
    for (int round = 0; round < 2000; ++round, ++inputs) {
      drip::Bytes damaged = seed;
      for (unsigned changes = 1 + random() % 5; changes > 0; --changes) {
        damaged[random() % damaged.size()] = static_cast<std::uint8_t>(random());
      }
      run_one(damaged, damaged.size());
    }
  }
  std::printf("%zu inputs\n", inputs);
  return 0;
}

}  // namespace

#ifdef DRIP_CORPUS_ONLY
// With the fuzzer there is another main that runs them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t*, std::size_t) { return 0; }
#endif

int main(int argc, char** argv) { return argc > 1 ? write(argv[1]) : run(); }
