// SPDX-License-Identifier: BSD-3-Clause
// On what terms a request is admitted.
#pragma once

#include "drip/time.h"
#include "engine/call_types.h"

namespace drip::control {

/// What a caller asks for beside the admission itself.
struct AdmitTerms {
  WaitLimits limits;
  /// How long the id is known after the request has left: until then it is the same request, and
  /// not charged again. Zero: not at all.
  Duration remember;
  /// Only tells what would happen: nothing is charged, counted or remembered.
  bool peek = false;
};

}  // namespace drip::control
