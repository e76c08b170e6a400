// SPDX-License-Identifier: BSD-3-Clause
// /proc and /sys of this machine, or of a captured tree.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace drip::cli {

using Cpus = std::set<int>;

// "0-3,7" as the kernel writes lists of CPUs. What is no number is left out: "(null)" is empty.
Cpus parse_cpus(const std::string& text);
// The same way back.
std::string format_cpus(const Cpus& cpus);

class Machine {
 public:
  // `root` has proc/ and sys/ and, unless it is "/", ethtool/INTERFACE with the output of
  // `ethtool -k`.
  explicit Machine(std::filesystem::path root) : root_(std::move(root)) {}

  // Without the end of the line; none if it cannot be read.
  std::optional<std::string> read(const std::string& path) const;
  std::optional<long> read_number(const std::string& path) const;
  std::optional<Cpus> read_cpus(const std::string& path) const;
  // Names in a directory, in order; empty if there is none.
  std::vector<std::string> list(const std::string& path) const;
  bool exists(const std::string& path) const;
  // What `ethtool -k` says of an interface; none if it is not there, or ethtool is not.
  std::optional<std::string> offloads(const std::string& interface) const;

  Cpus online() const;

 private:
  std::filesystem::path root_;
};

}  // namespace drip::cli
