// SPDX-License-Identifier: BSD-3-Clause
// A bucket's settings and its existence.
#include "control/config/bucket_entry.h"

#include <cstring>

namespace drip::control {

BucketEntry* BucketEntry::make(RequestRegistry& requests, std::string_view id, BucketRef ref,
                               const BucketSettings& settings, const BucketSharing& sharing) {
  return new (IdBytes{id.size()}) BucketEntry(requests, id, ref, settings, sharing);
}

BucketEntry::BucketEntry(RequestRegistry& requests, std::string_view id, BucketRef ref,
                         const BucketSettings& settings, const BucketSharing& sharing)
    : registry_(requests),
      ref_(ref),
      id_bytes_(static_cast<std::uint8_t>(id.size())),
      settings_(settings),
      sharing_(remembered(sharing)) {
  std::memcpy(reinterpret_cast<char*>(this + 1), id.data(), id.size());
}

std::unique_ptr<const BucketSharing> BucketEntry::remembered(const BucketSharing& sharing) {
  if (sharing == BucketSharing{}) return nullptr;
  return std::make_unique<const BucketSharing>(sharing);
}

std::shared_ptr<RequestQueue> BucketEntry::requests() {
  {
    SpinLockHolder lock(lock_);
    if (requests_ != nullptr) return requests_;
  }
  std::shared_ptr<RequestQueue> fresh = registry_.make_queue(ref_);
  SpinLockHolder lock(lock_);
  // Another caller may have been faster.
  if (requests_ == nullptr) requests_ = std::move(fresh);
  return requests_;
}

BucketSettings BucketEntry::settings() const {
  SpinLockHolder lock(lock_);
  return settings_;
}

BucketSharing BucketEntry::sharing() const {
  SpinLockHolder lock(lock_);
  return sharing_ == nullptr ? BucketSharing{} : *sharing_;
}

bool BucketEntry::exact() const {
  SpinLockHolder lock(lock_);
  return sharing_ != nullptr && sharing_->exact();
}

void BucketEntry::change(const BucketSettings& settings, const BucketSharing& sharing) {
  std::unique_ptr<const BucketSharing> fresh = remembered(sharing);
  SpinLockHolder lock(lock_);
  settings_ = settings;
  sharing_.swap(fresh);
}

BucketEntry::Use BucketEntry::use() const {
  // acquire: who sees the bucket exist sees all that was done when it was made.
  if ((uses_.fetch_add(1, std::memory_order_acquire) & kDeleted) == 0) return Use(*this);
  end_use();
  return {};
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

bool BucketEntry::while_it_exists(absl::FunctionRef<void(const BucketSettings&)> callback) const {
  const Use held = use();
  if (!held) return false;
  callback(settings());
  return true;
}

std::optional<BucketState> BucketEntry::state() const {
  const Use held = use();
  if (!held) return std::nullopt;
  std::optional<BucketState> state(std::in_place);
  state->id = id();
  state->transmitter = ref_.transmitter;
  state->settings = settings();
  state->sharing = sharing();
  state->revision = revision();
  state->stats = registry_.engine().read(ref_);
  return state;
}

std::uint64_t BucketEntry::backlog() const {
  const Use held = use();
  return held ? registry_.engine().backlog(ref_) : 0;
}

}  // namespace drip::control
