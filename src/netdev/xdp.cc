// SPDX-License-Identifier: BSD-3-Clause
#include "netdev/xdp.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_xdp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <xdp/libxdp.h>

#include <algorithm>
#include <array>
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

void empty_socket_maps(int program) {
  std::array<std::uint32_t, 16> maps{};
  bpf_prog_info info{};
  info.nr_map_ids = maps.size();
  info.map_ids = reinterpret_cast<std::uintptr_t>(maps.data());
  std::uint32_t bytes = sizeof info;
  if (bpf_obj_get_info_by_fd(program, &info, &bytes) != 0) return;
  for (std::uint32_t i = 0; i < std::min<std::size_t>(info.nr_map_ids, maps.size()); ++i) {
    const FileDescriptor map(bpf_map_get_fd_by_id(maps[i]));
    bpf_map_info map_info{};
    bytes = sizeof map_info;
    if (!map || bpf_obj_get_info_by_fd(map.get(), &map_info, &bytes) != 0) continue;
    if (map_info.type != BPF_MAP_TYPE_XSKMAP) continue;
    for (std::uint32_t queue = 0; queue < map_info.max_entries; ++queue) {
      (void)bpf_map_delete_elem(map.get(), &queue);
    }
  }
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

absl::Status remove_xdp_sockets(int index) {
  xdp_multiprog* const attached = xdp_multiprog__get_from_ifindex(index);
  if (const auto error = libxdp_get_error(attached); error != 0) {
    return absl::ErrnoToStatus(static_cast<int>(-error), "the XDP program cannot be read");
  }
  if (xdp_multiprog__is_legacy(attached)) {
    empty_socket_maps(xdp_program__fd(xdp_multiprog__main_prog(attached)));
  }
  for (xdp_program* program = nullptr;
       (program = xdp_multiprog__next_prog(program, attached)) != nullptr;) {
    empty_socket_maps(xdp_program__fd(program));
  }
  xdp_multiprog__close(attached);
  return absl::OkStatus();
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
