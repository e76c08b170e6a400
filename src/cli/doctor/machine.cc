// SPDX-License-Identifier: BSD-3-Clause
#include "cli/doctor/machine.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>

#include "fmt/format.h"

namespace drip::cli {
namespace {

struct ClosePipe {
  void operator()(std::FILE* pipe) const { pclose(pipe); }
};

bool is_interface_name(const std::string& name) {
  return !name.empty() && name.front() != '-' && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-';
  });
}

}  // namespace

Cpus parse_cpus(const std::string& text) {
  Cpus cpus;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    int first = 0;
    int last = 0;
    const int read = std::sscanf(part.c_str(), "%d-%d", &first, &last);
    if (read < 1 || first < 0) continue;
    if (read == 1) last = first;
    // As many CPUs as a kernel can have.
    for (int cpu = first; cpu <= std::min(last, 8191); ++cpu) cpus.insert(cpu);
  }
  return cpus;
}

std::string format_cpus(const Cpus& cpus) {
  std::string text;
  for (auto cpu = cpus.begin(); cpu != cpus.end();) {
    const int first = *cpu;
    int last = first;
    for (++cpu; cpu != cpus.end() && *cpu == last + 1; ++cpu) last = *cpu;
    if (!text.empty()) text += ',';
    text += first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last);
  }
  return text;
}

std::optional<std::string> Machine::read(const std::string& path) const {
  std::ifstream file(root_ / path);
  if (!file) return std::nullopt;
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) return std::nullopt;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::optional<long> Machine::read_number(const std::string& path) const {
  const auto text = read(path);
  if (!text || text->empty()) return std::nullopt;
  char* end = nullptr;
  const long number = std::strtol(text->c_str(), &end, 10);
  if (end == text->c_str()) return std::nullopt;
  return number;
}

std::optional<Cpus> Machine::read_cpus(const std::string& path) const {
  const auto text = read(path);
  if (!text) return std::nullopt;
  return parse_cpus(*text);
}

std::vector<std::string> Machine::list(const std::string& path) const {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(root_ / path, error), end; !error && entry != end;
       entry.increment(error)) {
    names.push_back(entry->path().filename());
  }
  std::ranges::sort(names);
  return names;
}

bool Machine::exists(const std::string& path) const {
  std::error_code error;
  return std::filesystem::exists(root_ / path, error);
}

std::optional<std::string> Machine::offloads(const std::string& interface) const {
  if (!is_interface_name(interface)) return std::nullopt;
  if (root_ != "/") return read("ethtool/" + interface);
  const std::string command = fmt::format("ethtool -k {} 2>/dev/null", interface);
  const std::unique_ptr<std::FILE, ClosePipe> pipe(popen(command.c_str(), "re"));
  if (pipe == nullptr) return std::nullopt;
  std::string text;
  std::array<char, 4096> buffer{};
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) {
    text.append(buffer.data(), got);
  }
  if (text.empty()) return std::nullopt;
  return text;
}

Cpus Machine::online() const { return read_cpus("sys/devices/system/cpu/online").value_or(Cpus{}); }

}  // namespace drip::cli
