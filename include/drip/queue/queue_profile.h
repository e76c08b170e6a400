// SPDX-License-Identifier: BSD-3-Clause
// What the queue of a bucket goes by: made from its settings once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "drip/bucket_settings.h"
#include "drip/queue/dual_queue.h"
#include "drip/queue/fair_queue_settings.h"
#include "drip/result.h"

namespace drip {

namespace internal {

[[nodiscard]] inline FairQueueSettings fair_settings_of(const BucketSettings& bucket) {
  const QueueSettings& queue = bucket.queue;
  FairQueueSettings fair;
  fair.capacity = bucket.capacity;
  fair.capacity_bytes = bucket.capacity_bytes;
  fair.quantum = queue.quantum;
  fair.isolation = queue.kind == QueueKind::kFair ? queue.isolation : Isolation::kNone;
  fair.tins = queue.tins;
  fair.codel = queue.aqm == Aqm::kCodel;
  fair.target = queue.effective_target();
  fair.interval = queue.interval;
  // Without an AQM and in one queue nothing is marked.
  fair.l4s_threshold =
      fair.codel || queue.kind == QueueKind::kFair ? queue.l4s_threshold : Duration{};
  fair.max_wait = queue.max_wait;
  fair.bits_per_second = bucket.bits_per_second;
  return fair;
}
[[nodiscard]] inline DualQueueSettings dual_settings_of(const BucketSettings& bucket) {
  DualQueueSettings dual;
  dual.capacity = bucket.capacity;
  if (bucket.capacity_bytes != 0) dual.capacity_bytes = bucket.capacity_bytes;
  dual.max_wait = bucket.queue.max_wait;
  dual.aqm.target = bucket.queue.effective_target();
  dual.aqm.l4s_threshold = bucket.queue.l4s_threshold;
  return dual;
}

}  // namespace internal

/// None if BucketSettings::queue is valid for such a bucket. Units are chosen when they depart, so
/// a bucket with more than the plain ring departs at the START of service.
[[nodiscard]] inline std::optional<Error> check_queue(const BucketSettings& bucket) {
  const QueueSettings& queue = bucket.queue;
  if (queue.is_plain()) return std::nullopt;
  if (bucket.departure != Departure::kAtStart) {
    return Error{"departure: kAtEnd given, kAtStart allowed with a queue other than plain kFifo"};
  }
  if (queue.isolation == Isolation::kNone) {
    return Error{"queue.isolation: kNone given, kFlow, kSource, kDestination or kHosts allowed"};
  }
  if (queue.aqm != Aqm::kDualPi2) {
    auto error = check(internal::fair_settings_of(bucket));
    if (error) error->message = "queue." + error->message;
    return error;
  }
  if (queue.kind != QueueKind::kFifo) {
    return Error{"queue.aqm: kDualPi2 given, kNone or kCodel allowed with kFair"};
  }
  if (queue.tins != TinMode::kNone) {
    return Error{"queue.tins: kDiffserv given, kNone allowed with kDualPi2"};
  }
  if (auto error = internal::check_range("queue.max_wait_ns", queue.max_wait.ns, std::int64_t{0},
                                         kMaxMaxWait.ns)) {
    return error;
  }
  auto error = check(internal::dual_settings_of(bucket));
  if (error) error->message = "queue." + error->message;
  return error;
}

/// Where packets of a bucket wait.
enum class QueuePlace : std::uint8_t {
  kRing,
  kFair,    ///< A leaf of FairQueues, also with one queue only.
  kDual,    ///< A DualQueue.
  kFormer,  ///< What had come to a leaf of FairQueues before it told flows apart in another way.
};

/// Shared by all buckets with the same settings; must outlive their packets.
struct QueueProfile {
  QueuePlace into = QueuePlace::kRing;  ///< Where packets go that arrive.
  bool wash = false;
  FairQueueProfile fair;
  DualQueueSettings dual;

  /// REQUIRES: check(settings) has no error.
  static QueueProfile of(const BucketSettings& settings) {
    QueueProfile profile{QueuePlace::kFair, settings.queue.wash,
                         FairQueueProfile::of(internal::fair_settings_of(settings)),
                         internal::dual_settings_of(settings)};
    if (settings.queue.is_plain()) profile.into = QueuePlace::kRing;
    if (settings.queue.aqm == Aqm::kDualPi2) profile.into = QueuePlace::kDual;
    return profile;
  }
};

}  // namespace drip
