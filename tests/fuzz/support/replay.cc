// SPDX-License-Identifier: BSD-3-Clause
// Without libFuzzer: `PROGRAM [--rounds N]` runs each seed, every begin of it, and N damaged copies
// (default 200), the same at each call; `PROGRAM FILE|DIRECTORY...` runs inputs of files. An input
// that ends the program, or during which it is ended, is left in PROGRAM.input.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "fuzz/support/fuzz_target.h"

// A target that knows the form of its inputs changes them itself.
extern "C" __attribute__((weak)) std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data,
                                                                     std::size_t size,
                                                                     std::size_t max_size,
                                                                     unsigned int seed);

namespace {

constexpr std::size_t kMostBytes = 65536;
// Longer ones are cut at some places only.
constexpr std::size_t kMostBegins = 400;

std::string input_path;
const std::uint8_t* input_bytes = nullptr;
std::size_t input_size = 0;

void keep_input(int signal) {
  const int file = ::open(input_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file >= 0) (void)!::write(file, input_bytes, input_size);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

// In memory that ends where the bytes do, as the fuzzer does it.
void run_one(const std::string& input, std::size_t size) {
  const std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[size]);
  std::copy_n(input.begin(), size, exact.get());
  input_bytes = exact.get();
  input_size = size;
  LLVMFuzzerTestOneInput(exact.get(), size);
}

void damage(std::string& input, std::mt19937& random) {
  if (LLVMFuzzerCustomMutator != nullptr) {
    const std::size_t size = input.size();
    input.resize(kMostBytes);
    input.resize(LLVMFuzzerCustomMutator(reinterpret_cast<std::uint8_t*>(input.data()), size,
                                         kMostBytes, static_cast<unsigned>(random())));
    return;
  }
  if (input.empty()) return;
  for (unsigned changes = 1 + random() % 5; changes > 0; --changes) {
    const std::size_t at = random() % input.size();
    switch (random() % 4) {
      case 0:
        input.insert(at, 1, static_cast<char>(random()));
        break;
      case 1:
        if (input.size() > 1) input.erase(at, 1 + random() % 3);
        if (input.empty()) input = "0";
        break;
      default:
        input[at] = static_cast<char>(random());
    }
  }
}

std::size_t run_seeds(unsigned rounds) {
  std::mt19937 random(1);
  std::size_t inputs = 0;
  for (const std::string& seed : drip::fuzz::seeds()) {
    const std::size_t step = 1 + seed.size() / kMostBegins;
    for (std::size_t size = 0; size < seed.size(); size += step, ++inputs) run_one(seed, size);
    run_one(seed, seed.size());
    std::string damaged = seed;
    for (unsigned round = 0; round < rounds; ++round, ++inputs) {
      // Damage upon damage, and again from the seed.
      if (round % 8 == 0) damaged = seed;
      damage(damaged, random);
      run_one(damaged, damaged.size());
    }
  }
  return inputs;
}

std::size_t run_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string input{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file) {
    std::fprintf(stderr, "%s: cannot be read\n", path.c_str());
    std::exit(EXIT_FAILURE);
  }
  run_one(input, input.size());
  return 1;
}

std::size_t run_path(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return run_file(path);
  std::size_t inputs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    inputs += run_file(entry.path());
  }
  return inputs;
}

}  // namespace

int main(int argc, char** argv) {
  input_path = std::string(argv[0]) + ".input";
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTERM, SIGINT}) {
    std::signal(signal, keep_input);
  }
  std::size_t inputs = 0;
  if (argc == 1) {
    inputs = run_seeds(200);
  } else if (argc == 3 && std::strcmp(argv[1], "--rounds") == 0) {
    inputs = run_seeds(static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10)));
  } else {
    for (int i = 1; i < argc; ++i) inputs += run_path(argv[i]);
  }
  std::printf("%zu inputs\n", inputs);
  return 0;
}
