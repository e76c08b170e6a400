// SPDX-License-Identifier: BSD-3-Clause
// The packet path's templates for DPDK.
#include "datapath/poll_engine/io_poll_thread.h"
#include "dpdk/port_set.h"

namespace drip::dpdk {

datapath::PollThreadFactory PortSet::poll_threads() { return datapath::poll_threads_over(ios_); }

}  // namespace drip::dpdk
