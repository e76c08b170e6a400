// SPDX-License-Identifier: BSD-3-Clause
// Chooses the buckets of a scrape and reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "control/rpc/calls/services_context.h"
#include "metrics/bucket_choice.h"
#include "metrics/families/groups.h"

namespace drip::metrics {

/// Not thread safe. Takes the lock of the bucket names for 256 buckets at a time, and the lock of
/// the configuration only for a prefix that names flows.
class BucketSelection {
 public:
  /// `context` outlives the selection.
  BucketSelection(const control::ServicesContext& context, BucketChoice choice)
      : context_(context), choice_(std::move(choice)) {}

  /// Reads the buckets that are chosen now, in order of id.
  void select();

  /// Valid until the next select().
  [[nodiscard]] const std::vector<ChosenBucket>& chosen() const { return chosen_; }
  /// Configured buckets that are not chosen.
  [[nodiscard]] std::size_t left_out() const { return left_out_; }

 private:
  struct SentBytes {
    std::uint64_t key;  // Transmitter and slot.
    std::uint64_t bytes;
    friend bool operator<(const SentBytes& a, const SentBytes& b) { return a.key < b.key; }
  };
  struct Latencies {
    WideHistogram sojourn, lateness;
    TimePoint read;
  };

  void select_top();
  void select_page(const std::string& prefix, bool with_flows);
  void widen_latencies();
  void forget_latencies();

  const control::ServicesContext& context_;
  const BucketChoice choice_;
  std::vector<control::BucketState> states_;
  std::vector<ChosenBucket> chosen_;
  std::size_t left_out_ = 0;
  // kTop: what each bucket had sent when the interval began, in order of the key.
  std::vector<SentBytes> before_;
  TimePoint begun_;
  // Of buckets that were chosen within the last hour.
  std::map<std::string, Latencies, std::less<>> latencies_;
};

}  // namespace drip::metrics
