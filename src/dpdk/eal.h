// SPDX-License-Identifier: BSD-3-Clause
// DPDK's environment abstraction layer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace drip::dpdk {

enum class Hugepages : std::uint8_t { kIfAny, kNever, kAlways };

struct EalOptions {
  std::uint64_t memory_bytes = 0;      ///< For mbufs and the drivers' rings, in hugepages.
  std::uint64_t small_page_bytes = 0;  ///< The same without hugepages.
  Hugepages hugepages = Hugepages::kIfAny;
  std::vector<std::string> pci_devices;  ///< DPDK uses no others.
  bool telemetry = false;                ///< DPDK's telemetry socket.
  std::vector<unsigned> control_cpus;    ///< For all threads but the polling ones.
  std::vector<std::string> extra;        ///< Further EAL arguments, as given.
};

/// Starts EAL, at most once in a process, and ends it at destruction. Leaves no files behind.
class Eal {
 public:
  /// FAILED_PRECONDITION with EAL's error and a remedy. Binds the calling thread to control_cpus.
  static absl::StatusOr<Eal> start(const EalOptions& options);
  ~Eal();
  Eal(Eal&& other) noexcept : started_(other.started_), hugepages_(other.hugepages_) {
    other.started_ = false;
  }
  Eal& operator=(Eal&&) = delete;

  [[nodiscard]] bool hugepages() const { return hugepages_; }
  static std::string version();

 private:
  explicit Eal(bool hugepages) : hugepages_(hugepages) {}
  bool started_ = true;
  bool hugepages_;
};

/// Bytes in 2-MiB hugepages that are free and that nobody has reserved.
std::uint64_t free_hugepage_bytes();

}  // namespace drip::dpdk
