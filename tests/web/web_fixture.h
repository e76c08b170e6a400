// SPDX-License-Identifier: BSD-3-Clause
// A node in virtual time that is recorded.
#pragma once

#include "control/recorder/recorder_fixture.h"
#include "web/recorder.h"

namespace drip::web {

using WebFixture = control::RecorderFixture;

}  // namespace drip::web
