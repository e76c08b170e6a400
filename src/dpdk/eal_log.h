// SPDX-License-Identifier: BSD-3-Clause
// What DPDK and the libraries of its drivers write by themselves, to the log.
#pragma once

namespace drip::dpdk {

/// Sends the lines of EAL and of the drivers, of libbpf and of libxdp (of net_af_xdp) to the log,
/// at their own level. For the whole process; before rte_eal_init(), which writes lines itself.
void log_dpdk_lines();

}  // namespace drip::dpdk
