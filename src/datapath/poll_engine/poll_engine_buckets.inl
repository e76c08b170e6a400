// SPDX-License-Identifier: BSD-3-Clause
// PollEngine's buckets: promise the memory for all changes, then make them; or make none.
// IWYU pragma: private, include "datapath/poll_engine/poll_engine.h"
#pragma once

namespace drip::datapath {

template <class Io>
std::uint32_t PollEngine<Io>::next_transmitter() {
  return next_transmitter_++ % static_cast<std::uint32_t>(transmitters_.size());
}

template <class Io>
absl::Status PollEngine<Io>::check_packet_promise(std::uint64_t promised) const {
  const auto allowed = static_cast<std::uint64_t>(
      static_cast<double>(ports_.packets_for_buckets()) * options_.packet_overcommit);
  if (ports_.count() == 0 || promised <= allowed) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      fmt::format("packet buffers: the capacities of all buckets with packets would add up to {}, "
                  "and {} may be promised; raise the node's packet buffers or the overcommit",
                  promised, allowed));
}

// Packet buffers promised once all of `changes` are made.
template <class Io>
std::uint64_t PollEngine<Io>::promised_after(std::span<const BucketChange> changes) const {
  std::uint64_t promised = packets_promised();
  for (const BucketChange& change : changes) {
    if (!change.ref) continue;
    const SlotRecord& record = books_[change.ref->transmitter]->record(change.ref->slot);
    if (record.holds_packets == 0) continue;
    promised += change.settings.capacity;
    promised -= record.capacity;
  }
  return promised;
}

template <class Io>
absl::Status PollEngine<Io>::plan(BucketChange& change, PlannedChange& planned) {
  planned.change = &change;
  const std::uint32_t wanted = RingMemory::slots_for(change.settings.capacity);
  if (change.ref) {
    planned.ref = *change.ref;
    const SlotRecord& record = books_[planned.ref.transmitter]->record(planned.ref.slot);
    if (wanted <= record.ring_slots) return absl::OkStatus();
  } else {
    planned.ref.transmitter = next_transmitter();
    auto slot = books_[planned.ref.transmitter]->take_slot();
    if (!slot.ok()) return slot.status();
    planned.ref.slot = *slot;
  }
  auto ring = books_[planned.ref.transmitter]->rings().allocate(wanted);
  if (!ring.ok()) {
    if (!change.ref) books_[planned.ref.transmitter]->give_back_slot(planned.ref.slot);
    return ring.status();
  }
  planned.ring = *ring;
  planned.ring_slots = wanted;
  return absl::OkStatus();
}

template <class Io>
void PollEngine<Io>::unplan(const PlannedChange& planned) {
  SlotAllocator& book = *books_[planned.ref.transmitter];
  if (planned.ring != nullptr) book.rings().release(planned.ring, planned.ring_slots);
  if (!planned.change->ref) book.give_back_slot(planned.ref.slot);
}

template <class Io>
absl::Status PollEngine<Io>::apply(std::span<BucketChange> changes) {
  std::vector<PlannedChange> planned(changes.size());
  {
    const std::unique_lock lock(books_mutex_);
    for (const auto& book : books_) book->reap();
    flow_rules_.reap(books_);
    if (auto status = check_packet_promise(promised_after(changes)); !status.ok()) return status;
    for (std::size_t i = 0; i < changes.size(); ++i) {
      if (auto status = plan(changes[i], planned[i]); !status.ok()) {
        for (std::size_t undo = i; undo-- > 0;) unplan(planned[undo]);
        return status;
      }
    }
  }
  // Transmitter by transmitter: each job then has work for one thread.
  std::stable_sort(planned.begin(), planned.end(),
                   [](const PlannedChange& a, const PlannedChange& b) {
                     return a.ref.transmitter < b.ref.transmitter;
                   });
  for (std::size_t begin = 0; begin < planned.size();) {
    std::size_t end = begin;
    while (end < planned.size() && end - begin < kChangesAJob &&
           planned[end].ref.transmitter == planned[begin].ref.transmitter) {
      ++end;
    }
    commit(std::span(planned).subspan(begin, end - begin));
    begin = end;
  }
  return absl::OkStatus();
}

