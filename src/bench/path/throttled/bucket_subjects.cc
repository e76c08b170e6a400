// SPDX-License-Identifier: BSD-3-Clause
// Flat buckets: admit, wheel, depart; and dripd's whole loop with parsing and rules.
#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "bench/path/bucket_path.h"
#include "bench/path/fused_path.h"
#include "bench/path/throttled/subject.h"

namespace drip::bench {
namespace {

class Buckets final : public Subject {
 public:
  explicit Buckets(const Load& load)
      : Subject(load),
        path_(port_, load.bench.reader(), load.traffic.buckets(),
              SettingsOf([&](std::uint32_t bucket) { return load.settings(bucket); })) {}

  void poll() override {
    path_.depart();
    const std::uint32_t count = port_.receive(packets_, buckets_);
    if (count > 0) path_.offer(std::span(packets_).first(count), std::span(buckets_).first(count));
  }
  void flush() override { path_.transmitter().flush(); }
  void hold(std::uint32_t bucket, Duration span) override { path_.hold(bucket, span); }
  [[nodiscard]] std::uint64_t waiting() const override { return path_.waiting(); }

 private:
  std::array<rte_mbuf*, BucketPath::kBurst> packets_{};
  std::array<std::uint32_t, BucketPath::kBurst> buckets_{};
  BucketPath path_;
};

class Whole final : public Subject {
 public:
  explicit Whole(const Load& load)
      : Subject(load),
        path_(port_, load.bench.reader(), load.traffic.buckets(),
              SettingsOf([&](std::uint32_t bucket) { return load.settings(bucket); })) {}

  void poll() override { path_.poll(); }
  void hold(std::uint32_t bucket, Duration span) override { path_.buckets().hold(bucket, span); }
  [[nodiscard]] std::uint64_t waiting() const override { return path_.waiting(); }

 private:
  FusedPath path_;
};

}  // namespace

std::unique_ptr<Subject> make_buckets(const Load& load) { return std::make_unique<Buckets>(load); }
std::unique_ptr<Subject> make_whole(const Load& load) { return std::make_unique<Whole>(load); }

}  // namespace drip::bench
