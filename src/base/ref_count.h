// SPDX-License-Identifier: BSD-3-Clause
// References that are counted within the object, which saves a control block each.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace drip {

/// The number of references to the object that it is a member of. Thread safe.
class RefCount {
 public:
  void add() { count_.fetch_add(1, std::memory_order_relaxed); }
  /// True if that was the last one: all that was done through the others has happened before.
  [[nodiscard]] bool remove() { return count_.fetch_sub(1, std::memory_order_acq_rel) == 1; }

 private:
  std::atomic<std::uint32_t> count_{0};
};

/// A pointer that keeps its object. T has `RefCount& ref_count()` and a static `void dispose(T*)`,
/// which is called with the last reference. One Ref may be used by one thread at a time, different
/// ones by any.
template <class T>
class Ref {
 public:
  Ref() = default;
  Ref(std::nullptr_t) {}  // NOLINT(google-explicit-constructor): as shared_ptr has it.
  explicit Ref(T* object) : object_(object) {
    if (object_ != nullptr) object_->ref_count().add();
  }
  Ref(const Ref& other) : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ != nullptr && object_->ref_count().remove()) T::dispose(object_);
  }

  [[nodiscard]] T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }
  friend bool operator==(const Ref& a, const Ref& b) = default;
  friend bool operator==(const Ref& a, std::nullptr_t) { return a.object_ == nullptr; }

 private:
  T* object_ = nullptr;
};

}  // namespace drip
