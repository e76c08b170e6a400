// SPDX-License-Identifier: BSD-3-Clause
// Weighs a CPU's load by how much it leaves over (after A. Morton's cyclesoak).
#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <stdexcept>

#include "commands.h"
#include "packet_socket.h"

namespace drip::bench {
namespace {

constexpr std::int64_t kLongestPieceNs = 4096;

// What a piece takes when nobody comes between: the quartile, for at worst others disturb a half.
double middle_of_the_lower_half(const std::array<std::uint64_t, kLongestPieceNs>& lengths,
                                std::uint64_t pieces) {
  std::uint64_t seen = 0;
  for (std::size_t ns = 0; ns < lengths.size(); ++ns) {
    seen += lengths[ns];
    if (4 * seen >= pieces) return static_cast<double>(ns);
  }
  return 0;
}

}  // namespace

void soak(const SoakOptions& options) {
  stay_on_cpu(options.cpu);
  const sched_param none{};
  if (sched_setscheduler(0, SCHED_IDLE, &none) != 0) throw std::runtime_error("SCHED_IDLE");
  const std::int64_t begin = monotonic_ns();
  const std::int64_t end = begin + static_cast<std::int64_t>(options.seconds * 1e9);
  std::array<std::uint64_t, kLongestPieceNs> lengths{};
  std::uint64_t pieces = 0;
  std::int64_t now = begin;
  while (now < end) {
    // Some hundred nanoseconds that are the same each time and touch no memory.
    std::uint64_t work = pieces;
    for (int i = 0; i < 200; ++i) {
      work = work * 6364136223846793005U + 1;
      asm volatile("" : "+r"(work));
    }
    const std::int64_t then = now;
    now = monotonic_ns();
    ++lengths[static_cast<std::size_t>(std::min<std::int64_t>(now - then, kLongestPieceNs - 1))];
    ++pieces;
  }
  const double undisturbed =
      static_cast<double>(pieces) * middle_of_the_lower_half(lengths, pieces);
  fmt::print("{{\"pieces\": {}, \"used\": {:.6f}}}\n", pieces,
             1 - undisturbed / static_cast<double>(now - begin));
}

}  // namespace drip::bench
