// SPDX-License-Identifier: BSD-3-Clause
// Bisects by ratios: as exact for low rates as for high ones.
#include "bench/path/throttled/search.h"

#include <cmath>

namespace drip::bench {
namespace {

constexpr double kLeastPps = 62'500;
constexpr int kSteps = 8;
// Or one stall of the machine at an early step would decide all that follow.
constexpr int kMostTries = 3;
constexpr double kStalled = 0.01;

bool is_held(const Outcome& outcome, const Bounds& bounds) {
  return outcome.missed_share < bounds.missed && std::abs(outcome.error) < bounds.error;
}

// Once more if it was not held while the machine withheld the CPU.
absl::StatusOr<Outcome> try_rate(Path path, const Load& load, const Bounds& bounds) {
  Outcome outcome;
  for (int tries = 0; tries < kMostTries; ++tries) {
    auto subject = make_subject(path, load);
    if (!subject.ok()) return subject.status();
    outcome = measure(**subject, load);
    if (is_held(outcome, bounds) || outcome.stalled_share < kStalled) break;
  }
  return outcome;
}

}  // namespace

absl::StatusOr<Most> search(Path path, const Load& load) {
  const Bounds bounds = bounds_of(path);
  double low = kLeastPps;
  double high = kMostPps;
  Most most;
  for (int step = 0; step < kSteps; ++step) {
    Load tried = load;
    tried.allowed_pps = std::sqrt(low * high);
    const absl::StatusOr<Outcome> outcome = try_rate(path, tried, bounds);
    if (!outcome.ok()) return outcome.status();
    if (is_held(*outcome, bounds)) {
      low = tried.allowed_pps;
      most = {tried.allowed_pps, *outcome};
    } else {
      high = tried.allowed_pps;
    }
  }
  return most;
}

}  // namespace drip::bench
