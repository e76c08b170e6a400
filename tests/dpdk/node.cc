// SPDX-License-Identifier: BSD-3-Clause
// The packet path of the tests, and main(): starts EAL, in a network namespace of its own.
#include "node.h"

#include <sched.h>

#include "dpdk/eal.h"

namespace drip::vdev {
namespace {

bool own_network = false;

}  // namespace

bool has_own_network() { return own_network; }

Node::Node(const std::vector<dpdk::PortSpec>& ports, std::vector<datapath::LcorePlan> lcores,
           std::uint32_t data_bytes) {
  dpdk::PacketMemory memory;
  memory.data_bytes = data_bytes;
  memory.mbufs = 16384;
  memory.rx_descriptors = 512;
  memory.tx_descriptors = 512;
  auto opened = dpdk::PortSet::open(ports, memory, lcores, false);
  status_ = opened.status();
  if (!opened.ok()) return;
  ports_ = *std::move(opened);
  datapath::EngineOptions options;
  options.lcores = std::move(lcores);
  options.buckets_per_transmitter = 256;
  options.ring_memory_bytes = 64 << 20;
  engine_ = std::make_unique<Engine>(options, ports_->poll_threads(), *ports_, clock_);
}

BucketRef Node::add_bucket(const BucketSettings& settings) {
  BucketChange change{std::nullopt, settings};
  const absl::Status status = engine_->apply(std::span(&change, 1));
  EXPECT_TRUE(status.ok()) << status;
  return change.ref.value_or(BucketRef{});
}

void Node::set_rules(const std::vector<PortRule>& rules, const std::vector<BucketRef>& buckets) {
  std::vector<ClassifierRule> matches;
  auto snapshot = std::make_shared<RuleSnapshot>();
  for (const PortRule& rule : rules) {
    ClassifierRule match;
    match.match.ingress_port = rule.ingress;
    matches.push_back(match);
    snapshot->actions.push_back(rule.action);
  }
  auto classifier = Classifier::build(matches);
  ASSERT_TRUE(classifier.ok()) << classifier.status();
  snapshot->classifier = *std::move(classifier);
  snapshot->fallback = drop_all();
  snapshot->control_protocols = ControlProtocols::none();
  snapshot->prepare_workers(engine_->worker_count());
  const auto old = engine_->swap_rules(snapshot, buckets);
  ASSERT_TRUE(old.ok()) << old.status();
}

std::uint64_t Node::sum(std::uint64_t LcoreStats::*field) const {
  std::uint64_t total = 0;
  for (const LcoreStats& lcore : engine_->lcores()) total += lcore.*field;
  return total;
}

std::uint64_t Node::drops(DropReason reason) const {
  std::uint64_t total = 0;
  for (const LcoreStats& lcore : engine_->lcores()) {
    total += lcore.drops[static_cast<std::size_t>(reason)];
  }
  return total;
}

std::uint64_t Node::all_drops() const {
  std::uint64_t total = 0;
  for (const LcoreStats& lcore : engine_->lcores()) {
    for (const std::uint64_t count : lcore.drops) total += count;
  }
  return total;
}

void Node::stop_and_check_balance() {
  engine_->drain_and_stop(Duration{2'000'000'000});
  EXPECT_EQ(waiting(), 0U);
  EXPECT_EQ(rx(), tx() + all_drops());
}

}  // namespace drip::vdev

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  // Before any thread, so that network devices of the tests are in a namespace of their own.
  drip::vdev::own_network = unshare(CLONE_NEWNET) == 0;
  drip::dpdk::EalOptions options;
  options.small_page_bytes = std::uint64_t{256} << 20;
  options.hugepages = drip::dpdk::Hugepages::kNever;
  cpu_set_t usable;
  CPU_ZERO(&usable);
  sched_getaffinity(0, sizeof usable, &usable);
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &usable)) options.control_cpus.push_back(cpu);
  }
  const auto eal = drip::dpdk::Eal::start(options);
  if (!eal.ok()) {
    std::fprintf(stderr, "%s\n", std::string(eal.status().message()).c_str());
    return 1;
  }
  return RUN_ALL_TESTS();
}
