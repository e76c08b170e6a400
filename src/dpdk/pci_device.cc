// SPDX-License-Identifier: BSD-3-Clause
// Removal by DPDK's device events, return by sysfs.
#include "dpdk/pci_device.h"

#include <rte_dev.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace drip::dpdk {
namespace {

constexpr std::array<std::string_view, 3> kUserSpaceDrivers = {"vfio-pci", "uio_pci_generic",
                                                               "igb_uio"};

void on_event(const char*, rte_dev_event_type event, void* wanted_back) {
  if (event == RTE_DEV_EVENT_REMOVE) *static_cast<std::atomic<bool>*>(wanted_back) = true;
}

}  // namespace

PciDevice::PciDevice(std::string address) : address_(std::move(address)) {
  (void)rte_dev_event_callback_register(address_.c_str(), on_event, &wanted_back_);
}

PciDevice::~PciDevice() {
  // -EAGAIN: the callback is running.
  while (rte_dev_event_callback_unregister(address_.c_str(), on_event, &wanted_back_) == -EAGAIN) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

bool PciDevice::is_available() const {
  std::error_code error;
  const std::filesystem::path driver =
      std::filesystem::read_symlink("/sys/bus/pci/devices/" + address_ + "/driver", error);
  return !error && std::ranges::find(kUserSpaceDrivers, driver.filename().string()) !=
                       kUserSpaceDrivers.end();
}

}  // namespace drip::dpdk
