// SPDX-License-Identifier: BSD-3-Clause
// The packet path's templates for NullIo.
#include "datapath/poll_engine/portless.h"

#include "datapath/packet_io.h"
#include "datapath/poll_engine/io_poll_thread.h"

namespace drip::datapath {

PollThreadFactory portless_poll_threads() {
  // It has no state, so all threads may share it.
  static NullIo no_ports;
  return [](std::size_t, const PollThreadSetup& setup) {
    return std::make_unique<IoPollThread<NullIo>>(setup, no_ports);
  };
}

}  // namespace drip::datapath
