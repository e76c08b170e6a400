// SPDX-License-Identifier: BSD-3-Clause
// What a check of the machine has found.
#pragma once

#include <string>

namespace drip::cli {

enum class Verdict {
  kGood,
  kUnknown,  // The machine does not tell.
  kWarn,     // It costs lateness or throughput.
  kBad,      // Packets are lost, pass unshaped, or are late for long.
};

struct Finding {
  std::string check;
  Verdict verdict = Verdict::kUnknown;
  std::string found;  // The value, as the machine has it.
  std::string why;    // What it does to a shaper; empty if all is well.
  std::string mend;   // The command that mends it; empty if there is none.
};

}  // namespace drip::cli
