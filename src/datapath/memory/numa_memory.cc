// SPDX-License-Identifier: BSD-3-Clause
// Pages on a chosen NUMA node, by mmap and libnuma.
#include "datapath/memory/numa_memory.h"

#include <numa.h>
#include <sys/mman.h>

#include <cstdint>
#include <new>

namespace drip::datapath {

void use_huge_pages(void* memory, std::size_t bytes) {
  (void)madvise(memory, bytes, MADV_HUGEPAGE);
}

NumaMemory::NumaMemory(std::size_t bytes, int numa_node) : bytes_(bytes) {
  void* const pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  data_ = static_cast<std::byte*>(pages);
  // Best effort: without these the memory works as well, but is slower.
  use_huge_pages(pages, bytes);
  if (numa_node >= 0 && numa_available() >= 0 && numa_num_configured_nodes() > 1) {
    numa_tonode_memory(pages, bytes, numa_node);
  }
}

NumaMemory::~NumaMemory() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

void NumaMemory::populate(std::size_t offset, std::size_t size) const {
  constexpr std::size_t kPageBytes = 4096;
  // One write a page. MADV_POPULATE_WRITE does the same, but only from Linux 5.14 on.
  for (std::size_t at = offset; at < offset + size; at += kPageBytes) {
    static_cast<volatile std::byte*>(data_)[at] = std::byte{0};
  }
  if (size > 0) static_cast<volatile std::byte*>(data_)[offset + size - 1] = std::byte{0};
}

void NumaMemory::touch(std::size_t offset) const {
  // An atomic write of what is there loses no write of another thread.
  auto* const byte = reinterpret_cast<std::uint8_t*>(data_) + offset;
  __atomic_fetch_or(byte, std::uint8_t{0}, __ATOMIC_RELAXED);
}

}  // namespace drip::datapath
