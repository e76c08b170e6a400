// SPDX-License-Identifier: BSD-3-Clause
#include "cli/screen/text.h"

#include <langinfo.h>
#include <wchar.h>

#include <algorithm>
#include <clocale>
#include <cmath>
#include <cstring>

namespace drip::cli {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";
constexpr std::string_view kEllipsis = "\xe2\x80\xa6";

// One character: how many bytes it has, and its width; -1 if it is not to be shown.
struct Character {
  std::size_t bytes = 1;
  int width = -1;
};

bool changes_direction(wchar_t character) {
  return (character >= 0x200e && character <= 0x200f) ||
         (character >= 0x202a && character <= 0x202e) ||
         (character >= 0x2066 && character <= 0x2069);
}

Character first_of(std::string_view text) {
  wchar_t character = 0;
  std::mbstate_t state{};
  const std::size_t bytes = std::mbrtowc(&character, text.data(), text.size(), &state);
  if (bytes == 0 || bytes > text.size()) return {1, -1};
  if (changes_direction(character)) return {bytes, -1};
  const int width = wcwidth(character);
  return {bytes, width < 1 ? -1 : width};
}

// As many whole characters as fit.
std::string_view beginning(std::string_view text, std::size_t width, std::size_t& taken) {
  std::size_t bytes = 0;
  taken = 0;
  while (bytes < text.size()) {
    const Character next = first_of(text.substr(bytes));
    const auto columns = static_cast<std::size_t>(std::max(next.width, 1));
    if (taken + columns > width) break;
    bytes += next.bytes;
    taken += columns;
  }
  return text.substr(0, bytes);
}

std::string cut(std::string_view text, std::size_t width, std::size_t& taken) {
  taken = width_of(text);
  if (taken <= width) return std::string(text);
  if (width == 0) {
    taken = 0;
    return "";
  }
  std::string result(beginning(text, width - 1, taken));
  ++taken;
  return result.append(kEllipsis);
}

}  // namespace

void use_utf8() {
  std::setlocale(LC_ALL, "");
  // Numbers are written with a point.
  std::setlocale(LC_NUMERIC, "C");
  if (std::strcmp(nl_langinfo(CODESET), "UTF-8") != 0) std::setlocale(LC_CTYPE, "C.UTF-8");
}

std::string printable(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const Character next = first_of(text);
    result.append(next.width < 0 ? kReplacement : text.substr(0, next.bytes));
    text.remove_prefix(next.bytes);
  }
  return result;
}

std::size_t width_of(std::string_view text) {
  std::size_t width = 0;
  (void)beginning(text, std::string_view::npos, width);
  return width;
}

std::string left_in(std::string_view text, std::size_t width) {
  std::size_t taken = 0;
  std::string result = cut(text, width, taken);
  return result.append(width - taken, ' ');
}

std::string right_in(std::string_view text, std::size_t width) {
  std::size_t taken = 0;
  const std::string result = cut(text, width, taken);
  return std::string(width - taken, ' ').append(result);
}

std::string bar(double part, std::size_t width) {
  constexpr std::string_view kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto eighths = static_cast<std::size_t>(
      std::lround(std::clamp(part, 0.0, 1.0) * 8 * static_cast<double>(width)));
  std::string result;
  for (std::size_t i = 0; i < eighths / 8; ++i) result += "█";
  result += kEighths[eighths % 8];
  return left_in(result, width);
}

}  // namespace drip::cli
