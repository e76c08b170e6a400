// SPDX-License-Identifier: BSD-3-Clause
// The line that tells how far something is.
#include "cli/session/progress.h"

#include <gtest/gtest.h>

namespace drip::cli {
namespace {

using std::chrono::seconds;

TEST(ProgressText, ABarOfWhatIsDone) {
  EXPECT_EQ(progress_text("frames", 450, 1000, seconds(3), 79),
            "frames [##################......................] 450 of 1000, 3 s");
  EXPECT_EQ(progress_text("frames", 1200, 1000, seconds(3), 79),
            "frames [########################################] 1000 of 1000, 3 s");
}

TEST(ProgressText, WithoutATotalItIsTheTime) {
  EXPECT_EQ(progress_text("dripd works on it", 0, 0, seconds(12), 79), "dripd works on it, 12 s");
}

TEST(ProgressText, ItFitsIntoTheLine) {
  EXPECT_EQ(progress_text("frames", 1, 2, seconds(1), 30), "frames [####.....] 1 of 2, 1 s");
  EXPECT_EQ(progress_text("frames", 1, 2, seconds(1), 20), "frames 1 of 2, 1 s");
  EXPECT_EQ(progress_text("frames", 1, 2, seconds(1), 10), "frames 1 o");
}

}  // namespace
}  // namespace drip::cli
