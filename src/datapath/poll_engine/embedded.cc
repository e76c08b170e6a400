// SPDX-License-Identifier: BSD-3-Clause
// The packet path's templates for NoPorts.
#include "datapath/poll_engine/embedded.h"

#include "datapath/packet_io.h"
#include "datapath/poll_engine/io_poll_thread.h"

namespace drip::datapath {

PollThreadFactory embedded_poll_threads() {
  // It has no state, so all threads may share it.
  static NoPorts no_ports;
  return [](std::size_t, const PollThreadSetup& setup) {
    return std::make_unique<IoPollThread<NoPorts>>(setup, no_ports);
  };
}

}  // namespace drip::datapath
