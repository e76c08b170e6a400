// SPDX-License-Identifier: BSD-3-Clause
// What the user of `top` has chosen to see, and the keys that change it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "cli/screen/terminal.h"
#include "drip/v1/top.pb.h"

namespace drip::cli {

struct TopView {
  v1::TopSort sort = v1::TOP_SORT_RATE;
  bool reverse = false;
  bool tree = false;
  std::string filter;
  std::size_t offset = 0;

  bool paused = false;
  bool help = false;
  bool typing = false;  // A filter is being typed.
  std::string typed;    // It, so far.

  // Of the last screen: rows that there are, and that fit.
  std::size_t rows = 0;
  std::size_t page = 1;

  enum class Action { kNothing, kRedraw, kFetch, kQuit };
  // kFetch: other rows are to be shown than before.
  Action on_key(const Key& key);
  // After `rows` and `page` have changed: whether the offset was beyond the last page.
  bool keep_in_range();

  // For `measure_after_ms`, see WatchTopRequest.
  v1::WatchTopRequest request(std::uint32_t measure_after_ms) const;

 private:
  Action on_typed(const Key& key);
  Action scroll(std::int64_t by);
  Action next_column(bool forward);
};

}  // namespace drip::cli
