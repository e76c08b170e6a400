// SPDX-License-Identifier: BSD-3-Clause
// Starts redis-server and redis-sentinel and waits until they answer.
#include "redis_server.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <utility>

#include "base/file_descriptor.h"
#include "wait_until.h"

namespace drip {
namespace {

std::string run(const std::vector<std::string>& words) {
  Process process(words);
  const Outcome outcome = process.wait();
  if (outcome.exit_code != 0) {
    throw std::runtime_error(words.front() + ": " + outcome.out + outcome.err);
  }
  return outcome.out;
}

template <class Condition>
void require(const std::string& description, Condition condition) {
  if (!wait_until(condition)) throw std::runtime_error("not within the bound: " + description);
}

}  // namespace

// Below the range from which the kernel gives ports to those who connect, and a stretch for each
// process: so nobody takes a port between its choice and its use.
std::uint16_t free_port() {
  constexpr int kFirst = 10'000;
  constexpr int kStretch = 20;
  constexpr int kStretches = 1'000;
  static int next = 0;
  for (int tries = 0; tries < kStretch; ++tries) {
    const int port = kFirst + getpid() % kStretches * kStretch + next++ % kStretch;
    const FileDescriptor fd(socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    const int yes = 1;
    setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    const bool free = bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    if (free) return static_cast<std::uint16_t>(port);
  }
  throw std::runtime_error("no free port");
}

TestCertificate make_certificate(const TemporaryDirectory& directory, const std::string& name) {
  TestCertificate made{directory.path_of(name + ".pem"), directory.path_of(name + ".key")};
  run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
       "-nodes", "-days", "2", "-subj", "/CN=" + name, "-addext",
       "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", made.key, "-out", made.cert});
  return made;
}

RedisServer::RedisServer(std::vector<std::string> more, const TestCertificate* certificate,
                         const std::string& network_namespace,
                         std::map<std::string, std::string> environment)
    : environment_(std::move(environment)) {
  const std::string port = std::to_string(port_);
  words_ = {"redis-server",
            "--bind",
            "127.0.0.1",
            "--dir",
            directory_.path_of(""),
            "--save",
            "",
            "--appendonly",
            "no",
            "--repl-diskless-sync-delay",
            "0",
            "--loglevel",
            "warning",
            "--port",
            certificate == nullptr ? port : "0",
            "--unixsocket",
            socket_path()};
  cli_words_ = {"redis-cli", "-s", socket_path()};
  if (certificate != nullptr) {
    const std::vector<std::string> tls = {"--tls-port",         port,
                                          "--tls-cert-file",    certificate->cert,
                                          "--tls-key-file",     certificate->key,
                                          "--tls-ca-cert-file", certificate->cert};
    words_.insert(words_.end(), tls.begin(), tls.end());
  }
  for (std::size_t i = 0; i < more.size(); ++i) {
    if (more[i] == "--requirepass") {
      cli_words_.insert(cli_words_.end(), {"--no-auth-warning", "-a", more[i + 1]});
    }
  }
  words_.insert(words_.end(), more.begin(), more.end());
  if (!network_namespace.empty()) {
    const std::vector<std::string> inside = {"ip", "netns", "exec", network_namespace};
    words_.insert(words_.begin(), inside.begin(), inside.end());
  }
  start();
}

std::string RedisServer::address() const { return "127.0.0.1:" + std::to_string(port_); }

std::string RedisServer::url() const { return "redis://" + address(); }

void RedisServer::kill() {
  process_->send_signal(SIGKILL);
  process_->wait();
  process_.reset();
}

void RedisServer::start() {
  process_ = std::make_unique<Process>(words_, "", environment_);
  require("redis-server answers", [this] {
    if (process_->has_ended()) throw std::runtime_error("redis-server ended: " + process_->out());
    return cli({"PING"}) == "PONG\n";
  });
}

void RedisServer::restart() {
  kill();
  start();
}

void RedisServer::pause() const { process_->send_signal(SIGSTOP); }

void RedisServer::resume() const { process_->send_signal(SIGCONT); }

std::string RedisServer::cli(const std::vector<std::string>& words) const {
  std::vector<std::string> command = cli_words_;
  command.insert(command.end(), words.begin(), words.end());
  Process process(command);
  return process.wait().out;
}

RedisSentinels::RedisSentinels(const RedisServer& master) {
  for (int i = 0; i < 3; ++i) {
    const std::uint16_t port = free_port();
    const std::string name = std::to_string(i);
    const std::string config = directory_.write(
        "sentinel" + name + ".conf",
        "port " + std::to_string(port) + "\nbind 127.0.0.1\ndir " + directory_.path_of("") +
            "\nsentinel monitor drip 127.0.0.1 " + std::to_string(master.port()) +
            " 2\nsentinel down-after-milliseconds drip 1000\nsentinel failover-timeout drip "
            "3000\n");
    ports_.push_back(port);
    processes_.push_back(
        std::make_unique<Process>(std::vector<std::string>{"redis-sentinel", config}));
  }
  // Not before all answer: a Sentinel that has yet to listen refuses, which is another error than
  // the one that a test asks about.
  for (const std::uint16_t port : ports_) {
    require("redis-sentinel answers", [&] {
      Process process({"redis-cli", "-p", std::to_string(port), "PING"});
      return process.wait().out == "PONG\n";
    });
  }
}

std::string RedisSentinels::url() const {
  std::string text = "sentinel://";
  for (const std::uint16_t port : ports_) {
    text += (text.ends_with('/') ? "127.0.0.1:" : ",127.0.0.1:") + std::to_string(port);
  }
  return text + "/drip";
}

void RedisSentinels::tell(std::uint16_t port, const std::vector<std::string>& words) const {
  std::vector<std::string> command = {"redis-cli", "-p", std::to_string(port), "SENTINEL"};
  command.insert(command.end(), words.begin(), words.end());
  const std::string answer = run(command);
  if (answer != "OK\n") throw std::runtime_error(words.front() + ": " + answer);
}

void RedisSentinels::watch(const RedisServer& master) const {
  for (const std::uint16_t port : ports_) {
    tell(port, {"REMOVE", "drip"});
    tell(port, {"MONITOR", "drip", "127.0.0.1", std::to_string(master.port()), "2"});
    tell(port, {"SET", "drip", "down-after-milliseconds", "1000"});
    tell(port, {"SET", "drip", "failover-timeout", "3000"});
  }
}

void RedisSentinels::wait_until_settled(int replicas) const {
  const std::string wanted_replicas = "num-slaves\n" + std::to_string(replicas) + "\n";
  for (const std::uint16_t port : ports_) {
    require("the Sentinels know each other and the replicas", [&] {
      Process process({"redis-cli", "-p", std::to_string(port), "SENTINEL", "MASTER", "drip"});
      const std::string facts = process.wait().out;
      return facts.find(wanted_replicas) != std::string::npos &&
             facts.find("num-other-sentinels\n2\n") != std::string::npos;
    });
  }
}

}  // namespace drip
