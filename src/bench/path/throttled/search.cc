// SPDX-License-Identifier: BSD-3-Clause
// Bisects by ratios: as exact for low rates as for high ones.
#include "bench/path/throttled/search.h"

#include <cmath>

namespace drip::bench {
namespace {

constexpr double kLeastPps = 62'500;
constexpr int kSteps = 8;

}  // namespace

absl::StatusOr<Most> search(Path path, const Load& load) {
  const Bounds bounds = bounds_of(path);
  double low = kLeastPps;
  double high = kMostPps;
  Most most;
  for (int step = 0; step < kSteps; ++step) {
    Load tried = load;
    tried.allowed_pps = std::sqrt(low * high);
    auto subject = make_subject(path, tried);
    if (!subject.ok()) return subject.status();
    const Outcome outcome = measure(**subject, tried);
    if (outcome.missed_share < bounds.missed && std::abs(outcome.error) < bounds.error) {
      low = tried.allowed_pps;
      most = {tried.allowed_pps, outcome};
    } else {
      high = tried.allowed_pps;
    }
  }
  return most;
}

}  // namespace drip::bench
