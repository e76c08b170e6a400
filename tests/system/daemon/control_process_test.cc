// SPDX-License-Identifier: BSD-3-Clause
// dripd --control-process separate as its clients see it: TLS, tokens, the audit log, metrics and
// page, as with one process; and what becomes of the other process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "support/certificates.h"
#include "support/dripd_process.h"
#include "support/process.h"
#include "support/temporary_directory.h"
#include "support/wait_until.h"

namespace drip {
namespace {

using testing::HasSubstr;
using testing::Not;

class DaemonControlProcess : public testing::Test {
 protected:
  DaemonControlProcess() { write_certificate(); }
  void write_secret(const std::string& name, const std::string& text) {
    ASSERT_EQ(chmod(directory_.write(name, text).c_str(), 0600), 0);
  }
  void write_certificate() {
    const IssuedCertificate server = ca_.issue({"dripd", {"IP:127.0.0.1"}});
    directory_.write("ca.crt", ca_.certificate());
    directory_.write("server.crt", server.certificate);
    write_secret("server.key", server.key);
    const IssuedCertificate ops = ca_.issue({"ops", {}});
    directory_.write("ops.crt", ops.certificate);
    write_secret("ops.key", ops.key);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return directory_.path_of(name); }
  static std::vector<std::string> separate(std::vector<std::string> flags) {
    flags.insert(flags.end(), {"--control-process", "separate"});
    return flags;
  }
  // `command` is split at its blanks; @NAME is the file of that name.
  Outcome dripctl(const std::string& command) {
    std::vector<std::string> words = {std::getenv("DRIPCTL")};
    std::istringstream stream(command);
    for (std::string word; stream >> word;) {
      words.push_back(word.starts_with('@') ? path(word.substr(1)) : word);
    }
    return Process(words, "", {{"XDG_CONFIG_HOME", path("")}}).wait();
  }
  // What GetNode says of it; nothing while it does not answer.
  std::optional<nlohmann::json> process_of(const std::string& server) {
    const Outcome outcome = dripctl("node show --json --server " + server);
    if (outcome.exit_code != 0) return std::nullopt;
    return nlohmann::json::parse(outcome.out).value("control_process", nlohmann::json::object());
  }
  pid_t pid_of(const std::string& server) {
    const auto process = process_of(server);
    return process ? process->value("pid", 0) : 0;
  }
  std::string audit_log() {
    std::ifstream file(path("audit.log"));
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  TemporaryDirectory directory_;
  CertificateAuthority ca_{"ca"};
};

bool is_there(pid_t pid) { return kill(pid, 0) == 0; }

// The children of a process, from /proc.
std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    std::ifstream file(task.path() / "children");
    for (pid_t child = 0; file >> child;) children.push_back(child);
  }
  return children;
}

TEST_F(DaemonControlProcess, TlsTokensAndTheAuditLogAreAsWithOneProcess) {
  ASSERT_EQ(dripctl("token create boss --role admin --file @tokens.toml").exit_code, 0);
  DripdProcess dripd(separate({"--listen", "127.0.0.1:0", "--tls-cert", path("server.crt"),
                               "--tls-key", path("server.key"), "--tls-client-ca", path("ca.crt"),
                               "--audit-log", path("audit.log")}));
  const std::string server = " --server " + dripd.serves() + " --tls-ca @ca.crt";
  const std::string ops = server + " --tls-cert @ops.crt --tls-key @ops.key";
  EXPECT_EQ(dripctl("bucket set b --rate 10/s --capacity 5" + ops).exit_code, 0);
  EXPECT_EQ(dripctl("request allow b" + ops).exit_code, 0);
  EXPECT_EQ(dripctl("bucket watch b --count 2 --interval 100ms" + ops).exit_code, 0);
  EXPECT_NE(dripctl("node show" + server).exit_code, 0) << "without a certificate";
  EXPECT_THAT(audit_log(), HasSubstr(R"("caller":"certificate CN=ops","peer":"ipv4:127.0.0.1:)"));
  // Another certificate, of another CA: those who trust the old one alone are not served.
  const Outcome before = dripctl("node show" + ops);
  EXPECT_EQ(before.exit_code, 0);
  const CertificateAuthority other("other");
  const IssuedCertificate issued = other.issue({"dripd", {"IP:127.0.0.1"}});
  directory_.write("server.crt", issued.certificate);
  write_secret("server.key", issued.key);
  EXPECT_TRUE(wait_until([&] { return dripctl("node show" + ops).exit_code == 3; }));
  EXPECT_EQ(dripd.stop().exit_code, 0);
}

TEST_F(DaemonControlProcess, MetricsAndThePageAreServedByIt) {
  ServingDripd dripd(separate({"--metrics", "0", "--web", "0"}));
  const auto get = [&](const std::string& what, const std::string& rest) {
    const std::string log = dripd->log();
    const std::size_t begin = log.find("http://", log.find(what + " at http://"));
    const std::string url = log.substr(begin, log.find('\n', begin) - begin) + rest;
    return Process({"curl", "-s", "-m", "20", "-w", "%{http_code}", url}).wait().out;
  };
  EXPECT_THAT(get("metrics", ""), HasSubstr("drip_control_process_up 1"));
  EXPECT_THAT(get("metrics", "x"), HasSubstr("404"));
  EXPECT_THAT(get("page", ""), HasSubstr("<html"));
  EXPECT_THAT(get("page", "api/node"), HasSubstr("200"));
  const pid_t pid = pid_of(dripd.address());
  ASSERT_GT(pid, 0);
  kill(pid, SIGKILL);
  // At the same addresses.
  EXPECT_TRUE(wait_until([&] {
    return get("metrics", "").find("drip_control_process_restarts_total{reason=\"ended\"} 1") !=
           std::string::npos;
  }));
  EXPECT_TRUE(wait_until([&] { return get("page", "").find("<html") != std::string::npos; }));
  EXPECT_EQ(dripd->stop().exit_code, 0);
}

TEST_F(DaemonControlProcess, NoSecretIsInTheProcessListOrTheLog) {
  ServingDripd dripd(separate({"--tls-cert", path("server.crt"), "--tls-key", path("server.key")}));
  const pid_t pid = pid_of(dripd.address());
  ASSERT_GT(pid, 0);
  for (const char* const file : {"cmdline", "environ"}) {
    std::ifstream stream("/proc/" + std::to_string(pid) + "/" + file);
    const std::string text{std::istreambuf_iterator<char>(stream),
                           std::istreambuf_iterator<char>()};
    EXPECT_THAT(text, Not(HasSubstr("PRIVATE KEY")));
    EXPECT_THAT(text, Not(HasSubstr("server.key")));
  }
  EXPECT_THAT(dripd->log(), Not(HasSubstr("PRIVATE KEY")));
  EXPECT_EQ(dripd->stop().exit_code, 0);
}

// A waiting call is answered before the end, as it is with one process.
TEST_F(DaemonControlProcess, SigtermEndsBothAfterTheirCalls) {
  ServingDripd dripd(separate({"--drain", "0s"}));
  const std::string server = " --server " + dripd.address();
  const std::vector<pid_t> children = children_of(dripd->pid());
  ASSERT_EQ(children.size(), 1U);
  EXPECT_EQ(dripctl("bucket set b --rate 1/h --capacity 5" + server).exit_code, 0);
  EXPECT_EQ(dripctl("request allow b" + server).exit_code, 0);
  Process waiting({std::getenv("DRIPCTL"), "request", "await", "b", "--server", dripd.address()});
  EXPECT_TRUE(wait_until([&] {
    const auto bucket = nlohmann::json::parse(dripctl("bucket show b --json" + server).out);
    return bucket.value("queue_size", 0) == 2;
  }));
  // As a service manager does it: to all processes.
  kill(children.front(), SIGTERM);
  EXPECT_TRUE(is_there(children.front()));
  const Outcome outcome = dripd->stop();
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_FALSE(is_there(children.front()));
  EXPECT_THAT(waiting.wait().err, HasSubstr("UNAVAILABLE"));
  EXPECT_THAT(outcome.err, Not(HasSubstr(" error ")));
}

TEST_F(DaemonControlProcess, WhatCannotBeServedIsAnErrorAtTheStart) {
  ServingDripd dripd(separate({"--metrics", "0"}));
  const std::string log = dripd->log();
  const std::size_t at = log.find("http://127.0.0.1:") + 17;
  const std::string port = log.substr(at, log.find('/', at) - at);
  const std::string address = dripd.address().substr(5);
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"--listen", "unix:" + address}, "another process listens there"},
      {{"--listen", "127.0.0.1:0", "--metrics", port}, "metrics: 127.0.0.1:" + port},
      {{"--listen", "127.0.0.1:0", "--control-user", "nobody-knows"},
       "control_user: \"nobody-knows\" is not allowed: the name of a user of this machine"},
  };
  for (const auto& [flags, error] : cases) {
    const Outcome outcome = DripdProcess(separate(flags)).wait();
    EXPECT_NE(outcome.exit_code, 0) << error;
    EXPECT_THAT(outcome.err, HasSubstr(error));
  }
  const Outcome outcome = DripdProcess({"--control-user", "nobody"}).wait();
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("with --control-process separate alone"));
  EXPECT_EQ(dripd->stop().exit_code, 0);
}

TEST_F(DaemonControlProcess, AUserOfItsOwn) {
  if (geteuid() != 0) GTEST_SKIP() << "only root becomes another user";
  ServingDripd dripd(separate({"--control-user", "nobody", "--tls-cert", path("server.crt"),
                               "--tls-key", path("server.key"), "--listen", "127.0.0.1:0"}));
  const pid_t pid = pid_of(dripd.address());
  ASSERT_GT(pid, 0);
  std::ifstream stream("/proc/" + std::to_string(pid) + "/status");
  const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  EXPECT_THAT(text, HasSubstr("CapPrm:\t0000000000000000"));
  EXPECT_THAT(text, HasSubstr("NoNewPrivs:\t1"));
  EXPECT_THAT(text, Not(HasSubstr("Uid:\t0\t")));
  EXPECT_EQ(dripd->stop().exit_code, 0);
}

}  // namespace
}  // namespace drip
