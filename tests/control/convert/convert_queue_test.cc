// SPDX-License-Identifier: BSD-3-Clause
// Queues of buckets from Protobuf: what is set, what is kept, and which errors name what.
#include "control/convert/convert_queue.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "control/convert/convert_bucket_config.h"
#include "control/model/bucket_patch.h"

namespace drip::control {
namespace {

using Change = std::function<void(v1::BucketConfig&)>;

v1::BucketConfig packets() {
  v1::BucketConfig config;
  config.set_bucket_id("b");
  config.set_capacity(100);
  config.set_leak_rate_bps(1e6);
  return config;
}
absl::StatusOr<BucketSettings> applied(const v1::BucketConfig& config,
                                       const BucketSettings* present = nullptr) {
  const absl::StatusOr<BucketPatch> patch = read_patch(config, "");
  if (!patch.ok()) return patch.status();
  return apply_patch(*patch, present);
}
std::string error_of(const Change& change, const BucketSettings* present = nullptr) {
  v1::BucketConfig config = packets();
  change(config);
  return std::string(applied(config, present).status().message());
}

TEST(ReadQueue, EveryFieldComesBackAsItWasSet) {
  v1::BucketConfig config = packets();
  v1::QueueConfig& queue = *config.mutable_queue();
  queue.set_kind(v1::QUEUE_KIND_FAIR);
  queue.set_isolate(v1::ISOLATION_HOSTS);
  queue.set_aqm(v1::AQM_CODEL);
  queue.set_tins(v1::TINS_DIFFSERV4);
  queue.set_wash(true);
  queue.set_quantum_bytes(300);
  queue.set_target_ns(7'000'000);
  queue.set_interval_ns(70'000'000);
  queue.set_l4s_threshold_ns(2'000'000);
  queue.set_max_wait_ns(900'000'000);
  const auto settings = applied(config);
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->departure, Departure::kAtStart);
  v1::BucketConfig written;
  write_config(*settings, written);
  EXPECT_EQ(written.queue().SerializeAsString(), queue.SerializeAsString());
}

TEST(ReadQueue, AbsentFieldsKeepTheirValue) {
  v1::BucketConfig config = packets();
  config.mutable_queue()->set_kind(v1::QUEUE_KIND_FAIR);
  config.mutable_queue()->set_max_wait_ns(5'000'000);
  const auto before = applied(config);
  ASSERT_TRUE(before.ok()) << before.status();
  v1::BucketConfig change;
  change.set_bucket_id("b");
  change.mutable_queue()->set_aqm(v1::AQM_CODEL);
  const auto after = applied(change, &*before);
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->queue.kind, QueueKind::kFair);
  EXPECT_EQ(after->queue.aqm, Aqm::kCodel);
  EXPECT_EQ(after->queue.max_wait.ns, 5'000'000);
}

TEST(ReadQueue, UnitsOfAQueueDepartAtTheStart) {
  v1::BucketConfig config;
  config.set_bucket_id("b");
  config.set_capacity(100);
  config.set_leak_rate(1000);  // Without a queue it would be the end.
  config.mutable_queue()->set_kind(v1::QUEUE_KIND_FAIR);
  const auto settings = applied(config);
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->departure, Departure::kAtStart);
}

TEST(ReadQueue, ErrorsNameFieldValueAndWhatIsAllowed) {
  const struct {
    Change change;
    std::string error;
  } cases[] = {
      {[](v1::BucketConfig& config) {
         config.mutable_queue()->set_kind(static_cast<v1::QueueKind>(9));
       },
       "queue.kind: 9 is not allowed: QUEUE_KIND_FIFO (1), QUEUE_KIND_FAIR (2) or unset"},
      {[](v1::BucketConfig& config) { config.mutable_queue()->set_quantum_bytes(63); },
       "queue.quantum_bytes: 63 is not allowed: 64 to 65535 bytes"},
      {[](v1::BucketConfig& config) { config.mutable_queue()->set_target_ns(999); },
       "queue.target_ns: 999 is not allowed: 0, or 1000 to 100000000000 ns"},
      {[](v1::BucketConfig& config) { config.mutable_queue()->set_interval_ns(0); },
       "queue.interval_ns: 0 is not allowed: 1000 to 100000000000 ns"},
      {[](v1::BucketConfig& config) {
         config.mutable_queue()->set_aqm(v1::AQM_CODEL);
         config.mutable_queue()->set_interval_ns(4'000'000);
       },
       "queue.interval_ns: 4000000 is not allowed: at least the target, 5000000 ns"},
      {[](v1::BucketConfig& config) { config.mutable_queue()->set_max_wait_ns(3'600'000'000'001); },
       "queue.max_wait_ns: 3600000000001 is not allowed: 0 to 3600000000000 ns"},
      {[](v1::BucketConfig& config) {
         config.mutable_queue()->set_kind(v1::QUEUE_KIND_FAIR);
         config.mutable_queue()->set_aqm(v1::AQM_DUALPI2);
       },
       "queue.aqm: AQM_DUALPI2 is not allowed: AQM_NONE or AQM_CODEL with "
       "QUEUE_KIND_FAIR: DualPI2 has two queues"},
      {[](v1::BucketConfig& config) {
         config.mutable_queue()->set_tins(v1::TINS_DIFFSERV3);
         config.mutable_queue()->set_aqm(v1::AQM_DUALPI2);
       },
       "queue.tins: TINS_DIFFSERV3 is not allowed: TINS_NONE with AQM_DUALPI2, which has "
       "two queues"},
      {[](v1::BucketConfig& config) {
         config.mutable_queue()->set_kind(v1::QUEUE_KIND_FAIR);
         config.set_departure(v1::DEPARTURE_AT_END);
       },
       "departure: DEPARTURE_AT_END is not allowed: DEPARTURE_AT_START with a queue other "
       "than plain QUEUE_KIND_FIFO: a packet is chosen when it departs"},
      {[](v1::BucketConfig& config) {
         config.mutable_queue()->set_kind(v1::QUEUE_KIND_FAIR);
         config.set_capacity_bytes(std::uint64_t{1} << 32);
       },
       "capacity_bytes: 4294967296 is not allowed: up to 4294967295 with a queue other "
       "than plain QUEUE_KIND_FIFO"},
  };
  for (const auto& [change, error] : cases) EXPECT_EQ(error_of(change), error);
}

TEST(ReadQueue, BucketsOfFlowsHaveNoDualPi2) {
  v1::BucketConfig config;
  config.set_capacity(100);
  config.set_leak_rate_bps(1e6);
  config.mutable_queue()->set_aqm(v1::AQM_DUALPI2);
  EXPECT_EQ(read_template(config, "bucket.").status().message(),
            "bucket.queue.aqm: AQM_DUALPI2 is not allowed: AQM_NONE or AQM_CODEL for the "
            "buckets of flows");
}

}  // namespace
}  // namespace drip::control
