// SPDX-License-Identifier: BSD-3-Clause
// Messages of buckets: the text of every error, presence, defaults, and writing.
#include "control/convert/convert_bucket.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/errors.h"
#include "base/text.h"
#include "control/convert/convert_bucket_config.h"
#include "control/support/fake_engine.h"
#include "control/support/messages.h"

namespace drip::control {
namespace {

absl::StatusOr<BucketSettings> settings_of(const v1::BucketConfig& config,
                                           const BucketSettings* present = nullptr) {
  const absl::StatusOr<BucketPatch> patch = read_patch(config, "");
  if (!patch.ok()) return patch.status();
  return apply_patch(*patch, present);
}

struct BadConfig {
  std::string fields;
  std::string message;
};

TEST(ReadPatch, ErrorsNameFieldValueAndRange) {
  const std::string name =
      " is not allowed: 1 to 128 of A-Z a-z 0-9 . _ : / @ -, beginning with a letter or a digit";
  const std::string units = " is not allowed: 0.000277778 to 1e+09 units a second";
  const std::string bits = " is not allowed: 1 to 4e+11 bits a second";
  const std::vector<BadConfig> table = {
      {"bucket_id: ''", "bucket_id: \"\"" + name},
      {"bucket_id: 'a b'", "bucket_id: \"a b\"" + name},
      {"bucket_id: '-a'", "bucket_id: \"-a\"" + name},
      {"bucket_id: 'a\\nb'", "bucket_id: \"a\\nb\"" + name},
      {"bucket_id: '" + std::string(129, 'x') + "'",
       "bucket_id: \"" + std::string(40, 'x') + "...\" (129 bytes)" + name},
      {"bucket_id: 'b' capacity: 0", "capacity: 0 is not allowed: 1 to 1048576 units"},
      {"bucket_id: 'b' capacity: 1048577", "capacity: 1048577 is not allowed: 1 to 1048576 units"},
      {"bucket_id: 'b' capacity: 18446744073709551615",
       "capacity: 18446744073709551615 is not allowed: 1 to 1048576 units"},
      {"bucket_id: 'b' leak_rate: -1", "leak_rate: -1" + units},
      {"bucket_id: 'b' leak_rate: 1e-4", "leak_rate: 0.0001" + units},
      {"bucket_id: 'b' leak_rate: 1000000001", "leak_rate: 1000000001" + units},
      {"bucket_id: 'b' leak_rate: nan", "leak_rate: nan" + units},
      {"bucket_id: 'b' leak_rate: inf", "leak_rate: inf" + units},
      {"bucket_id: 'b' leak_rate: -inf", "leak_rate: -inf" + units},
      {"bucket_id: 'b' leak_rate_bps: 0.5", "leak_rate_bps: 0.5" + bits},
      {"bucket_id: 'b' leak_rate_bps: 4.1e11", "leak_rate_bps: 410000000000" + bits},
      {"bucket_id: 'b' leak_rate_bps: nan", "leak_rate_bps: nan" + bits},
      {"bucket_id: 'b' capacity_bytes: 1099511627777",
       "capacity_bytes: 1099511627777 is not allowed: 0 to 1099511627776 bytes (0: no bound)"},
      {"bucket_id: 'b' overhead_bytes: -65",
       "overhead_bytes: -65 is not allowed: -64 to 256 bytes"},
      {"bucket_id: 'b' overhead_bytes: 257",
       "overhead_bytes: 257 is not allowed: -64 to 256 bytes"},
      {"bucket_id: 'b' min_frame_bytes: 9217",
       "min_frame_bytes: 9217 is not allowed: 0 to 9216 bytes"},
      {"bucket_id: 'b' max_catchup_ns: 10000000001",
       "max_catchup_ns: 10000000001 is not allowed: 0 to 10000000000 ns"},
      {"bucket_id: 'b' departure: 3",
       "departure: 3 is not allowed: DEPARTURE_AT_START (1), DEPARTURE_AT_END (2) or unset"},
      {"bucket_id: 'b' leak_rate: 1", "capacity: missing: a new bucket needs 1 to 1048576 units"},
      {"bucket_id: 'b' capacity: 1",
       "leak_rate: missing: a new bucket needs leak_rate, 0.000277778 to 1e+09 units a second, or "
       "leak_rate_bps, 1 to 4e+11 bits a second"},
      {"bucket_id: 'b' capacity: 1 leak_rate: 0",
       "leak_rate: 0" + units + ", or 0 where leak_rate_bps is set"},
      {"bucket_id: 'b' capacity: 1 leak_rate_bps: 0",
       "leak_rate_bps: 0" + bits + ", or 0 where leak_rate is set"},
  };
  for (const BadConfig& bad : table) {
    v1::BucketConfig config;
    if (bad.fields.find("departure: 3") == std::string::npos) {
      config = message<v1::BucketConfig>(bad.fields);
    } else {
      config.set_bucket_id("b");
      config.set_departure(static_cast<v1::Departure>(3));
    }
    const absl::Status status = settings_of(config).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad.fields;
    EXPECT_EQ(message_of(status), bad.message);
  }
}

TEST(ReadPatch, TheEndsOfEveryRangeAreAllowed) {
  for (const char* fields :
       {"capacity: 1 leak_rate: 1e9 overhead_bytes: -64 max_catchup_ns: 10000000000",
        "capacity: 1048576 leak_rate_bps: 4e11 capacity_bytes: 1099511627776 overhead_bytes: 256",
        "capacity: 9 leak_rate_bps: 1 min_frame_bytes: 9216 max_catchup_ns: 0 departure: 2"}) {
    auto config = message<v1::BucketConfig>(fields);
    config.set_bucket_id("A-z0.9_:/@");
    EXPECT_TRUE(settings_of(config).ok()) << fields;
  }
  auto config = message<v1::BucketConfig>("bucket_id: 'h' capacity: 1");
  config.set_leak_rate(1.0 / 3600);
  EXPECT_TRUE(settings_of(config).ok()) << "one unit an hour";
}

TEST(ReadPatch, PutsThePathBeforeTheField) {
  const auto bad =
      read_patch(message<v1::BucketConfig>("bucket_id: 'b' capacity: 0"), "buckets[3].");
  EXPECT_EQ(message_of(bad.status()), "buckets[3].capacity: 0 is not allowed: 1 to 1048576 units");
}

TEST(ApplyPatch, NewBucketsLeaveAtTheEndUnlessTheyLeakBits) {
  EXPECT_EQ(
      settings_of(message<v1::BucketConfig>("bucket_id: 'b' capacity: 5 leak_rate: 10"))->departure,
      Departure::kAtEnd);
  EXPECT_EQ(settings_of(message<v1::BucketConfig>("bucket_id: 'b' capacity: 5 leak_rate_bps: 1e6"))
                ->departure,
            Departure::kAtStart);
  EXPECT_EQ(settings_of(message<v1::BucketConfig>(
                            "bucket_id: 'b' capacity: 5 leak_rate: 10 leak_rate_bps: 1e6"))
                ->departure,
            Departure::kAtStart);
  EXPECT_EQ(settings_of(
                message<v1::BucketConfig>("bucket_id: 'b' capacity: 5 leak_rate: 10 departure: 1"))
                ->departure,
            Departure::kAtStart);
}

TEST(ApplyPatch, AbsentFieldsKeepTheirValueAndZeroRemovesARate) {
  BucketSettings present;
  present.capacity = 7;
  present.units_per_second = 10;
  present.capacity_bytes = 4000;
  present.overhead_bytes = 24;
  present.min_frame_bytes = 60;
  present.departure = Departure::kAtEnd;
  present.max_catchup = Duration{5};
  const auto same = settings_of(message<v1::BucketConfig>("bucket_id: 'b'"), &present);
  EXPECT_EQ(*same, present);

  const auto both =
      settings_of(message<v1::BucketConfig>("bucket_id: 'b' leak_rate_bps: 8000"), &present);
  EXPECT_EQ(both->units_per_second, 10);
  EXPECT_EQ(both->bits_per_second, 8000);
  EXPECT_EQ(both->departure, Departure::kAtEnd) << "kept, not the default of a new bucket";

  const auto bits = settings_of(message<v1::BucketConfig>("bucket_id: 'b' leak_rate: 0"), &*both);
  EXPECT_EQ(bits->units_per_second, 0);
  EXPECT_EQ(bits->bits_per_second, 8000);

  const auto none =
      settings_of(message<v1::BucketConfig>("bucket_id: 'b' leak_rate_bps: 0"), &*bits);
  EXPECT_EQ(none.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ReadTemplate, ANameIsAnError) {
  const auto bad =
      read_template(message<v1::BucketConfig>("bucket_id: 'x'"), "rule.per_flow.bucket.");
  EXPECT_EQ(message_of(bad.status()),
            "rule.per_flow.bucket.bucket_id: \"x\" is not allowed: empty, for each flow's bucket "
            "is named after its flow");
}

TEST(ReadWireBytes, AreNeededWhereTheBucketLeaksBits) {
  BucketSettings units{.capacity = 1, .units_per_second = 1};
  BucketSettings bits{.capacity = 1, .bits_per_second = 1};
  EXPECT_EQ(*read_wire_bytes(std::nullopt, units, "b"), 0U);
  EXPECT_EQ(*read_wire_bytes(65535, bits, "b"), 65535U);
  EXPECT_EQ(message_of(read_wire_bytes(std::nullopt, bits, "b").status()),
            "bytes: missing: bucket \"b\" leaks bits, so a request needs 1 to 65535 bytes");
  EXPECT_EQ(message_of(read_wire_bytes(0, units, "b").status()),
            "bytes: 0 is not allowed: 1 to 65535 bytes");
  EXPECT_EQ(message_of(read_wire_bytes(65536, bits, "b").status()),
            "bytes: 65536 is not allowed: 1 to 65535 bytes");
}

TEST(ConfigOf, KeepsEveryFieldAndItsPresence) {
  const auto request = message<v1::ConfigureBucketRequest>(
      "bucket_id: 'b' capacity: 1 leak_rate: 2 leak_rate_bps: 3 capacity_bytes: 4 "
      "overhead_bytes: 5 min_frame_bytes: 6 departure: 1 max_catchup_ns: 7");
  const auto config = message<v1::BucketConfig>(
      "bucket_id: 'b' capacity: 1 leak_rate: 2 leak_rate_bps: 3 capacity_bytes: 4 "
      "overhead_bytes: 5 min_frame_bytes: 6 departure: 1 max_catchup_ns: 7");
  EXPECT_EQ(config_of(request).SerializeAsString(), config.SerializeAsString());
  EXPECT_EQ(v1::ConfigureBucketRequest::descriptor()->field_count(),
            v1::BucketConfig::descriptor()->field_count());
  EXPECT_EQ(config_of(message<v1::ConfigureBucketRequest>("bucket_id: 'b'")).SerializeAsString(),
            message<v1::BucketConfig>("bucket_id: 'b'").SerializeAsString());
}

TEST(WriteBucket, ConfigReadsBackAsTheSameSettings) {
  const BucketSettings settings{.capacity = 3,
                                .overhead_bytes = -4,
                                .units_per_second = 1.0 / 3,
                                .bits_per_second = 12345.678,
                                .capacity_bytes = 99,
                                .max_catchup = Duration{123},
                                .min_frame_bytes = 46,
                                .departure = Departure::kAtEnd};
  v1::BucketConfig config;
  config.set_bucket_id("b");
  write_config(settings, config);
  EXPECT_EQ(*settings_of(config), settings);
}

TEST(WriteConfig, APlaceInATreeReadsBackAsItWas) {
  BucketPlace place{.inner = true, .parent_id = "up"};
  place.share.guaranteed_units_per_second = 3;
  place.share.guaranteed_bits_per_second = 4e6;
  place.share.weight = 7;
  place.share.priority = 5;
  place.share.tolerance = Duration{9};
  v1::BucketConfig config;
  config.set_bucket_id("b");
  write_place(place, config);
  const absl::StatusOr<BucketPatch> patch = read_patch(config, "");
  ASSERT_TRUE(patch.ok()) << patch.status();
  EXPECT_EQ(*apply_place(*patch, nullptr), place);
  BucketPlace root{.inner = true, .spread = true};
  v1::BucketConfig spread;
  spread.set_bucket_id("r");
  write_place(root, spread);
  EXPECT_EQ(*apply_place(*read_patch(spread, ""), nullptr), root);
  // A bucket that is in no tree says nothing of trees.
  v1::BucketConfig flat;
  write_place({}, flat);
  EXPECT_EQ(flat.ByteSizeLong(), 0U);
}

TEST(ReadPatch, PlacesInTreesHaveRanges) {
  const auto error = [](const std::string& fields) {
    const auto patch = read_patch(message<v1::BucketConfig>("bucket_id: 'b' " + fields), "");
    EXPECT_FALSE(patch.ok()) << fields;
    return std::string(message_of(patch.status()));
  };
  EXPECT_EQ(error("weight: 0"), "weight: 0 is not allowed: 1 to 1000");
  EXPECT_EQ(error("weight: 1001"), "weight: 1001 is not allowed: 1 to 1000");
  EXPECT_EQ(error("priority: 8"), "priority: 8 is not allowed: 0 to 7");
  EXPECT_EQ(error("tolerance_ns: 10000000001"),
            "tolerance_ns: 10000000001 is not allowed: 0 to 10000000000 ns");
  EXPECT_EQ(error("guarantee: -1"),
            "guarantee: -1 is not allowed: 0.000277778 to 1e+09 units a second, or 0");
  EXPECT_EQ(error("guarantee_bps: 1e12"),
            "guarantee_bps: 1000000000000 is not allowed: 1 to 4e+11 bits a second, or 0");
  EXPECT_NE(error("parent_id: ' '").find("parent_id"), std::string::npos);
}

TEST(WriteBucket, FillsEveryField) {
  const FakeEngine engine;
  const EpochClock clock(engine);
  BucketState state;
  state.id = "b";
  state.transmitter = 2;
  state.moves = 3;
  state.revision = 3;
  state.settings = {.capacity = 5, .units_per_second = 10, .bits_per_second = 8};
  state.sharing.scope = Scope::kCluster;
  state.share = ShareState{.policy_state = PolicyState::kShared,
                           .share = {1, 2},
                           .demand = {3, 4},
                           .lease_end = clock.now(),
                           .epoch = 5,
                           .policy_changes = 6};
  state.rule_id = "r";
  state.flow = "f";
  state.place.parent_id = "p";
  BucketStats& reading = state.stats;
  reading.admitted = 100;
  reading.admitted_bytes = 101;
  reading.departed = 90;
  reading.departed_bytes = 91;
  reading.green_bytes = 60;
  reading.dropped = 3;
  reading.rejected = {4, 5, 6, 7, 8};
  reading.rejected_bytes = 77;
  reading.backlog = 7;
  reading.backlog_bytes = 70;
  reading.lost_schedule_ns = 8;
  reading.last_departure = clock.now() + Duration{-5'000'000'000};
  reading.periods = ServicePeriods::of_rates(10, 8);
  reading.sojourn.counts[1] = 2;
  reading.sojourn.sum_ns = 400;
  reading.sojourn.max_ns = 250;
  reading.lateness.counts[0] = 1;
  reading.ring_slots = 64;
  reading.node_state = NodeState::kReady;
  reading.queue = QueueCounters{1, 2, 3, 4, 5};
  reading.core_shares = {{1, {2, 3}, 4, 5, NodeState::kParked}};
  v1::Bucket bucket;
  write_bucket(state, clock, bucket);

  EXPECT_EQ(bucket.total_requests(), 130U);
  EXPECT_EQ(bucket.allowed_requests(), 100U);
  EXPECT_EQ(bucket.rejected_requests(), 30U);
  EXPECT_EQ(bucket.rejected_full(), 4U);
  EXPECT_EQ(bucket.rejected_full_bytes(), 5U);
  EXPECT_EQ(bucket.rejected_draining(), 6U);
  EXPECT_EQ(bucket.rejected_too_long(), 7U);
  EXPECT_EQ(bucket.rejected_wait_too_long(), 8U);
  EXPECT_EQ(bucket.processed_requests(), 90U);
  EXPECT_EQ(bucket.green_bytes(), 60U);
  EXPECT_EQ(bucket.yellow_bytes(), 31U);
  EXPECT_EQ(bucket.queue_size(), 7U);
  EXPECT_EQ(bucket.allowed_requests(),
            bucket.processed_requests() + bucket.dropped_requests() + bucket.queue_size());
  EXPECT_EQ(bucket.last_leak_time(), clock.epoch_ms(clock.now()) - 5000);
  EXPECT_DOUBLE_EQ(bucket.true_leak_rate(), 10);
  EXPECT_DOUBLE_EQ(bucket.true_leak_rate_bps(), 8);
  EXPECT_EQ(bucket.sojourn().counts_size(), static_cast<int>(kHistogramBins));
  EXPECT_GT(bucket.sojourn().p99_ns(), 128U);
  EXPECT_EQ(bucket.queue().marks(), 1U);
  EXPECT_EQ(bucket.queue().overflow_drops(), 2U);
  EXPECT_EQ(bucket.queue().aqm_drops(), 3U);
  EXPECT_EQ(bucket.queue().max_wait_drops(), 4U);
  EXPECT_EQ(bucket.queue().flows(), 5U);
  const v1::CoreShare& share = bucket.core_shares(0);
  EXPECT_EQ(share.transmitter(), 1U);
  EXPECT_EQ(share.share_rate(), 2);
  EXPECT_EQ(share.share_rate_bps(), 3);
  EXPECT_EQ(share.processed_requests(), 4U);
  EXPECT_EQ(share.processed_bytes(), 5U);
  EXPECT_EQ(share.tree_node_state(), v1::TREE_NODE_STATE_PARKED);
  // A field that is forgotten is a field at its default.
  std::vector<const google::protobuf::FieldDescriptor*> set;
  bucket.GetReflection()->ListFields(bucket, &set);
  // GetBucketStatus measures these.
  constexpr int kMeasured = 3;
  EXPECT_FALSE(bucket.has_processed_per_second() || bucket.has_processed_bps() ||
               bucket.has_measured_over_ns());
  EXPECT_EQ(static_cast<int>(set.size()) + kMeasured, v1::Bucket::descriptor()->field_count());

  state.stats.departed = 0;
  write_bucket(state, clock, bucket);
  EXPECT_EQ(bucket.last_leak_time(), 0);
}

TEST(RoundedMs, RoundsToTheNearest) {
  EXPECT_EQ(rounded_ms(Duration{0}), 0);
  EXPECT_EQ(rounded_ms(Duration{499'999}), 0);
  EXPECT_EQ(rounded_ms(Duration{500'000}), 1);
  EXPECT_EQ(rounded_ms(Duration{1'000'000'001}), 1000);
  EXPECT_EQ(rounded_ms(Duration{-600'000}), -1);
}

}  // namespace
}  // namespace drip::control
