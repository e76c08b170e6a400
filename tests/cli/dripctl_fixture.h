// SPDX-License-Identifier: BSD-3-Clause
// The real dripctl against a fake server of its own for each test.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fake_server.h"
#include "support/process.h"

namespace drip {

// What meson passes: where dripctl is, where the sources are.
inline std::string from_environment(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr) throw std::runtime_error(std::string(name) + " is not set");
  return value;
}

class DripctlTest : public testing::Test {
 protected:
  // `command` is split at its blanks.
  static std::vector<std::string> words(const std::string& command) {
    std::vector<std::string> result = {from_environment("DRIPCTL")};
    std::istringstream stream(command);
    for (std::string word; stream >> word;) result.push_back(word);
    return result;
  }
  Outcome dripctl(const std::string& command, const std::string& input = {}) {
    return Process(words(command), input, {{"DRIPCTL_SERVER", server_.address()}}).wait();
  }
  // What `command --json` writes. It must succeed.
  nlohmann::json json(const std::string& command) {
    const Outcome outcome = dripctl(command + " --json");
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out);
  }
  // The one request of its type that the server got.
  template <typename Request>
  Request asked() {
    const auto requests = server_->asked<Request>();
    EXPECT_EQ(requests.size(), 1U);
    return requests.empty() ? Request() : requests.front();
  }

  FakeServer server_;
};

// The lines of a text; an empty one at the end does not count.
inline std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> result;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) result.push_back(line);
  return result;
}

}  // namespace drip
