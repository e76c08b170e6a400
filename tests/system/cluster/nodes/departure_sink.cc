// SPDX-License-Identifier: BSD-3-Clause
// One thread and one completion queue for all calls.
#include "nodes/departure_sink.h"

#include <algorithm>
#include <utility>

namespace drip {
namespace {

constexpr std::chrono::milliseconds kAskAgain{20};

}  // namespace

struct DepartureSink::Call {
  std::shared_ptr<v1::RateLimiterService::Stub> stub;
  std::string node;
  Clock::time_point begun = Clock::now();
  grpc::ClientContext context;
  v1::AwaitTurnResponse reply;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<v1::AwaitTurnResponse>> reader;
  std::unique_ptr<grpc::Alarm> pause;  // After a failure.
};

DepartureSink::DepartureSink(std::string bucket_id)
    : bucket_id_(std::move(bucket_id)), thread_([this] { run(); }) {}

DepartureSink::~DepartureSink() { stop(); }

void DepartureSink::feed(ClusterNode& node, int calls) {
  const std::shared_ptr<v1::RateLimiterService::Stub> stub =
      v1::RateLimiterService::NewStub(node.client().channel());
  const std::lock_guard lock(mutex_);
  fed_[node.id()] = true;
  for (int i = 0; i < calls; ++i) begin(stub, node.id());
}

void DepartureSink::starve(const std::string& node) {
  const std::lock_guard lock(mutex_);
  fed_[node] = false;
}

void DepartureSink::begin(std::shared_ptr<v1::RateLimiterService::Stub> stub,
                          const std::string& node) {
  auto call = std::make_unique<Call>();
  call->stub = std::move(stub);
  call->node = node;
  v1::AwaitTurnRequest request;
  request.set_bucket_id(bucket_id_);
  call->reader = call->stub->AsyncAwaitTurn(&call->context, request, &queue_);
  call->reader->Finish(&call->reply, &call->status, call.get());
  calls_.emplace(call.get(), std::move(call));
}

void DepartureSink::run() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
    const Clock::time_point now = Clock::now();
    const std::lock_guard lock(mutex_);
    const auto found = calls_.find(static_cast<Call*>(tag));
    const std::unique_ptr<Call> call = std::move(found->second);
    calls_.erase(found);
    const bool again = !stopped_ && fed_[call->node];
    if (call->pause == nullptr && call->status.ok() && call->reply.allowed() &&
        !call->reply.dropped()) {
      const Clock::time_point earliest =
          call->begun + std::chrono::nanoseconds(call->reply.sojourn_ns());
      departures_.push_back({now, call->node, std::min(earliest, now)});
    } else if (call->pause == nullptr && again) {
      // Refused or gone: after a moment.
      if (!call->status.ok()) failures_.push_back({now, call->node, call->status});
      auto pause = std::make_unique<Call>();
      pause->stub = call->stub;
      pause->node = call->node;
      pause->pause = std::make_unique<grpc::Alarm>();
      pause->pause->Set(&queue_, std::chrono::system_clock::now() + kAskAgain, pause.get());
      calls_.emplace(pause.get(), std::move(pause));
      continue;
    }
    if (again) begin(call->stub, call->node);
  }
}

void DepartureSink::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
    for (const auto& [address, call] : calls_) {
      if (call->pause != nullptr) {
        call->pause->Cancel();
      } else {
        call->context.TryCancel();
      }
    }
  }
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (calls_.empty()) break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  queue_.Shutdown();
  thread_.join();
}

std::vector<DepartureSink::Departure> DepartureSink::departures() const {
  const std::lock_guard lock(mutex_);
  return departures_;
}

std::vector<DepartureSink::Failure> DepartureSink::failures() const {
  const std::lock_guard lock(mutex_);
  return failures_;
}

std::size_t DepartureSink::count(Clock::time_point begin, Clock::time_point end) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::ranges::count_if(departures_, [&](const auto& departure) {
    return departure.when >= begin && departure.when < end;
  }));
}

std::size_t DepartureSink::count_certain(Clock::time_point begin, Clock::time_point end) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::ranges::count_if(departures_, [&](const auto& departure) {
    return departure.earliest >= begin && departure.when < end;
  }));
}

double worst_excess(const std::vector<DepartureSink::Departure>& departures, double rate,
                    DepartureSink::Clock::time_point begin, DepartureSink::Clock::time_point end) {
  double depth = 0;
  double worst = 0;
  DepartureSink::Clock::time_point last = begin;
  for (const DepartureSink::Departure& departure : departures) {
    if (departure.when < begin || departure.when >= end) continue;
    const double seconds = std::chrono::duration<double>(departure.when - last).count();
    depth = std::max(depth - rate * seconds, 0.0) + 1;
    worst = std::max(worst, depth);
    last = departure.when;
  }
  return worst;
}

double certain_excess(std::vector<DepartureSink::Departure> departures, double rate,
                      DepartureSink::Clock::time_point begin,
                      DepartureSink::Clock::time_point end) {
  std::erase_if(departures, [&](const DepartureSink::Departure& departure) {
    return departure.earliest < begin || departure.when >= end;
  });
  std::ranges::sort(departures, {}, &DepartureSink::Departure::when);
  double worst = 0;
  for (const DepartureSink::Departure& first : departures) {
    double count = 0;
    for (const DepartureSink::Departure& departure : departures) {
      if (departure.earliest < first.earliest) continue;
      ++count;
      const double seconds = std::chrono::duration<double>(departure.when - first.earliest).count();
      worst = std::max(worst, count - rate * seconds);
    }
  }
  return worst;
}

}  // namespace drip
