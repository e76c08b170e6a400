// SPDX-License-Identifier: BSD-3-Clause
// Admissions to several queues, carried out together.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "control/config/bucket_entry.h"
#include "control/model/request_queues.h"
#include "control/model/shared_buckets.h"
#include "control/requests/local_queue.h"
#include "control/requests/request_pool.h"
#include "control/requests/request_schedules.h"
#include "engine/engine.h"

namespace drip::control {

class SharedQueues;

/// Entries are added by RequestQueues::admit(). Those of this node's queues become few jobs of the
/// polling threads, those of shared queues few calls of Redis. Kept from one run to the next, so
/// that an entry of this node allocates nothing but its request's record. One run at a time.
class AdmissionBatch {
 public:
  /// Takes the answers: one for each entry, some of them before run().
  class Results {
   public:
    virtual void answered(std::size_t index, const Ticket& ticket) = 0;
    virtual void failed(std::size_t index, const absl::Status& status) = 0;

   protected:
    ~Results() = default;
  };

  /// Both outlive it.
  AdmissionBatch(Engine& engine, Results& results) : engine_(engine), results_(results) {}

  /// Admits what was added, and calls `done` when every entry has its answer: within, or on another
  /// thread if Redis was asked.
  void run(std::function<void()> done);

  // For RequestQueues.

  /// Where the schedules of buckets are kept; null: nowhere.
  void store_in(RequestSchedules* schedules) { schedules_ = schedules; }
  /// The run ends when this bucket's schedule is stored.
  void add_to_store(BucketEntry& bucket);
  void answer(std::size_t index, const Ticket& ticket) { results_.answered(index, ticket); }
  void fail(std::size_t index, const absl::Status& status) { results_.failed(index, status); }
  /// Keeps the bucket from being deleted until the next flush(). False if it was deleted.
  [[nodiscard]] bool hold(BucketEntry& bucket);
  void add_units(BucketRef bucket, const AdmitRequest& request, std::size_t index);
  /// REQUIRES: `queue` has prepared `fresh`.
  void add_request(BucketRef bucket, const AdmitRequest& request, std::shared_ptr<LocalQueue> queue,
                   RequestHandle fresh, std::size_t index);
  void add_shared(SharedQueues& queues, BucketEntry& bucket, const AdmitRequest& request,
                  std::size_t index);
  /// Has the engine admit what was added for it.
  void flush();

 private:
  struct Held {
    BucketEntryRef bucket;
    BucketEntry::Use use;
  };
  // Goes with units_ of the same index.
  struct Pending {
    std::size_t index = 0;
    BucketEntry* bucket = nullptr;      // In held_.
    std::shared_ptr<LocalQueue> queue;  // Of a request with an id.
    RequestHandle request;
  };
  struct SharedEntry {
    BucketEntryRef bucket;
    AdmitRequest request;
    std::size_t index = 0;
    absl::Status status;  // UNAVAILABLE: the failure policy decides, when all are answered.
  };

  void shared_answered(std::size_t entry, const absl::StatusOr<SharedTicket>& ticket);
  void finish();
  // Calls `done` when what was added is stored.
  void end_run(std::function<void()> done);

  Engine& engine_;
  Results& results_;
  std::vector<Held> held_;
  std::vector<UnitsToAdmit> units_;
  std::vector<Pending> pending_;
  RequestSchedules* schedules_ = nullptr;
  std::vector<BucketEntryRef> to_store_;  // Each once, if they come one behind the other.

  SharedQueues* shared_queues_ = nullptr;  // Of shared_.
  // Each is written by one thread, before it counts down what is unanswered.
  std::vector<SharedEntry> shared_;
  std::vector<SharedBuckets::Admission> admissions_;  // Goes with shared_.
  std::function<void()> done_;
  std::atomic<std::size_t> unanswered_{0};
};

}  // namespace drip::control
