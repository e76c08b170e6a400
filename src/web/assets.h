// SPDX-License-Identifier: BSD-3-Clause
// The files of the page, which scripts/embed_assets.py puts into the program.
#pragma once

#include <span>
#include <string_view>

namespace drip::web {

struct Asset {
  std::string_view path;  ///< "/page.js"; of the page itself "/".
  std::string_view type;  ///< Of the content: "text/css; charset=utf-8".
  std::string_view etag;  ///< Changes with the bytes; in quotes, as the header has it.
  std::string_view bytes;
};

[[nodiscard]] std::span<const Asset> assets();

}  // namespace drip::web
