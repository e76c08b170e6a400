// SPDX-License-Identifier: BSD-3-Clause
// What a screen is to show, without a screen.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace drip::cli {

enum class Style { kPlain, kStrong, kDim, kGood, kBusy, kBad, kName, kTitle, kKey };
inline constexpr int kStyles = 9;

struct Span {
  std::string text;  // Printable.
  Style style = Style::kPlain;
};

class Line {
 public:
  Line& add(std::string text, Style style = Style::kPlain) {
    if (!text.empty()) spans_.push_back({std::move(text), style});
    return *this;
  }
  const std::vector<Span>& spans() const { return spans_; }
  std::string text() const {
    std::string result;
    for (const Span& span : spans_) result += span.text;
    return result;
  }

 private:
  std::vector<Span> spans_;
};

// From the top; lines that do not fit on the screen are left out, as is what does not fit on a
// line.
using Frame = std::vector<Line>;

}  // namespace drip::cli
