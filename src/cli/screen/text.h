// SPDX-License-Identifier: BSD-3-Clause
// Text for a terminal: only what can be seen, and as wide as it is on the screen.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace drip::cli {

// Makes the functions below, and curses, take text as UTF-8, whatever the locale says. Once, before
// threads are started.
void use_utf8();

// The text with a U+FFFD for each control character, each byte that is not UTF-8, and each
// character that has no width or changes the direction of writing: a name that came from elsewhere
// moves neither the cursor nor anything else.
std::string printable(std::string_view text);

// Columns that it takes. REQUIRES: it is printable.
std::size_t width_of(std::string_view text);

// Exactly `width` columns: filled with blanks, or cut before an ellipsis. REQUIRES: as width_of().
std::string left_in(std::string_view text, std::size_t width);
std::string right_in(std::string_view text, std::size_t width);

// A bar of `width` columns of which a part, 0 to 1, is filled, in eighths of a column.
std::string bar(double part, std::size_t width);

}  // namespace drip::cli
