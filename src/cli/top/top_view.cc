// SPDX-License-Identifier: BSD-3-Clause
#include "cli/top/top_view.h"

#include <algorithm>
#include <cwctype>
#include <limits>

#include "cli/top/columns.h"

namespace drip::cli {
namespace {

constexpr std::size_t kLongestFilter = 128;  // As the longest id.
constexpr std::uint32_t kNever = 3'600'000;

}  // namespace

TopView::Action TopView::on_key(const Key& key) {
  using Kind = Key::Kind;
  if (typing) return on_typed(key);
  const auto page_step = static_cast<std::int64_t>(page);
  switch (key.kind) {
    case Kind::kUp:
      return scroll(-1);
    case Kind::kDown:
      return scroll(1);
    case Kind::kPageUp:
      return scroll(-page_step);
    case Kind::kPageDown:
      return scroll(page_step);
    case Kind::kHome:
      return scroll(std::numeric_limits<std::int32_t>::min());
    case Kind::kEnd:
      return scroll(std::numeric_limits<std::int32_t>::max());
    case Kind::kLeft:
      return next_column(false);
    case Kind::kRight:
      return next_column(true);
    case Kind::kEscape:
      if (help) {
        help = false;
        return Action::kRedraw;
      }
      if (filter.empty()) return Action::kNothing;
      filter.clear();
      offset = 0;
      return Action::kFetch;
    case Kind::kEnter:
    case Kind::kBackspace:
      return Action::kNothing;
    case Kind::kCharacter:
      break;
  }
  switch (key.character) {
    case L'q':
    case L'Q':
      return Action::kQuit;
    case L'?':
    case L'h':
      help = !help;
      return Action::kRedraw;
    case L' ':
    case L'p':
      paused = !paused;
      return Action::kFetch;
    case L'r':
      reverse = !reverse;
      return Action::kFetch;
    case L't':
      tree = !tree;
      offset = 0;
      return Action::kFetch;
    case L'<':
      return next_column(false);
    case L's':
    case L'>':
      return next_column(true);
    case L'k':
      return scroll(-1);
    case L'j':
      return scroll(1);
    case L'g':
      return scroll(std::numeric_limits<std::int32_t>::min());
    case L'G':
      return scroll(std::numeric_limits<std::int32_t>::max());
    case L'/':
      typing = true;
      typed = filter;
      return Action::kRedraw;
    default:
      return Action::kNothing;
  }
}

TopView::Action TopView::on_typed(const Key& key) {
  using Kind = Key::Kind;
  switch (key.kind) {
    case Kind::kEnter:
      typing = false;
      return Action::kRedraw;
    case Kind::kEscape:
      typing = false;
      typed.clear();
      break;
    case Kind::kBackspace:
      if (!typed.empty()) typed.pop_back();
      break;
    case Kind::kCharacter:
      // Ids have no other characters.
      if (key.character <= L' ' || key.character > L'~' || typed.size() >= kLongestFilter) {
        return Action::kNothing;
      }
      typed.push_back(static_cast<char>(key.character));
      break;
    default:
      return Action::kNothing;
  }
  filter = typed;
  offset = 0;
  return Action::kFetch;
}

TopView::Action TopView::scroll(std::int64_t by) {
  const auto last = static_cast<std::int64_t>(rows > page ? rows - page : 0);
  const auto next = std::clamp<std::int64_t>(static_cast<std::int64_t>(offset) + by, 0, last);
  if (next == static_cast<std::int64_t>(offset)) return Action::kNothing;
  offset = static_cast<std::size_t>(next);
  return Action::kFetch;
}

TopView::Action TopView::next_column(bool forward) {
  sort = neighbour_of(sort, forward);
  offset = 0;
  return Action::kFetch;
}

bool TopView::keep_in_range() {
  const std::size_t last = rows > page ? rows - page : 0;
  if (offset <= last) return false;
  offset = last;
  return true;
}

v1::WatchTopRequest TopView::request(std::uint32_t measure_after_ms) const {
  constexpr std::size_t kMostRows = 500;
  v1::WatchTopRequest request;
  request.set_sort(sort);
  request.set_reverse(reverse);
  request.set_tree(tree);
  request.set_id_contains(filter);
  request.set_offset(static_cast<std::uint32_t>(offset));
  request.set_limit(static_cast<std::uint32_t>(std::clamp<std::size_t>(page, 1, kMostRows)));
  request.set_measure_after_ms(paused ? kNever : measure_after_ms);
  return request;
}

}  // namespace drip::cli
