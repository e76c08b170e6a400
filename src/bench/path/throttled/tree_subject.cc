// SPDX-License-Identifier: BSD-3-Clause
// One tree, three levels above its leaves, whose root allows half of what comes.
#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "bench/path/throttled/subject.h"
#include "bench/path/tree_path.h"

namespace drip::bench {
namespace {

constexpr std::uint32_t kBurst = 32;
// As drip-bench trees has it.
constexpr std::uint32_t kSites = 16;
constexpr std::uint32_t kClasses = 4;

class Tree final : public Subject {
 public:
  explicit Tree(const Load& load)
      : Subject(load),
        clock_(load.bench.reader()),
        path_(port_, tree_load(load)),
        last_(clock_.now()) {}

  void poll() override {
    const TimePoint now = clock_.now();
    path_.pass(now - last_);
    last_ = now;
    path_.depart();
    const std::uint32_t count = port_.receive(packets_, leaves_);
    if (count > 0) path_.offer(std::span(packets_).first(count), std::span(leaves_).first(count));
  }
  void flush() override { path_.depart(); }
  [[nodiscard]] First first() const override { return First::kAny; }
  [[nodiscard]] bool counts_packets() const override { return true; }

 private:
  static TreeLoad tree_load(const Load& load) {
    const std::uint32_t leaves = load.traffic.buckets();
    const FanOuts shape = leaves < kSites * kClasses
                              ? FanOuts{1, 1, leaves}
                              : FanOuts{kSites, leaves / kSites / kClasses, kClasses};
    TreeLoad tree{shape, leaves};
    tree.root_units_per_second = load.allowed_pps;
    tree.capacity = load.traffic.least_capacity();
    return tree;
  }

  std::array<rte_mbuf*, kBurst> packets_{};
  std::array<std::uint32_t, kBurst> leaves_{};
  datapath::TscClock::Reader clock_;
  TreePath path_;
  TimePoint last_;
};

}  // namespace

std::unique_ptr<Subject> make_tree(const Load& load) { return std::make_unique<Tree>(load); }

}  // namespace drip::bench
