// SPDX-License-Identifier: BSD-3-Clause
// The screen of `top`, and the same as plain text.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/screen/frame.h"
#include "cli/top/screenful.h"
#include "cli/top/top_view.h"

namespace drip::cli {

// What stands above the table: the node, sums, ports, and what is wrong.
Frame top_header(const Screenful& screen, const TopView& view);
// Lines between the header, of `header` lines, and the last line of the screen: those of the table
// without its titles.
std::size_t top_page(std::size_t header, std::size_t height);
// The whole screen: `height` lines of up to `width` columns.
Frame top_frame(const Screenful& screen, const TopView& view, std::size_t width,
                std::size_t height);
// Header and table without colours, bars or keys, for files and pipes. Lines without a line end.
std::vector<std::string> top_text(const Screenful& screen, const TopView& view);

}  // namespace drip::cli
