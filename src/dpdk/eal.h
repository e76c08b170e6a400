// SPDX-License-Identifier: BSD-3-Clause
// DPDK's environment: its memory, and the thread it was started from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace drip::dpdk {

enum class Hugepages : std::uint8_t { kIfAny, kNever, kAlways };

struct EalOptions {
  std::uint64_t memory_bytes = 0;      ///< What mbufs and the drivers' rings take in hugepages.
  std::uint64_t small_page_bytes = 0;  ///< The same without hugepages.
  Hugepages hugepages = Hugepages::kIfAny;
  std::vector<std::string> pci_devices;  ///< Only these are touched.
  std::vector<unsigned> control_cpus;    ///< Where all but the polling threads may run.
  std::vector<std::string> extra;        ///< Further EAL arguments, as given.
};

/// DPDK's environment, once in a process; ends it at destruction. Leaves no files behind.
class Eal {
 public:
  /// FAILED_PRECONDITION with what EAL says, and what would help. Leaves the calling thread on
  /// control_cpus.
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

/// Bytes in free 2-MiB hugepages.
std::uint64_t free_hugepage_bytes();

}  // namespace drip::dpdk
