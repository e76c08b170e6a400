// SPDX-License-Identifier: BSD-3-Clause
// What the network reaches of a node: its API, metrics and page, in this process or in one of their
// own.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "control/server/node.h"
#include "daemon/options.h"
#include "front/http/http_service.h"
#include "front/supervisor/control_process.h"
#include "metrics/collector.h"
#include "metrics/http_endpoint.h"
#include "web/web_service.h"

namespace drip::daemon {

/// Made before the node, and outlives it.
class Serving {
 public:
  explicit Serving(const Options& options) : options_(options) {}
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;

  /// What the node is to know of it.
  void set_options(control::NodeOptions& node);
  /// Serves. REQUIRES: the node has started. UNAVAILABLE or INVALID_ARGUMENT with the reason; then
  /// nothing is served.
  [[nodiscard]] absl::Status start(control::Node& node,
                                   std::shared_ptr<const access::TlsSource> tls);
  /// Starts the control process anew, from the program on disk.
  void replace_control_process();

  /// Metrics and page end. Calls are still answered.
  void stop_http();
  /// No connection is accepted any more, and calls have `patience` to end. To be followed by
  /// Node::stop() and then stop().
  void drain(std::chrono::milliseconds patience);
  void stop() { control_process_.reset(); }

 private:
  [[nodiscard]] bool is_separate() const {
    return options_.control_process == ControlProcess::kSeparate;
  }
  [[nodiscard]] absl::Status start_metrics(const control::Node& node);
  [[nodiscard]] absl::Status start_web(const control::Node& node);
  [[nodiscard]] absl::Status start_control_process(control::Node& node,
                                                   std::shared_ptr<const access::TlsSource> tls);

  const Options& options_;
  std::optional<metrics::Collector> collector_;
  std::unique_ptr<metrics::HttpEndpoint> metrics_;  // In this process.
  std::unique_ptr<web::WebService> web_;
  front::HttpService http_;  // For those in a process of their own.
  std::shared_ptr<control::ControlProcessCounts> counts_;
  Mutex mutex_;
  // The node is about to stop, and serves no further process.
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<front::ControlProcess> control_process_;
};

}  // namespace drip::daemon
