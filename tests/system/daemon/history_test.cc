// SPDX-License-Identifier: BSD-3-Clause
// `dripctl history` of a real dripd: with and without an audit log, and after a restart.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "support/dripd_process.h"
#include "support/process.h"
#include "support/temporary_directory.h"
#include "support/wait_until.h"

namespace drip {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class DaemonHistory : public testing::Test {
 protected:
  void SetUp() override {
    for (const auto& [name, role] : {std::pair<std::string, std::string>("boss", "admin"),
                                     std::pair<std::string, std::string>("viewer", "read")}) {
      const Outcome token =
          dripctl("token create " + name + " --role " + role + " --file " + path("tokens.toml"));
      ASSERT_EQ(token.exit_code, 0) << token.err;
      ASSERT_EQ(chmod(directory_.write(name, token.out).c_str(), 0600), 0);
    }
  }
  [[nodiscard]] std::string path(const std::string& name) const { return directory_.path_of(name); }
  // `command` is split at its blanks.
  static Outcome dripctl(const std::string& command) {
    std::vector<std::string> words = {std::getenv("DRIPCTL")};
    std::istringstream stream(command);
    for (std::string word; stream >> word;) words.push_back(word);
    return Process(words).wait();
  }
  Outcome as(const std::string& token, const ServingDripd& dripd, const std::string& command) {
    return dripctl(command + " --server " + dripd.address() + " --token-file " + path(token));
  }
  std::vector<std::string> targets(const ServingDripd& dripd, const std::string& flags = "") {
    const Outcome outcome = as("boss", dripd, "history --json " + flags);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    std::vector<std::string> targets;
    const json history = json::parse(outcome.out);
    for (const json& change : history["changes"]) {
      targets.push_back(change["target"].get<std::string>());
    }
    return targets;
  }
  // How many lines the log has.
  [[nodiscard]] std::ptrdiff_t lines() const {
    std::ifstream file(path("audit.log"));
    return std::count(std::istreambuf_iterator<char>(file), {}, '\n');
  }

  TemporaryDirectory directory_;
};

TEST_F(DaemonHistory, OutlivesTheProcessByTheAuditLog) {
  const std::vector<std::string> flags = {"--tokens", path("tokens.toml"), "--audit-log",
                                          path("audit.log")};
  {
    ServingDripd dripd(flags);
    EXPECT_EQ(as("boss", dripd, "bucket set a --rate 10/s --capacity 5").exit_code, 0);
    EXPECT_EQ(as("boss", dripd, "bucket set a --rate 20/s").exit_code, 0);
    EXPECT_EQ(as("viewer", dripd, "bucket set a --rate 30/s").exit_code, 5);
    EXPECT_EQ(as("viewer", dripd, "history").exit_code, 5) << "not for read";
    const std::string text = as("boss", dripd, "history").out;
    EXPECT_THAT(text, HasSubstr("token \"boss\""));
    EXPECT_THAT(text, HasSubstr("leak_rate 10 -> 20"));
    EXPECT_THAT(text, HasSubstr("PERMISSION_DENIED: ConfigureBucket needs the role admin"));
    EXPECT_THAT(text, Not(HasSubstr("drip_"))) << "no secret";
    ASSERT_TRUE(wait_until([&] { return lines() == 4; }));
    dripd->signal(SIGKILL);
    dripd->wait();
  }
  ServingDripd dripd(flags);
  EXPECT_EQ(as("boss", dripd, "bucket set b --rate 10/s --capacity 5").exit_code, 0);
  EXPECT_THAT(targets(dripd), ElementsAre("bucket a", "bucket a", "", "", "bucket b"));
  EXPECT_THAT(targets(dripd, "--failed"), ElementsAre("", ""));
  EXPECT_THAT(targets(dripd, "--bucket a --last 1"), ElementsAre("bucket a"));
  EXPECT_THAT(targets(dripd, "--caller boss --since 1h"),
              ElementsAre("bucket a", "bucket a", "bucket b"));
  EXPECT_EQ(dripd->stop().exit_code, 0);
}

TEST_F(DaemonHistory, IsThereWithoutALogAndHasReloads) {
  const std::string file = directory_.write(
      "dripd.toml", "[[buckets]]\nbucket_id = \"x\"\ncapacity = 1\nleak_rate = 1\n");
  ServingDripd dripd({"--tokens", path("tokens.toml"), "--config", file});
  EXPECT_EQ(as("boss", dripd, "bucket set a --rate 10/s --capacity 5").exit_code, 0);
  dripd->signal(SIGHUP);
  dripd->logs("are applied");
  EXPECT_THAT(targets(dripd), ElementsAre("bucket a", "file " + file));
  EXPECT_THAT(targets(dripd, "--caller dripd"), ElementsAre("file " + file));
  EXPECT_EQ(dripd->stop().exit_code, 0);
}

}  // namespace
}  // namespace drip
