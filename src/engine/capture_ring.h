// SPDX-License-Identifier: BSD-3-Clause
// Copies of frames on their way from a bucket's polling thread to whoever captures them.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "drip/cache_line.h"
#include "drip/time.h"
#include "engine/drop_reason.h"

namespace drip {

/// Which frames of a bucket are copied, and how much of each.
struct CaptureSettings {
  static constexpr std::uint32_t kMostSnapBytes = 16384;
  static constexpr std::uint32_t kMostOneIn = 1'000'000;

  bool admitted = true;            ///< Those that the bucket took, when they came.
  bool lost = true;                ///< Those that it rejected, or that its queue dropped later.
  std::uint32_t snap_bytes = 128;  ///< Of a frame, its first ones: 1 to kMostSnapBytes.
  std::uint32_t one_in = 1;        ///< Of so many frames one is copied: 1 to kMostOneIn.
};

/// A bounded ring with room for whole frames. One polling thread writes and never waits: what does
/// not fit is counted as lost. One other thread reads. Nothing is allocated after construction.
class CaptureRing {
 public:
  /// For all slots. With a small snap_bytes there are kMostSlots, which bounds what the polling
  /// thread copies between two looks of the reader.
  static constexpr std::size_t kMemoryBytes = std::size_t{4} << 20;
  static constexpr std::size_t kMostSlots = 4096;

  /// A frame that was copied; `bytes` stay until the next one is read.
  struct Frame {
    TimePoint at;                      ///< When it came, or when it was dropped.
    std::uint32_t frame_bytes = 0;     ///< The whole frame, without FCS.
    std::optional<DropReason> reason;  ///< None: the bucket took it.
    std::span<const std::uint8_t> bytes;
  };

  explicit CaptureRing(const CaptureSettings& settings)
      : settings_(settings),
        slot_bytes_(sizeof(Header) + (settings.snap_bytes + kCacheLineBytes - 1) / kCacheLineBytes *
                                         kCacheLineBytes),
        slots_(std::min(kMostSlots, std::bit_floor(kMemoryBytes / slot_bytes_))),
        memory_(std::make_unique<std::byte[]>(slots_ * slot_bytes_)) {}
  CaptureRing(const CaptureRing&) = delete;
  CaptureRing& operator=(const CaptureRing&) = delete;

  // ---- The polling thread. `bytes`: the first ones of the frame.

  /// A frame is offered to the bucket; admitted() or rejected() tells what became of it. Copied
  /// now, because who takes a packet may have freed it by then.
  void offered(std::span<const std::uint8_t> bytes, std::uint32_t frame_bytes, TimePoint at) {
    undecided_ = true;
    copied_ = settings_.admitted && is_turn() && copy(bytes, frame_bytes, at);
  }
  void admitted() {
    if (std::exchange(undecided_, false) && settings_.admitted) count(copied_, kTaken);
  }
  /// REQUIRES: the packet has not been freed.
  void rejected(std::span<const std::uint8_t> bytes, std::uint32_t frame_bytes, TimePoint at,
                DropReason reason) {
    undecided_ = false;
    if (!settings_.lost) return;
    count(is_turn() && copy(bytes, frame_bytes, at), code_of(reason));
  }
  /// A frame that the bucket had taken; also between offered() and admitted() of another one, or of
  /// this one, for then the bucket has taken what was offered. REQUIRES: as for rejected().
  void dropped(std::span<const std::uint8_t> bytes, std::uint32_t frame_bytes, TimePoint at,
               DropReason reason) {
    admitted();
    rejected(bytes, frame_bytes, at, reason);
  }

  // ---- The reader

  /// The oldest frame; none if there is no more now. Frees the one of the call before.
  [[nodiscard]] std::optional<Frame> read() {
    if (reading_) head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    reading_ = head != tail_.load(std::memory_order_acquire);
    if (!reading_) return std::nullopt;
    const std::byte* const slot = slot_at(head);
    Header header;
    std::memcpy(&header, slot, sizeof(header));
    Frame frame{header.at, header.frame_bytes, std::nullopt, {}};
    if (header.outcome != kTaken) frame.reason = static_cast<DropReason>(header.outcome - 1);
    frame.bytes = {reinterpret_cast<const std::uint8_t*>(slot + sizeof(Header)),
                   header.copied_bytes};
    return frame;
  }

  // ---- Any thread

  /// Frames that were to be captured, copied or not.
  [[nodiscard]] std::uint64_t matched() const { return matched_.load(std::memory_order_acquire); }
  /// Of these: passed over because of one_in, and lost because the ring was full.
  [[nodiscard]] std::uint64_t passed_over() const {
    return passed_over_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t slots() const { return slots_; }

 private:
  struct Header {
    TimePoint at;
    std::uint32_t frame_bytes;
    std::uint16_t copied_bytes;
    std::uint8_t outcome;
  };
  static constexpr std::uint8_t kTaken = 0;
  static constexpr std::uint8_t code_of(DropReason reason) {
    return static_cast<std::uint8_t>(static_cast<std::uint8_t>(reason) + 1);
  }

  [[nodiscard]] std::byte* slot_at(std::uint64_t number) const {
    return &memory_[(number & (slots_ - 1)) * slot_bytes_];
  }
  [[nodiscard]] bool is_turn() const { return since_copy_ + 1 >= settings_.one_in; }
  // Into the next slot; false if there is none.
  [[nodiscard]] bool copy(std::span<const std::uint8_t> bytes, std::uint32_t frame_bytes,
                          TimePoint at) {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) == slots_) return false;
    const std::size_t size = std::min<std::size_t>(bytes.size(), settings_.snap_bytes);
    const Header header{at, frame_bytes, static_cast<std::uint16_t>(size), kTaken};
    std::byte* const slot = slot_at(tail);
    std::memcpy(slot, &header, sizeof(header));
    // Not memcpy, which may not be given the null of an empty span.
    std::ranges::copy(std::as_bytes(bytes.first(size)), slot + sizeof(header));
    return true;
  }
  // A frame that is to be captured: `copied` is in the next slot, unless it was not its turn, or
  // there was no slot.
  void count(bool copied, std::uint8_t outcome) {
    add(matched_);
    if (!is_turn()) {
      ++since_copy_;
      return add(passed_over_);
    }
    since_copy_ = 0;
    if (!copied) return add(lost_);
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    slot_at(tail)[offsetof(Header, outcome)] = std::byte{outcome};
    tail_.store(tail + 1, std::memory_order_release);
  }
  static void add(std::atomic<std::uint64_t>& counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  const CaptureSettings settings_;
  const std::size_t slot_bytes_;
  const std::size_t slots_;  // A power of two.
  const std::unique_ptr<std::byte[]> memory_;
  // The polling thread's.
  alignas(kCacheLineBytes) std::atomic<std::uint64_t> tail_{0};
  std::atomic<std::uint64_t> matched_{0};
  std::atomic<std::uint64_t> passed_over_{0};
  std::atomic<std::uint64_t> lost_{0};
  std::uint32_t since_copy_ = 0;
  bool undecided_ = false;  // Between offered() and what became of it.
  bool copied_ = false;
  // The reader's.
  alignas(kCacheLineBytes) std::atomic<std::uint64_t> head_{0};
  bool reading_ = false;
};

}  // namespace drip
