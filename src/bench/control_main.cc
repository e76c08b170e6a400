// SPDX-License-Identifier: BSD-3-Clause
// The control benchmark as a program of its own.
#include "bench/control.h"

int main(int argc, char** argv) { return drip::bench::run_control(argc, argv); }
