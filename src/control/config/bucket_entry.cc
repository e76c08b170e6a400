// SPDX-License-Identifier: BSD-3-Clause
// A bucket's settings and its existence.
#include "control/config/bucket_entry.h"

#include <cstring>
#include <utility>

namespace drip::control {

BucketEntry* BucketEntry::make(const Node& node, std::string_view id, BucketRef ref,
                               const BucketDefinition& definition, std::uint64_t revision) {
  return new (IdBytes{id.size()}) BucketEntry(node, id, ref, definition, revision);
}

BucketEntry::BucketEntry(const Node& node, std::string_view id, BucketRef ref,
                         const BucketDefinition& definition, std::uint64_t revision)
    : node_(node),
      ref_(ref),
      revision_(revision),
      exact_(definition.sharing.exact()),
      queued_(!definition.settings.queue.is_plain()),
      id_bytes_(static_cast<std::uint8_t>(id.size())),
      inner_(definition.place.inner),
      settings_(definition.settings),
      sharing_(remembered(definition.sharing)),
      place_(remembered(definition.place)) {
  std::memcpy(reinterpret_cast<char*>(this + 1), id.data(), id.size());
}

std::unique_ptr<const BucketSharing> BucketEntry::remembered(const BucketSharing& sharing) {
  if (sharing == BucketSharing{}) return nullptr;
  return std::make_unique<const BucketSharing>(sharing);
}

std::unique_ptr<const BucketPlace> BucketEntry::remembered(const BucketPlace& place) {
  if (place == BucketPlace{}) return nullptr;
  return std::make_unique<const BucketPlace>(place);
}

RequestQueues& BucketEntry::queues() const {
  return exact() && node_.shared != nullptr ? *node_.shared : node_.local;
}

std::shared_ptr<LocalQueue> BucketEntry::local_queue(
    absl::FunctionRef<std::shared_ptr<LocalQueue>()> make) {
  {
    SpinLockHolder lock(lock_);
    if (local_queue_ != nullptr) return local_queue_;
  }
  std::shared_ptr<LocalQueue> fresh = make();
  SpinLockHolder lock(lock_);
  // Another caller may have been faster.
  if (local_queue_ == nullptr) local_queue_ = std::move(fresh);
  return local_queue_;
}

BucketSettings BucketEntry::settings() const {
  SpinLockHolder lock(lock_);
  return settings_.get();
}

BucketSharing BucketEntry::sharing() const {
  SpinLockHolder lock(lock_);
  return sharing_ == nullptr ? BucketSharing{} : *sharing_;
}

BucketPlace BucketEntry::place() const {
  SpinLockHolder lock(lock_);
  return place_ == nullptr ? BucketPlace{} : *place_;
}

BucketDefinition BucketEntry::definition() const { return configured().definition; }

BucketEntry::Configured BucketEntry::configured() const {
  SpinLockHolder lock(lock_);
  return {{settings_.get(), sharing_ == nullptr ? BucketSharing{} : *sharing_,
           place_ == nullptr ? BucketPlace{} : *place_},
          revision()};
}

void BucketEntry::change(const BucketDefinition& definition, std::uint64_t revision) {
  std::unique_ptr<const BucketSharing> sharing = remembered(definition.sharing);
  std::unique_ptr<const BucketPlace> place = remembered(definition.place);
  CompactSettings settings(definition.settings);
  SpinLockHolder lock(lock_);
  std::swap(settings_, settings);
  sharing_.swap(sharing);
  place_.swap(place);
  exact_.store(definition.sharing.exact(), std::memory_order_relaxed);
  queued_.store(!definition.settings.queue.is_plain(), std::memory_order_relaxed);
  revision_.store(revision, std::memory_order_relaxed);
}

BucketEntry::Use BucketEntry::use() const {
  for (;;) {
    // acquire: who sees the bucket exist sees all that was done when it was made, or moved.
    const std::uint32_t before = uses_.fetch_add(1, std::memory_order_acquire);
    if ((before & (kDeleted | kMoving)) == 0) return Use(*this);
    end_use();
    if ((before & kDeleted) != 0) return {};
    uses_.wait(kMoving, std::memory_order_relaxed);
  }
}

BucketEntry::Move BucketEntry::try_move() {
  std::uint32_t unused = 0;
  if (!uses_.compare_exchange_strong(unused, kMoving, std::memory_order_acq_rel)) {
    return Move(nullptr);
  }
  Move move(this);
  SpinLockHolder lock(lock_);
  return local_queue_ == nullptr ? std::move(move) : Move(nullptr);
}

void BucketEntry::end_move() {
  uses_.fetch_and(~kMoving, std::memory_order_release);
  uses_.notify_all();
}

void BucketEntry::end_use() const {
  const std::uint32_t left = uses_.fetch_sub(1, std::memory_order_release) - 1;
  if (left == kDeleted) uses_.notify_all();
}

void BucketEntry::end_existence() {
  std::uint32_t seen = uses_.fetch_or(kDeleted, std::memory_order_acq_rel) | kDeleted;
  while (seen != kDeleted) {
    uses_.wait(seen, std::memory_order_acquire);
    seen = uses_.load(std::memory_order_acquire);
  }
}

std::optional<BucketState> BucketEntry::state() const {
  const Use held = use();
  if (!held) return std::nullopt;
  std::optional<BucketState> state(std::in_place);
  state->id = id();
  state->transmitter = ref().transmitter;
  state->moves = moves();
  Configured now = configured();
  state->settings = now.definition.settings;
  state->sharing = std::move(now.definition.sharing);
  state->place = std::move(now.definition.place);
  state->revision = now.revision;
  state->stats = node_.engine.read(ref());
  return state;
}

std::uint64_t BucketEntry::backlog() const {
  const Use held = use();
  return held ? node_.engine.backlog(ref()) : 0;
}

SharedBuckets::Bucket shared_bucket(const BucketEntry& bucket) {
  SharedBuckets::Bucket shared;
  shared.id = bucket.id();
  SpinLockHolder lock(bucket.lock_);
  shared.settings = bucket.settings_.get();
  shared.revision = bucket.revision();
  shared.decide_within =
      bucket.sharing_ == nullptr ? BucketSharing{}.decide_within : bucket.sharing_->decide_within;
  return shared;
}

}  // namespace drip::control
