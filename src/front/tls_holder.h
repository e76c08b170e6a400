// SPDX-License-Identifier: BSD-3-Clause
// Certificate and key as the other process has read them.
#pragma once

#include <utility>

#include "access/tls_files.h"
#include "base/mutex.h"

namespace drip::front {

/// Thread safe.
class TlsHolder final : public access::TlsSource {
 public:
  explicit TlsHolder(access::TlsMaterialRef material)
      : verifies_(!material->client_ca.empty()), material_(std::move(material)) {}

  void set(access::TlsMaterialRef material) {
    MutexLock lock(mutex_);
    material_ = std::move(material);
  }
  [[nodiscard]] access::TlsMaterialRef current() const override {
    MutexLock lock(mutex_);
    return material_;
  }
  [[nodiscard]] bool verifies_clients() const override { return verifies_; }

 private:
  const bool verifies_;
  mutable Mutex mutex_;
  access::TlsMaterialRef material_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace drip::front
