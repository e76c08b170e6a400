// SPDX-License-Identifier: BSD-3-Clause
// PollEngine's threads: how they are put together, started, read and stopped.
// IWYU pragma: private, include "datapath/poll_engine/poll_engine.h"
#pragma once

namespace drip::datapath {

template <class Io>
void PollEngine<Io>::build(std::span<Io> ios) {
  for (const LcorePlan& plan : options_.lcores) {
    threads_.push_back(std::make_unique<Thread>());
    threads_.back()->plan = plan;
    if (plan.transmits()) transmitters_.push_back(threads_.back().get());
    if (plan.receives()) workers_.push_back(threads_.back().get());
  }
  const TimePoint now = clock_.now();
  const std::uint16_t port_count = ports_.count();
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    Thread& thread = *threads_[i];
    if (!thread.plan.transmits()) continue;
    thread.buckets =
        std::make_unique<BucketTable>(options_.buckets_per_transmitter, thread.plan.numa_node);
    thread.transmitter = std::make_unique<Transmitter<Io>>(*thread.buckets, now, ios[i], port_count,
                                                           thread.counters);
    thread.flows = std::make_unique<FlowBuckets<Io>>(*thread.transmitter);
    books_.push_back(std::make_unique<SlotAllocator>(
        *thread.buckets, options_.ring_memory_bytes / transmitters_.size(), thread.plan.numa_node));
  }

  // A ring from each thread to each transmitter that is not its own.
  std::vector<std::vector<HandOff*>> inbound(transmitters_.size());
  std::uint32_t worker_number = 0;
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    Thread& thread = *threads_[i];
    std::vector<HandOff*> outbound(transmitters_.size(), nullptr);
    std::uint32_t own = 0;
    for (std::uint32_t to = 0; to < transmitters_.size(); ++to) {
      if (transmitters_[to] == &thread) {
        own = to;
        continue;
      }
      hand_offs_.push_back(std::make_unique<HandOff>());
      outbound[to] = hand_offs_.back().get();
      inbound[to].push_back(hand_offs_.back().get());
    }
    thread.dispatcher =
        std::make_unique<Dispatcher<Io>>(ios[i], thread.flows.get(), own, std::move(outbound),
                                         flow_keys_.data(), spread_, thread.counters);
    if (thread.plan.receives()) {
      thread.worker = std::make_unique<RxWorker<Io>>(worker_number++, ios[i], *thread.dispatcher,
                                                     thread.counters);
    }
  }
  std::size_t transmitter = 0;
  for (const auto& thread : threads_) {
    thread->lcore = std::make_unique<PollLoop<Io, TscClock::Reader>>(
        TscClock::Reader(clock_), thread->counters, thread->mailbox, *thread->dispatcher,
        thread->worker.get(), thread->transmitter.get(), thread->flows.get(),
        thread->plan.transmits() ? inbound[transmitter++] : std::vector<HandOff*>{},
        thread->plan.sleeps_when_idle);
  }
}

template <class Io>
void PollEngine<Io>::start() {
  for (std::uint32_t i = 0; i < threads_.size(); ++i) {
    threads_[i]->thread = std::thread([this, i] { run_thread(*threads_[i], i); });
  }
  // Once each has done a job its warnings are complete.
  for (const auto& thread : threads_) thread->mailbox.run([](TimePoint) {});
}

template <class Io>
void PollEngine<Io>::run_thread(Thread& thread, std::uint32_t number) {
  auto warnings = settle_thread(thread.plan, fmt::format("drip-lcore-{}", number));
  {
    const std::lock_guard lock(warnings_mutex_);
    std::move(warnings.begin(), warnings.end(), std::back_inserter(warnings_));
  }
  ports_.thread_begins(number);
  thread.lcore->run(stop_);
  ports_.thread_ends(number);
  thread.mailbox.close([](const void* clock) { return static_cast<const TscClock*>(clock)->now(); },
                       &clock_);
}

template <class Io>
std::uint64_t PollEngine<Io>::drain_and_stop(Duration bound) {
  if (stopped_) return 0;
  stopped_ = true;
  for (Thread* const thread : transmitters_) {
    thread->mailbox.run([&](TimePoint) { thread->transmitter->drain_all(); });
  }
  const TimePoint deadline = clock_.now() + bound;
  const auto idle = [&] {
    return std::all_of(transmitters_.begin(), transmitters_.end(), [](Thread* thread) {
      return thread->mailbox.run([&](TimePoint) { return thread->transmitter->idle(); });
    });
  };
  while (clock_.now() < deadline && !idle()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  stop_ = true;
  for (const auto& thread : threads_) thread->thread.join();
  // The threads are gone: these jobs run here. What is on its way goes where it was to go, and
  // there it is refused or dropped, and counted.
  take_in_hand_offs();
  std::uint64_t dropped = 0;
  for (Thread* const thread : transmitters_) {
    thread->mailbox.run([&](TimePoint now) { dropped += thread->transmitter->drop_all(now); });
  }
  return dropped;
}

template <class Io>
std::vector<PortStats> PollEngine<Io>::ports() const {
  std::vector<PortStats> readings = ports_.read();
  for (std::uint16_t port = 0; port < readings.size(); ++port) {
    for (const Thread* const thread : transmitters_) {
      readings[port].tx_retries += thread->transmitter->stage().retries(port);
    }
  }
  return readings;
}

template <class Io>
std::vector<LcoreStats> PollEngine<Io>::lcores() const {
  std::vector<LcoreStats> readings;
  std::uint32_t transmitter = 0;
  for (const auto& thread : threads_) {
    LcoreStats reading = read_counters(thread->counters);
    reading.role = thread->plan.role;
    reading.cpu = thread->plan.cpu;
    reading.numa_node = thread->plan.numa_node;
    reading.sleeps_when_idle = thread->plan.sleeps_when_idle;
    reading.waiting_packets = thread->dispatcher->waiting();
    if (thread->transmitter != nullptr) {
      reading.transmitter = transmitter++;
      reading.tx_packets = thread->transmitter->stage().sent();
      reading.waiting_packets += thread->transmitter->waiting_packets();
      reading.buckets = thread->transmitter->live_buckets();
    }
    readings.push_back(reading);
  }
  return readings;
}

template <class Io>
MemoryStats PollEngine<Io>::memory() const {
  const std::shared_lock lock(books_mutex_);
  MemoryStats reading;
  for (const auto& book : books_) {
    reading.budget_bytes += book->rings().budget_bytes();
    reading.promised_bytes += book->rings().promised_bytes();
  }
  reading.mbufs = ports_.packets();
  reading.mbufs_free = ports_.packets_free();
  reading.mbufs_promised = packets_promised();
  reading.hugepages = ports_.hugepages();
  return reading;
}

}  // namespace drip::datapath
