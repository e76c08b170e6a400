// SPDX-License-Identifier: BSD-3-Clause
// What is shown to people works: every example of --help and of the guide, the clients in
// docs/examples, and completion in bash and zsh.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "dripctl_fixture.h"

namespace drip {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

class ExamplesTest : public DripctlTest {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(directory_);
    for (const char* name : {"rules.toml", "rules.json"}) {
      std::ofstream(directory_ / name) << (std::string(name) == "rules.json" ? "{}" : "rules = []");
    }
    for (const char* name : {"customers.txt", "offices.txt"}) {
      std::ofstream(directory_ / name) << "192.0.2.0/24\n";
    }
    for (const char* name : {"ca.crt", "client.crt", "client.key", "token"}) {
      std::ofstream(directory_ / name) << "of the guide\n";
    }
    std::filesystem::create_directories(directory_ / "dripctl");
    std::ofstream(directory_ / "dripctl/config.toml")
        << "current = \"lab\"\n[contexts.lab]\nserver = \"unix:/run/lab\"\n"
           "[contexts.prod]\nserver = \"drip.example.net:50051\"\n";
    v1::AllowRequestResponse allowed;
    allowed.set_allowed(true);
    server_->reply(allowed);
    v1::AwaitTurnResponse left;
    left.set_allowed(true);
    server_->reply(left);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  static std::string source(const std::string& path) {
    std::ifstream file(std::filesystem::path(from_environment("DRIP_SOURCE")) / path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // Runs a line as a shell would, in a directory with the rule files that examples name.
  Outcome shell(const std::string& line) {
    const std::string bin = std::filesystem::path(from_environment("DRIPCTL")).parent_path();
    return Process({"bash", "-c", "cd '" + directory_.string() + "' && " + line}, "",
                   {{"DRIPCTL_SERVER", server_.address()},
                    {"XDG_CONFIG_HOME", directory_.string()},
                    {"PATH", bin + ":" + from_environment("PATH")}})
        .wait();
  }

  // The command lines in a text: those that begin with `dripctl `, continuation lines joined.
  // Only dripctl's part of a pipeline is taken, and no --server: the fake one is meant.
  static std::vector<std::string> examples(const std::string& text) {
    std::vector<std::string> result;
    bool continued = false;
    for (std::string line : lines(text)) {
      line.erase(0, line.find_first_not_of(' '));
      if (!continued && !line.starts_with("dripctl ")) continue;
      const bool more = line.ends_with("\\");
      if (more) line.pop_back();
      for (const char* end : {" | ", " && ", " > ", " # ", " --server "}) {
        line = line.substr(0, line.find(end));
      }
      if (continued) {
        result.back() += line;
      } else {
        result.push_back(line);
      }
      continued = more;
    }
    // Without an end it goes on until it is interrupted.
    for (std::string& line : result) {
      const bool ends =
          line.find(" --once") != std::string::npos || line.find(" --count") != std::string::npos;
      if (line.starts_with("dripctl top ") && !ends) line += " --once";
    }
    return result;
  }

  const std::filesystem::path directory_ =
      std::filesystem::path(testing::TempDir()) / ("dripctl-examples-" + std::to_string(getpid()));
};

TEST_F(ExamplesTest, EverySubcommandHasHelpWithExamplesThatWork) {
  int subcommands = 0;
  for (const std::string& command : lines(dripctl("__words").out)) {
    if (command.starts_with("-")) continue;
    for (const std::string& subcommand : lines(dripctl("__words " + command).out)) {
      if (subcommand.starts_with("-")) continue;
      ++subcommands;
      const Outcome help = dripctl(command + " " + subcommand + " --help");
      EXPECT_EQ(help.exit_code, 0);
      const auto shown = examples(help.out);
      EXPECT_FALSE(shown.empty()) << command << " " << subcommand;
      for (const std::string& example : shown) {
        EXPECT_THAT(example, testing::StartsWith("dripctl " + command + " ")) << help.out;
        const Outcome outcome = shell(example);
        EXPECT_EQ(outcome.exit_code, 0) << example << ": " << outcome.err;
      }
    }
  }
  EXPECT_EQ(subcommands, 37);
}

TEST_F(ExamplesTest, GuidesShowEverySubcommandAndWork) {
  std::set<std::string> in_guides;
  for (const char* name : {"docs/guide/dripctl.md", "docs/guide/api.md"}) {
    const auto shown = examples(source(name));
    EXPECT_FALSE(shown.empty()) << name;
    for (const std::string& example : shown) {
      const Outcome outcome = shell(example);
      EXPECT_EQ(outcome.exit_code, 0) << example << ": " << outcome.err;
      std::istringstream words(example);
      std::string program, command, subcommand;
      words >> program >> command >> subcommand;
      in_guides.insert(command + " " + subcommand);
    }
  }
  for (const std::string& command : lines(dripctl("__words").out)) {
    if (command.starts_with("-")) continue;
    for (const std::string& subcommand : lines(dripctl("__words " + command).out)) {
      if (subcommand.starts_with("-")) continue;
      EXPECT_TRUE(in_guides.contains(command + " " + subcommand))
          << command << " " << subcommand << " is not shown";
    }
  }
}

TEST_F(ExamplesTest, RuleFileOfTheGuideIsARuleSet) {
  const std::string guide = source("docs/guide/dripctl.md");
  const auto begin = guide.find("```toml\n") + 8;
  EXPECT_EQ(dripctl("rule set -", guide.substr(begin, guide.find("```", begin) - begin)).exit_code,
            0);
  EXPECT_EQ(asked<v1::SetRulesRequest>().rule_set().rules_size(), 2);
}

// --- clients -----------------------------------------------------------------------------------

class ClientExampleTest : public ExamplesTest {
 protected:
  void SetUp() override {
    ExamplesTest::SetUp();
    v1::ConfigureBucketResponse configured;
    configured.set_created(true);
    configured.mutable_bucket()->set_true_leak_rate(10);
    server_->reply(configured);
    v1::WatchBucketsResponse state;
    state.add_buckets()->set_bucket_id("example");
    state.mutable_buckets(0)->set_processed_requests(3);
    server_->reply(state);
  }
  void expect_conversation(const Outcome& outcome) {
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr("created, leaks 10/s\n"));
    EXPECT_THAT(outcome.out, HasSubstr("example: 0 wait, 3 have left\n"));
    EXPECT_EQ(asked<v1::ConfigureBucketRequest>().leak_rate(), 10);
    EXPECT_EQ(server_->asked<v1::AllowRequestRequest>().size(), 3U);
    EXPECT_EQ(asked<v1::AwaitTurnRequest>().request_id(), "request-3");
  }
};

TEST_F(ClientExampleTest, CppClientWorks) {
  expect_conversation(Process({from_environment("CLIENT_EXAMPLE"), server_.address()}).wait());
}

TEST_F(ClientExampleTest, PythonClientWorks) {
  if (shell("/usr/bin/python3 -c 'import grpc'").exit_code != 0) {
    GTEST_SKIP() << "python3-grpcio is not installed";
  }
  const std::string source = from_environment("DRIP_SOURCE");
  const Outcome generated = shell("mkdir api && protoc -I '" + source +
                                  "/include' --python_out=api --grpc_python_out=api "
                                  "--plugin=protoc-gen-grpc_python=/usr/bin/grpc_python_plugin '" +
                                  source + "'/include/drip/v1/*.proto");
  ASSERT_EQ(generated.exit_code, 0) << generated.err;
  expect_conversation(shell("PYTHONPATH=api /usr/bin/python3 '" + source +
                            "/docs/examples/client.py' " + server_.address()));
}

// --- completion --------------------------------------------------------------------------------

class CompletionTest : public ExamplesTest {
 protected:
  void SetUp() override {
    ExamplesTest::SetUp();
    v1::ListBucketsResponse buckets;
    buckets.add_buckets()->set_bucket_id("web");
    buckets.add_buckets()->set_bucket_id("wire");
    buckets.add_buckets()->set_bucket_id("dns");
    server_->reply(buckets);
    v1::ListRulesResponse rules;
    rules.add_rules()->mutable_rule()->set_rule_id("voice");
    server_->reply(rules);
    v1::ListPortsResponse ports;
    ports.add_ports()->set_name("lan");
    server_->reply(ports);
    v1::GetClusterStatusResponse cluster;
    cluster.add_nodes()->set_node_id("n1");
    cluster.add_nodes()->set_node_id("n3");
    cluster.add_nodes()->set_node_id("other");
    server_->reply(cluster);
  }
  // What a Tab after `line` offers in bash; the last word is empty if the line ends with a blank.
  std::vector<std::string> offered(const std::string& line) {
    const std::string script = from_environment("DRIP_SOURCE") + "/scripts/completion/dripctl.bash";
    const Outcome outcome = shell(
        "source '" + script + "'; line='" + line +
        "'; read -ra COMP_WORDS <<<\"$line\"; "
        "[[ $line == *\" \" ]] && COMP_WORDS+=(\"\"); COMP_LINE=$line; "
        "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _dripctl; printf '%s\\n' \"${COMPREPLY[@]}\"");
    EXPECT_EQ(outcome.err, "");
    return lines(outcome.out);
  }
};

TEST_F(CompletionTest, OffersCommandsSubcommandsAndFlags) {
  EXPECT_THAT(offered("dripctl "),
              ElementsAre("bucket", "top", "tree", "request", "rule", "explain", "capture", "list",
                          "port", "lcore", "cluster", "node", "history", "doctor", "token",
                          "context", "completion"));
  EXPECT_THAT(offered("dripctl bucket "),
              ElementsAre("set", "show", "list", "delete", "watch", "traffic"));
  EXPECT_THAT(offered("dripctl bucket s"), ElementsAre("set", "show"));
  EXPECT_THAT(offered("dripctl --json --timeout 5s bucket wa"), ElementsAre("watch"));
  EXPECT_THAT(offered("dripctl bucket set web --cap"),
              ElementsAre("--capacity", "--capacity-bytes"));
  EXPECT_THAT(offered("dripctl rule add r --per"), ElementsAre("--per-flow"));
  EXPECT_THAT(offered("dripctl bucket list --"), Contains("--json"));
  EXPECT_THAT(offered("dripctl bucket list --"), testing::Not(Contains("--names")));
}

TEST_F(CompletionTest, OffersNamesAndValues) {
  EXPECT_THAT(offered("dripctl bucket show w"), ElementsAre("web", "wire"));
  EXPECT_THAT(offered("dripctl request allow d"), ElementsAre("dns"));
  EXPECT_THAT(offered("dripctl rule add r --bucket d"), ElementsAre("dns"));
  EXPECT_THAT(offered("dripctl rule add r --port l"), ElementsAre("lan"));
  EXPECT_THAT(offered("dripctl rule delete "), ElementsAre("voice"));
  EXPECT_THAT(offered("dripctl history --bucket d"), ElementsAre("dns"));
  EXPECT_THAT(offered("dripctl history --rule v"), ElementsAre("voice"));
  EXPECT_THAT(offered("dripctl history --fo"), ElementsAre("--follow"));
  EXPECT_THAT(offered("dripctl rule default p"), ElementsAre("pass"));
  EXPECT_THAT(offered("dripctl cluster forget n"), ElementsAre("n1", "n3"));
  EXPECT_THAT(offered("dripctl cluster "), Contains("forget"));
  EXPECT_THAT(offered("dripctl bucket set b --parent d"), ElementsAre("dns"));
  EXPECT_THAT(offered("dripctl bucket set b --tins diff"), ElementsAre("diffserv3", "diffserv4"));
  EXPECT_THAT(offered("dripctl bucket set b --departure "), ElementsAre("start", "end"));
  EXPECT_THAT(offered("dripctl rule set rules.t"), ElementsAre("rules.toml"));
}

TEST_F(CompletionTest, AsksTheServerOfTheLine) {
  FakeServer other;
  v1::ListBucketsResponse buckets;
  buckets.add_buckets()->set_bucket_id("elsewhere");
  other->reply(buckets);
  EXPECT_THAT(offered("dripctl --server " + other.address() + " bucket show "),
              ElementsAre("elsewhere"));
}

TEST_F(CompletionTest, ReadsFlagsAsDripctlDoes) {
  // A value is no command, and --rate=1 needs none.
  EXPECT_THAT(offered("dripctl --timeout 5s --context bucket rule "), Contains("add"));
  EXPECT_THAT(offered("dripctl bucket set b --rate=1mbit --departure "),
              ElementsAre("start", "end"));
  EXPECT_THAT(offered("dripctl bucket set b --departure=s"), ElementsAre("start"));
  // Flags of option groups, and nothing for a value that cannot be told.
  EXPECT_THAT(offered("dripctl rule add r --tcp-flags s"), ElementsAre("syn"));
  EXPECT_THAT(offered("dripctl bucket set b --rate "), ElementsAre(""));
}

TEST_F(CompletionTest, OffersHelpInZsh) {
  if (shell("command -v zsh").exit_code != 0) GTEST_SKIP() << "zsh is not installed";
  const std::string script = from_environment("DRIP_SOURCE") + "/scripts/completion/dripctl.zsh";
  // What zsh's own functions would be given.
  const auto described = [&](const std::string& line) {
    const std::string functions =
        "_describe() { print -l -- ${(P)2}; }; _files() { print files; }; compset() { :; }; ";
    const Outcome outcome = shell("zsh -f -c '" + functions + "words=(" + line +
                                  "); CURRENT=${#words}; . " + script + "'");
    EXPECT_EQ(outcome.err, "");
    return lines(outcome.out);
  };
  EXPECT_THAT(described("dripctl rule \"\""), Contains("delete:Delete a rule"));
  EXPECT_THAT(described("dripctl bucket show \"\""), ElementsAre("web", "wire", "dns"));
  EXPECT_THAT(described("dripctl rule set \"\""), ElementsAre("files"));
  EXPECT_THAT(described("dripctl bucket set b --tins \"\""),
              ElementsAre("none", "diffserv3", "diffserv4"));
  EXPECT_THAT(described("dripctl top --r"), Contains("--reverse:The smallest first"));
}

TEST_F(CompletionTest, DripctlWritesTheScripts) {
  for (const std::string name : {"bash", "zsh"}) {
    EXPECT_EQ(dripctl("completion " + name).out, source("scripts/completion/dripctl." + name));
  }
}

}  // namespace
}  // namespace drip
