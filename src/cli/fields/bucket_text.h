// SPDX-License-Identifier: BSD-3-Clause
// Text for rates, departures, reasons and histograms of buckets.
#pragma once

#include <string>

#include "drip/v1/bucket.pb.h"

namespace drip::cli {

// "100mbit", "10k/s", or both with "and" in between; "-" if there is no rate.
std::string rates_in_words(const v1::BucketConfig& config);
// The same for values of the rates that `config` has, of which one may be 0: "0bit".
std::string rates_in_words(const v1::BucketConfig& config, double units_per_second,
                           double bits_per_second);
std::string departure_in_words(v1::Departure departure);
std::string reason_in_words(v1::RejectReason reason);
// "p50 1.2ms, p99 3ms, max 5ms"; "-" if nothing was counted.
std::string histogram_in_words(const v1::Histogram& histogram);

}  // namespace drip::cli
