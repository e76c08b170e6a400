// SPDX-License-Identifier: BSD-3-Clause
// A clock that the test sets, and ports that are queues in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "datapath/packet_io.h"
#include "drip/time.h"

namespace drip::datapath {

struct VirtualClock {
  TimePoint* time;
  TimePoint now() { return *time; }
};

/// A packet of FakeIo, aligned as an mbuf is.
struct alignas(64) FakePacket {
  std::uint64_t id = 0;
  std::uint16_t ingress = 0;
  std::vector<std::uint8_t> bytes;
};

/// Ports that are two queues each. Counts every packet that is created and freed.
class FakeIo {
 public:
  struct Sent {
    std::uint64_t id;
    std::uint32_t frame_bytes;
    TimePoint at;
    std::vector<std::uint8_t> bytes = {};
  };

  FakeIo(std::uint16_t ports, TimePoint* time) : time_(time), incoming_(ports), sent_(ports) {
    room_.assign(ports, SIZE_MAX);
    down_.assign(ports, false);
    longest_.assign(ports, UINT32_MAX);
    for (std::uint16_t i = 0; i < ports; ++i) egress_.push_back(i ^ 1);
  }
  ~FakeIo() {
    for (auto& queue : incoming_) {
      for (FakePacket* const packet : queue) delete packet;
    }
  }

  std::uint64_t arrive(std::uint16_t port, std::vector<std::uint8_t> bytes) {
    auto* const packet = new FakePacket{next_id_++, port, std::move(bytes)};
    incoming_[port].push_back(packet);
    ++alive_;
    return packet->id;
  }

  std::uint32_t rx(std::uint16_t queue, std::span<void*> out) {
    std::uint32_t count = 0;
    while (count < out.size() && !incoming_[queue].empty()) {
      out[count++] = incoming_[queue].front();
      incoming_[queue].pop_front();
    }
    return count;
  }
  std::uint32_t tx(std::uint16_t port, std::span<void*> packets) {
    std::uint32_t count = 0;
    for (void* const address : packets) {
      if (room_[port] == 0) break;
      if (room_[port] != SIZE_MAX) --room_[port];
      auto* const packet = static_cast<FakePacket*>(address);
      sent_[port].push_back({packet->id, static_cast<std::uint32_t>(packet->bytes.size()), *time_,
                             std::move(packet->bytes)});
      delete packet;
      --alive_;
      ++count;
    }
    return count;
  }
  [[nodiscard]] bool takes(std::uint16_t port) const { return !down_[port]; }
  void free(std::span<void*> packets) {
    for (void* const address : packets) delete static_cast<FakePacket*>(address);
    alive_ -= packets.size();
    dropped_ += packets.size();
  }
  FrameBytes frame(void* address) {
    const auto* const packet = static_cast<FakePacket*>(address);
    return {packet->bytes, static_cast<std::uint32_t>(packet->bytes.size())};
  }
  std::span<std::uint8_t> writable_bytes(void* address) {
    return static_cast<FakePacket*>(address)->bytes;
  }
  void prefetch(void*) {}
  [[nodiscard]] std::uint16_t rx_queues() const {
    return static_cast<std::uint16_t>(incoming_.size());
  }
  [[nodiscard]] std::uint16_t ingress(std::uint16_t queue) const { return queue; }
  [[nodiscard]] std::uint16_t egress(std::uint16_t port) const { return egress_[port]; }
  [[nodiscard]] std::uint32_t longest_frame(std::uint16_t port) const {
    return egress_[port] == kNoPort ? 0 : longest_[egress_[port]];
  }
  /// As of an egress whose MTU allows VLAN tags beside it: 4 bytes more.
  [[nodiscard]] std::optional<DropReason> check_long_frame(std::uint16_t port,
                                                           const FrameBytes& frame) const {
    if (egress_[port] == kNoPort) return DropReason::kNoEgress;
    if (frame.frame_bytes <= longest_frame(port) + 4) return {};
    return DropReason::kEgressMtu;
  }

  void set_egress(std::uint16_t port, std::uint16_t egress) { egress_[port] = egress; }
  /// How many more packets the port takes; SIZE_MAX: any number.
  void set_room(std::uint16_t port, std::size_t packets) { room_[port] = packets; }
  /// The port sends nothing while its link is down.
  void set_link(std::uint16_t port, bool up) { down_[port] = !up; }
  void set_longest_frame(std::uint16_t egress, std::uint32_t bytes) { longest_[egress] = bytes; }
  /// How many have arrived and not been received yet.
  [[nodiscard]] std::size_t queued(std::uint16_t port) const { return incoming_[port].size(); }
  [[nodiscard]] const std::vector<Sent>& sent(std::uint16_t port) const { return sent_[port]; }
  [[nodiscard]] std::uint64_t made() const { return next_id_; }
  [[nodiscard]] std::uint64_t alive() const { return alive_; }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  TimePoint* time_;
  std::vector<std::deque<FakePacket*>> incoming_;
  std::vector<std::vector<Sent>> sent_;
  std::vector<std::size_t> room_;
  std::vector<bool> down_;
  std::vector<std::uint32_t> longest_;
  std::vector<std::uint16_t> egress_;
  std::uint64_t next_id_ = 0;
  std::uint64_t alive_ = 0;
  std::uint64_t dropped_ = 0;
};
static_assert(PacketIo<FakeIo>);

}  // namespace drip::datapath
