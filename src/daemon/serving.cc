// SPDX-License-Identifier: BSD-3-Clause
#include "daemon/serving.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "control/listen/server_limits.h"

namespace drip::daemon {
namespace {

constexpr const char* kProgram = "dripd-control";

// Beside dripd, as in a build directory, or where it is installed. By its path, so that an upgrade
// that has replaced the file is what is started next.
std::string program_path() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::filesystem::path beside = self.parent_path() / kProgram;
  if (!error && std::filesystem::exists(beside, error)) return beside;
  return std::filesystem::path(DRIP_LIBEXEC_DIR) / kProgram;
}

void add_http(const char* name, const http::ListenAddress& address, const char* threads,
              front::Settings& settings) {
  front::HttpServer& server = *settings.mutable_http()->add_servers();
  server.set_name(name);
  server.set_host(address.host);
  server.set_port(address.port);
  server.set_threads(threads);
}

void log_url(const char* what, http::ListenAddress address, std::uint32_t port, const char* path) {
  address.port = static_cast<std::uint16_t>(port);
  log_info("{} at http://{}{}", what, address.text(), path);
}

void warn_if_open(const char* what, const http::ListenAddress& address) {
  if (address.is_loopback()) return;
  log_warning("{}: {} is open to whoever reaches it: there is no authentication", what,
              address.text());
}

}  // namespace

void Serving::set_options(control::NodeOptions& node) {
  if (!is_separate()) return;
  counts_ = std::make_shared<control::ControlProcessCounts>();
  node.control_process = counts_;
  node.server.forwarded = true;
  node.server.others = &http_;
}

absl::Status Serving::start(control::Node& node, std::shared_ptr<const access::TlsSource> tls) {
  absl::Status status = start_metrics(node);
  if (status.ok()) status = start_web(node);
  if (status.ok() && is_separate()) status = start_control_process(node, std::move(tls));
  // What has begun reads the node.
  if (!status.ok()) stop_http();
  return status;
}

absl::Status Serving::start_metrics(const control::Node& node) {
  const MetricsOptions& options = options_.metrics;
  if (!options.listen) return absl::OkStatus();
  collector_.emplace(node.context(), node.call_counts(), options.buckets);
  const access::AccessControl& access = node.context().access;
  if (is_separate()) {
    http_.add("metrics", metrics::metrics_handler(
                             *collector_, options.listen->is_loopback() ? &access : nullptr));
    return absl::OkStatus();
  }
  auto endpoint = metrics::HttpEndpoint::start(*options.listen, *collector_, access);
  if (!endpoint.ok()) return endpoint.status();
  metrics_ = *std::move(endpoint);
  log_info("metrics at {}", metrics_->url());
  warn_if_open("metrics", *options.listen);
  return absl::OkStatus();
}

absl::Status Serving::start_web(const control::Node& node) {
  if (!options_.web) return absl::OkStatus();
  if (is_separate()) {
    web_ = web::WebService::record(*options_.web, node.context());
    http_.add("web", web_->handler());
    return absl::OkStatus();
  }
  auto started = web::WebService::start(*options_.web, node.context());
  if (!started.ok()) return started.status();
  web_ = *std::move(started);
  return absl::OkStatus();
}

absl::Status Serving::start_control_process(control::Node& node,
                                            std::shared_ptr<const access::TlsSource> tls) {
  front::ControlProcess::Options options;
  options.program = program_path();
  options.tls = std::move(tls);
  options.connect = [this, &node](FileDescriptor socket) {
    MutexLock lock(mutex_);
    if (!draining_) node.connect(std::move(socket));
  };
  options.counts = counts_;
  front::Settings& settings = options.settings;
  settings.set_log_level(options_.log_level);
  settings.set_user(options_.control_user);
  settings.set_client_must_show(options_.access.tokens.empty());
  const control::ServerLimits limits;
  settings.set_max_receive_bytes(static_cast<int>(options_.clients.message_bytes));
  settings.set_concurrent_calls(static_cast<int>(2 * options_.memory.max_open_calls));
  settings.set_memory_bytes(limits.memory_bytes);
  settings.set_handshake_timeout_ms(static_cast<std::uint32_t>(limits.handshake_timeout.count()));
  settings.set_connections_of_address(options_.clients.connections);
  for (const control::Listener& listener : node.listeners()) {
    settings.add_listeners()->set_with_tls(listener.with_tls);
    options.sockets.push_back(listener.socket.fd());
  }
  if (options_.metrics.listen) add_http("metrics", *options_.metrics.listen, "2", settings);
  if (options_.web) add_http("web", *options_.web, "8", settings);
  auto process = front::ControlProcess::start(std::move(options));
  if (!process.ok()) return process.status();
  control_process_ = *std::move(process);
  log_info("control process {} serves", counts_->pid.load());
  auto port = control_process_->http_ports().begin();
  if (options_.metrics.listen) {
    log_url("metrics", *options_.metrics.listen, *port++, "/metrics");
    warn_if_open("metrics", *options_.metrics.listen);
  }
  if (options_.web) {
    log_url("page", *options_.web, *port++, "/");
    warn_if_open("web", *options_.web);
  }
  return absl::OkStatus();
}

void Serving::replace_control_process() {
  if (control_process_ != nullptr) return control_process_->replace();
  write_log(LogLevel::kWarning,
            "SIGUSR2: there is no control process to replace (--control-process separate)");
}

void Serving::stop_http() {
  metrics_.reset();
  http_.remove("metrics");
  http_.remove("web");
  web_.reset();
}

void Serving::drain(std::chrono::milliseconds patience) {
  if (control_process_ == nullptr) return;
  {
    MutexLock lock(mutex_);
    draining_ = true;
  }
  control_process_->drain(patience);
}

}  // namespace drip::daemon