// All of one transmitter.
template <class Io>
void PollEngine<Io>::commit(std::span<PlannedChange> planned) {
  Thread& thread = *transmitters_[planned.front().ref.transmitter];
  std::array<RingEntry*, kChangesAJob> replaced{};
  const std::lock_guard leases_lock(leases_mutex_);
  std::array<LeaseTerms*, kChangesAJob> leases{};  // Of buckets that are leased no more.
  {
    const std::shared_lock lock(books_mutex_);
    const SlotAllocator& book = *books_[planned.front().ref.transmitter];
    for (std::size_t i = 0; i < planned.size(); ++i) {
      if (!planned[i].change->ref || planned[i].change->settings.rate_is_leased) continue;
      BookedLease* const booked = book.record(planned[i].ref.slot).leased.get();
      if (booked != nullptr) leases[i] = &booked->terms;
    }
  }
  thread.mailbox.run([&](TimePoint now) {
    for (std::size_t i = 0; i < planned.size(); ++i) {
      const PlannedChange& one = planned[i];
      if (one.change->ref) {
        if (leases[i] != nullptr) thread.transmitter->end_lease(*leases[i], now);
        replaced[i] = thread.transmitter->change(one.ref.slot, one.change->settings, one.ring,
                                                 one.ring_slots, now);
      } else {
        thread.transmitter->create(one.ref.slot, one.change->settings, one.ring, one.ring_slots,
                                   now);
      }
    }
  });
  const std::unique_lock lock(books_mutex_);
  SlotAllocator& book = *books_[planned.front().ref.transmitter];
  for (std::size_t i = 0; i < planned.size(); ++i) {
    SlotRecord& record = book.record(planned[i].ref.slot);
    if (replaced[i] != nullptr) book.rings().release(replaced[i], record.ring_slots);
    if (record.holds_packets != 0) {
      packets_promised_to_buckets_ += planned[i].change->settings.capacity;
      packets_promised_to_buckets_ -= record.capacity;
    }
    record.note(planned[i].change->settings);
    if (planned[i].ring != nullptr) {
      record.ring = planned[i].ring;
      record.ring_slots = planned[i].ring_slots & kMaxRingSlots;
    }
    planned[i].change->ref = planned[i].ref;
  }
}

template <class Io>
void PollEngine<Io>::lease(BucketRef bucket, const RateLease& lease) {
  Thread& thread = *transmitters_[bucket.transmitter];
  const std::lock_guard leases_lock(leases_mutex_);
  LeaseTerms* terms = nullptr;
  {
    const std::unique_lock lock(books_mutex_);
    SlotRecord& record = books_[bucket.transmitter]->record(bucket.slot);
    if (record.rate_is_leased == 0) return;
    if (record.leased == nullptr) {
      record.leased = std::make_unique<BookedLease>();
      record.leased->terms.slot = bucket.slot;
    }
    terms = &record.leased->terms;
    record.leased->lease = lease;
    record.leased->lapses_before = thread.transmitter->leases().lapses();
  }
  thread.mailbox.run([&](TimePoint now) { thread.transmitter->lease(*terms, lease, now); });
}

template <class Io>
Removal PollEngine<Io>::remove(BucketRef bucket, bool drop_backlog) {
  Thread& thread = *transmitters_[bucket.transmitter];
  const std::lock_guard leases_lock(leases_mutex_);
  std::unique_ptr<BookedLease> leased;
  {
    const std::unique_lock lock(books_mutex_);
    leased = std::move(books_[bucket.transmitter]->record(bucket.slot).leased);
  }
  const Removal removal = thread.mailbox.run([&](TimePoint now) {
    // Packets on their way may have been sent to it by rules that are gone.
    thread.lcore->take_in_all(now);
    // A bucket that may leak nothing would never drain.
    const bool leaks = leased != nullptr ? thread.transmitter->end_lease(leased->terms, now)
                                         : !thread.transmitter->paused(bucket.slot);
    return thread.transmitter->remove(bucket.slot, drop_backlog || !leaks, now);
  });
  const std::unique_lock lock(books_mutex_);
  SlotAllocator& book = *books_[bucket.transmitter];
  book.retire_when_empty(bucket.slot);
  book.reap();
  return removal;
}

template <class Io>
void PollEngine<Io>::admit_many(std::span<UnitsToAdmit> units) {
  std::array<UnitsToAdmit*, kEntriesAJob> job;
  for (std::uint32_t to = 0; to < transmitters_.size(); ++to) {
    Thread& thread = *transmitters_[to];
    std::size_t entries = 0;
    std::uint32_t unit_count = 0;
    const auto run_job = [&] {
      thread.mailbox.run([&](TimePoint now) {
        for (std::size_t i = 0; i < entries; ++i) thread.transmitter->prefetch(job[i]->bucket.slot);
        for (std::size_t i = 0; i < entries; ++i) thread.transmitter->admit_units(*job[i], now);
      });
      entries = 0;
      unit_count = 0;
    };
    for (UnitsToAdmit& one : units) {
      if (one.bucket.transmitter != to) continue;
      thread.buckets->prepare_history(one.bucket.slot);
      job[entries++] = &one;
      unit_count += one.count;
      if (entries == job.size() || unit_count >= kUnitsAJob) run_job();
    }
    if (entries > 0) run_job();
  }
}

}  // namespace drip::datapath
