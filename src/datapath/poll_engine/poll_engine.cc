// SPDX-License-Identifier: BSD-3-Clause
// PollEngine's threads: how they are connected, started, read and stopped.
#include "datapath/poll_engine/poll_engine.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "datapath/poll_engine/thread_setup.h"
#include "fmt/format.h"

namespace drip::datapath {

PollEngine::PollEngine(EngineOptions options, const PollThreadFactory& make_thread, Ports& ports,
                       const TscClock& clock)
    : options_(std::move(options)),
      ports_(ports),
      clock_(clock),
      port_names_(ports.names()),
      ring_budget_(std::make_shared<RingBudget>(options_.ring_memory_bytes)) {
  make_threads(make_thread);
  start();
}

void PollEngine::make_threads(const PollThreadFactory& make_thread) {
  std::vector<PollThreadSetup> setups;
  std::vector<std::size_t> transmitter_lcores;
  std::uint32_t workers = 0;
  for (std::size_t lcore = 0; lcore < options_.lcores.size(); ++lcore) {
    PollThreadSetup& setup = setups.emplace_back();
    setup.plan = options_.lcores[lcore];
    setup.clock = &clock_;
    setup.ports = ports_.count();
    setup.bucket_slots = options_.buckets_per_transmitter;
    setup.spread = &spread_;
    if (setup.plan.receives()) setup.worker = workers++;
    if (setup.plan.transmits()) {
      setup.transmitter = static_cast<std::uint32_t>(transmitter_lcores.size());
      transmitter_lcores.push_back(lcore);
    }
  }
  // A ring from each thread to each transmitter but itself.
  for (std::size_t from = 0; from < setups.size(); ++from) {
    for (const std::size_t to : transmitter_lcores) {
      HandOff* ring = nullptr;
      if (to != from) {
        ring = hand_offs_.emplace_back(std::make_unique<HandOff>()).get();
        setups[to].inbound.push_back(ring);
      }
      setups[from].outbound.push_back(ring);
    }
  }
  for (std::size_t lcore = 0; lcore < setups.size(); ++lcore) {
    threads_.push_back(make_thread(lcore, setups[lcore]));
    PollThread* const thread = threads_.back().get();
    if (thread->plan.receives()) workers_.push_back(thread);
    if (!thread->plan.transmits()) continue;
    transmitters_.push_back(thread);
    allocators_.push_back(
        std::make_unique<SlotAllocator>(*thread->buckets, ring_budget_, thread->plan.numa_node));
  }
}

void PollEngine::start() {
  for (std::uint32_t i = 0; i < threads_.size(); ++i) {
    running_.emplace_back([this, i] { run_thread(*threads_[i], i); });
  }
  // After its first job a thread has no more warnings to report.
  wait_for_loops();
  ports_.set_barrier([this] { wait_for_loops(); });
}

void PollEngine::wait_for_loops() {
  for (const auto& thread : threads_) thread->mailbox.run([](TimePoint) {});
}

void PollEngine::run_thread(PollThread& thread, std::uint32_t number) {
  auto warnings = set_up_thread(thread.plan, fmt::format("drip-lcore-{}", number));
  {
    const std::lock_guard lock(warnings_mutex_);
    std::move(warnings.begin(), warnings.end(), std::back_inserter(warnings_));
  }
  ports_.thread_begins(number);
  thread.run(stop_);
  ports_.thread_ends(number);
  thread.mailbox.close([](const void* clock) { return static_cast<const TscClock*>(clock)->now(); },
                       &clock_);
}

std::uint64_t PollEngine::drain_and_stop(Duration bound) {
  if (stopped_) return 0;
  stopped_ = true;
  // What has come in by then is still taken: so many loops empty AF_XDP's longest receive ring.
  constexpr int kLoops = 2048 / 32;
  if (ports_.release_receiving()) {
    for (int loop = 0; loop < kLoops; ++loop) wait_for_loops();
  }
  for (PollThread* const thread : transmitters_) {
    thread->mailbox.run([&](TimePoint) { thread->stop_admission(); });
  }
  const TimePoint deadline = clock_.now() + bound;
  const auto idle = [&] {
    return std::all_of(transmitters_.begin(), transmitters_.end(), [](PollThread* thread) {
      return thread->mailbox.run([&](TimePoint) { return thread->idle(); });
    });
  };
  while (clock_.now() < deadline && !idle()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ports_.set_barrier(nullptr);
  stop_ = true;
  for (std::thread& running : running_) running.join();
  // The mailboxes are closed, so these jobs run on this thread. Packets that are still between
  // threads reach their transmitters, which reject or drop them, and count them.
  drain_hand_offs();
  std::uint64_t dropped = 0;
  for (PollThread* const thread : transmitters_) {
    thread->mailbox.run([&](TimePoint now) { dropped += thread->drop_all(now); });
  }
  return dropped;
}

std::vector<PortStats> PollEngine::ports() const {
  std::vector<std::uint64_t> sent(port_names_.size());
  for (std::uint16_t port = 0; port < sent.size(); ++port) {
    for (const PollThread* const thread : transmitters_) sent[port] += thread->sent(port);
  }
  std::vector<PortStats> ports = ports_.read(sent);
  for (std::uint16_t port = 0; port < ports.size(); ++port) {
    for (const PollThread* const thread : transmitters_) {
      ports[port].tx_retries += thread->tx_retries(port);
    }
  }
  return ports;
}

std::vector<LcoreStats> PollEngine::lcores() const {
  std::vector<LcoreStats> lcores;
  const auto running_ns = static_cast<std::uint64_t>((clock_.now() - started_).ns);
  for (const auto& thread : threads_) {
    lcores.push_back(thread->stats());
    lcores.back().running_ns = running_ns;
  }
  return lcores;
}

MemoryStats PollEngine::memory() const {
  const std::shared_lock lock(allocators_mutex_);
  MemoryStats stats;
  stats.budget_bytes = ring_budget_->bytes();
  stats.reserved_bytes = ring_budget_->reserved();
  stats.mbufs = ports_.packets();
  stats.mbufs_free = ports_.packets_free();
  stats.mbufs_reserved = packets_reserved();
  stats.hugepages = ports_.hugepages();
  return stats;
}

std::vector<std::string> PollEngine::warnings() const {
  const std::lock_guard lock(warnings_mutex_);
  return warnings_;
}

}  // namespace drip::datapath
