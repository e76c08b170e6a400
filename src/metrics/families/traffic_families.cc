// SPDX-License-Identifier: BSD-3-Clause
// Families of the traffic of the chosen buckets, from samples of their packets.
#include <array>

#include "metrics/families/groups.h"

namespace drip::metrics {
namespace {

constexpr FamilySpec kRoundTrips{
    "drip_bucket_tcp_rtt_seconds", kHistogram, "seconds", "bucket, side",
    "Round trips of sampled TCP connections from the node to one side of the bucket (destination, "
    "source) and back; absent without --traffic-samples."};
constexpr FamilySpec kSegments{"drip_bucket_tcp_segments_total", kCounter, "segments", "bucket",
                               "Sampled TCP segments with data, SYN or FIN."};
constexpr FamilySpec kRetransmitted{"drip_bucket_tcp_retransmitted_segments_total", kCounter,
                                    "segments", "bucket",
                                    "Of these, those that had been seen before."};
constexpr FamilySpec kSamples{"drip_traffic_samples_total", kCounter, "packets", "",
                              "Packets that were sampled."};
constexpr FamilySpec kLost{"drip_traffic_samples_lost_total", kCounter, "packets", "",
                           "Samples that were not taken away in time, so that they are missing."};

}  // namespace

void add_traffic(std::span<const ChosenBucket> buckets,
                 std::span<const std::optional<BucketTraffic>> traffic, const SampleCounts& counts,
                 Families& families) {
  MetricFamily& trips = families.begin(kRoundTrips);
  MetricFamily& segments = families.begin(kSegments);
  MetricFamily& retransmitted = families.begin(kRetransmitted);
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    if (!traffic[i]) continue;
    const std::string& id = buckets[i].state->id;
    add_latency(trips, {{"bucket", id}, {"side", "destination"}}, traffic[i]->to_destination,
                kCoarseBounds);
    add_latency(trips, {{"bucket", id}, {"side", "source"}}, traffic[i]->to_source, kCoarseBounds);
    add(segments, {{"bucket", id}}, number(traffic[i]->segments));
    add(retransmitted, {{"bucket", id}}, number(traffic[i]->retransmitted_segments));
  }
  add(families.begin(kSamples), number(counts.samples));
  add(families.begin(kLost), number(counts.lost));
}

std::span<const FamilySpec* const> traffic_specs() {
  static constexpr std::array kSpecs = {&kRoundTrips, &kSegments, &kRetransmitted, &kSamples,
                                        &kLost};
  return kSpecs;
}

}  // namespace drip::metrics
