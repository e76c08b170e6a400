// SPDX-License-Identifier: BSD-3-Clause
#include "netdev/xdp.h"

#include <bpf/libbpf.h>
#include <linux/if_xdp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <xdp/libxdp.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <thread>

#include "base/file_descriptor.h"

namespace drip::netdev {
namespace {

constexpr std::size_t kChunkBytes = 4096;
constexpr int kRingEntries = 1;
constexpr std::chrono::milliseconds kRetry{20};
constexpr std::chrono::milliseconds kRelease{200};
constexpr std::chrono::seconds kPatience{2};

/// One page, to bind a socket with.
class Page {
 public:
  Page()
      : address_(mmap(nullptr, kChunkBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                      0)) {}
  ~Page() {
    if (address_ != MAP_FAILED) munmap(address_, kChunkBytes);
  }
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;
  [[nodiscard]] std::uint64_t address() const { return reinterpret_cast<std::uintptr_t>(address_); }

 private:
  void* address_;
};

// 0, or errno of what failed.
int bind_and_close(int index) {
  const Page page;
  const FileDescriptor fd(socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (!fd) return errno;
  xdp_umem_reg memory{};
  memory.addr = page.address();
  memory.len = kChunkBytes;
  memory.chunk_size = kChunkBytes;
  sockaddr_xdp address{};
  address.sxdp_family = AF_XDP;
  // Most devices refuse this, after the kernel has looked whether the queue is free, and then the
  // queue is free again at once; a bound socket gives it up some time after it is closed.
  address.sxdp_flags = XDP_ZEROCOPY;
  address.sxdp_ifindex = static_cast<std::uint32_t>(index);
  const auto set = [&](int option, const void* value, socklen_t bytes) {
    return setsockopt(fd.get(), SOL_XDP, option, value, bytes) == 0;
  };
  const bool bound = set(XDP_UMEM_REG, &memory, sizeof memory) &&
                     set(XDP_UMEM_FILL_RING, &kRingEntries, sizeof kRingEntries) &&
                     set(XDP_UMEM_COMPLETION_RING, &kRingEntries, sizeof kRingEntries) &&
                     set(XDP_RX_RING, &kRingEntries, sizeof kRingEntries) &&
                     bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  return bound ? 0 : errno;
}

}  // namespace

XdpPrograms attached_xdp_programs(int index) {
  XdpPrograms programs;
  xdp_multiprog* const attached = xdp_multiprog__get_from_ifindex(index);
  if (libxdp_get_error(attached) != 0) return programs;
  programs.replaceable = !xdp_multiprog__is_legacy(attached);
  if (!programs.replaceable) {
    programs.names.emplace_back(xdp_program__name(xdp_multiprog__main_prog(attached)));
  }
  for (xdp_program* program = nullptr;
       (program = xdp_multiprog__next_prog(program, attached)) != nullptr;) {
    programs.names.emplace_back(xdp_program__name(program));
  }
  xdp_multiprog__close(attached);
  return programs;
}

absl::Status detach_xdp_program(int index) {
  const int error = bpf_xdp_detach(index, 0, nullptr);
  if (error == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(-error, "an XDP program that nobody uses cannot be detached");
}

bool xdp_queue_is_taken(int index) {
  // A try takes 1 ms to 0.1 s: the kernel waits for all CPUs when it closes a socket.
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    const int error = bind_and_close(index);
    if (error == 0) std::this_thread::sleep_for(kRelease);
    if (error != EBUSY) return false;
    std::this_thread::sleep_for(kRetry);
  }
  return true;
}

}  // namespace drip::netdev
