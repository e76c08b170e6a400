// SPDX-License-Identifier: BSD-3-Clause
// A NIC that DPDK drives itself: whether the kernel wants it back, and whether it is there again.
#pragma once

#include <atomic>
#include <string>

#include "dpdk/reopen_attempts.h"

namespace drip::dpdk {

/// A PCI device that goes while a port uses it: it was unbound from its driver for user space, or
/// pulled out. The kernel waits until it is released. The device is watched as long as the object
/// lives, by EAL's interrupt thread; the methods belong to one thread.
class PciDevice {
 public:
  /// `address`: as in 0000:03:00.0. REQUIRES: EAL has started.
  explicit PciDevice(std::string address);
  ~PciDevice();
  PciDevice(const PciDevice&) = delete;
  PciDevice& operator=(const PciDevice&) = delete;

  [[nodiscard]] const std::string& address() const { return address_; }
  /// The kernel has asked for the device since the last call of opened().
  [[nodiscard]] bool is_wanted_back() const { return wanted_back_; }
  /// A port has opened it again.
  void opened() { wanted_back_ = false; }
  /// Whether it is bound to a driver for user space.
  [[nodiscard]] bool is_available() const;

  ReopenAttempts attempts;

 private:
  std::string address_;
  std::atomic<bool> wanted_back_{false};
};

}  // namespace drip::dpdk
