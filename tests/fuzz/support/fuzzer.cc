// SPDX-License-Identifier: BSD-3-Clause
// With libFuzzer: `PROGRAM --write-seeds DIRECTORY` writes the seeds; otherwise its own flags.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "fuzz/support/fuzz_target.h"
#include "fuzz/support/seed_files.h"

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (*argc != 3 || std::strcmp((*argv)[1], "--write-seeds") != 0) return 0;
  std::exit(drip::fuzz::write_seeds((*argv)[2]) ? EXIT_SUCCESS : EXIT_FAILURE);
}
