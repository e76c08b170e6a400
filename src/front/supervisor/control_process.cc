// SPDX-License-Identifier: BSD-3-Clause
#include "front/supervisor/control_process.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "base/thread.h"

namespace drip::front {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kStep{500};
constexpr milliseconds kStartPatience{10'000};

void write_tls(const access::TlsMaterial& material, TlsMaterial& message) {
  message.set_cert_chain(material.cert_chain);
  message.set_private_key(material.private_key);
  message.set_client_ca(material.client_ca);
}

milliseconds since(Child::Clock::time_point time) {
  return std::chrono::duration_cast<milliseconds>(Child::Clock::now() - time);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ControlProcess>> ControlProcess::start(Options options) {
  std::unique_ptr<ControlProcess> process(new ControlProcess(std::move(options)));
  std::promise<absl::Status> started;
  std::future<absl::Status> status = started.get_future();
  process->thread_ = start_thread("drip-supervise",
                                  [self = process.get(), promise = std::move(started)]() mutable {
                                    self->run(std::move(promise));
                                  });
  if (absl::Status result = status.get(); !result.ok()) return result;
  return process;
}

ControlProcess::ControlProcess(Options options)
    : options_(std::move(options)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

ControlProcess::~ControlProcess() {
  drain(milliseconds(0));
  if (thread_.joinable()) thread_.join();
}

void ControlProcess::wish(Wanted wanted, milliseconds patience) {
  {
    MutexLock lock(mutex_);
    if (wanted_ == Wanted::kDrain) return;
    wanted_ = wanted;
    patience_ = patience;
  }
  eventfd_write(wake_.get(), 1);
}

void ControlProcess::replace() { wish(Wanted::kReplace, kHandOver); }
void ControlProcess::drain(milliseconds patience) { wish(Wanted::kDrain, patience); }

void ControlProcess::run(std::promise<absl::Status> started) {
  // The program is to have none of this process's rights (capabilities(7), "ambient").
  (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  absl::StatusOr<std::unique_ptr<Child>> first = start_child();
  started.set_value(first.status());
  if (!first.ok()) return;
  child_ = *std::move(first);
  for (;;) {
    Wanted wanted = Wanted::kRun;
    milliseconds patience{0};
    {
      MutexLock lock(mutex_);
      wanted = wanted_;
      patience = patience_;
      if (wanted_ == Wanted::kReplace) wanted_ = Wanted::kRun;
    }
    if (wanted == Wanted::kDrain) {
      retire(patience);
      while (retired_ != nullptr) {
        wait_for_retired();
        if (retired_ != nullptr) poll(nullptr, 0, 20);
      }
      return;
    }
    if (wanted == Wanted::kReplace) {
      absl::StatusOr<std::unique_ptr<Child>> next = start_child();
      if (next.ok()) {
        retire(patience);
        child_ = *std::move(next);
        options_.counts->replacements.fetch_add(1, std::memory_order_relaxed);
        options_.counts->pid = child_->pid();
        log_info("control process {} takes over", child_->pid());
      } else {
        log_error("{}; the control process of before goes on", message_of(next.status()));
      }
    }
    watch();
  }
}

absl::StatusOr<std::unique_ptr<Child>> ControlProcess::start_child() {
  absl::StatusOr<std::unique_ptr<Child>> child = Child::start(options_.program);
  if (!child.ok()) return child;
  auto calls = socket_pair(true);
  if (!calls.ok()) return calls.status();
  ToControl message;
  Settings& settings = *message.mutable_settings();
  settings = options_.settings;
  settings.clear_http();
  HttpServers http = http_servers();
  // Those of one that still runs are free when that drains.
  if (child_ == nullptr) settings.mutable_http()->Swap(&http);
  if (options_.tls != nullptr) {
    told_ = options_.tls->current();
    write_tls(*told_, *settings.mutable_tls());
  }
  std::vector<int> descriptors = {calls->second.get()};
  descriptors.insert(descriptors.end(), options_.sockets.begin(), options_.sockets.end());
  if (absl::Status status = (*child)->link().send(message, descriptors); !status.ok()) {
    return absl::UnavailableError(
        joined("control process: ", message_of(status), "; it ", (*child)->end()));
  }
  options_.connect(std::move(calls->first));
  if (absl::Status status = wait_until_ready(**child); !status.ok()) return status;
  if (http.servers_size() > 0) {
    message.mutable_http()->Swap(&http);
    (void)(*child)->link().send(message);
  }
  options_.counts->pid = (*child)->pid();
  return child;
}

HttpServers ControlProcess::http_servers() const {
  HttpServers http = options_.settings.http();
  for (std::size_t i = 0; i < http_ports_.size(); ++i) {
    http.mutable_servers(static_cast<int>(i))->set_port(http_ports_[i]);
  }
  return http;
}

absl::Status ControlProcess::wait_until_ready(Child& child) {
  FromControl answer;
  absl::Status status = child.link().receive(answer, kStartPatience);
  if (!status.ok()) {
    const bool silent = absl::IsDeadlineExceeded(status);
    const std::string how = child.end();
    return absl::UnavailableError(silent ? std::string("control process: did not start")
                                         : joined("control process: ", how));
  }
  if (answer.message_case() == FromControl::kError) return absl::UnavailableError(answer.error());
  if (http_ports_.empty()) {
    http_ports_.assign(answer.ready().http_ports().begin(), answer.ready().http_ports().end());
  }
  return absl::OkStatus();
}

bool ControlProcess::listen_to(Child& child) const {
  FromControl message;
  const absl::Status status = child.link().receive(message, milliseconds(0));
  if (absl::IsDeadlineExceeded(status)) return true;
  if (!status.ok()) return false;
  if (message.message_case() == FromControl::kPong) child.take_answer(message.pong());
  return true;
}

// Until something else is wanted.
void ControlProcess::watch() {
  Child::Clock::time_point next = Child::Clock::now();
  for (;;) {
    const auto wait = std::chrono::ceil<milliseconds>(next - Child::Clock::now());
    pollfd polled[] = {{wake_.get(), POLLIN, 0}, {child_->link().fd(), POLLIN, 0}};
    (void)poll(polled, 2, static_cast<int>(std::max(wait, milliseconds(0)).count()));
    if (polled[0].revents != 0) {
      eventfd_t count = 0;
      (void)eventfd_read(wake_.get(), &count);
      return;
    }
    wait_for_retired();
    if (polled[1].revents != 0 && !listen_to(*child_)) {
      options_.counts->pid = 0;
      const pid_t pid = child_->pid();
      log_error("control process {} {}; packets go on, clients connect again", pid, child_->end());
      return start_again();
    }
    if (Child::Clock::now() < next) continue;
    next = Child::Clock::now() + kStep;
    tell_tls();
    if (child_->ask()) continue;
    options_.counts->pid = 0;
    options_.counts->hangs.fetch_add(1, std::memory_order_relaxed);
    log_error("control process {} has not answered for {} ms and is killed", child_->pid(),
              Child::kMissed * kStep.count());
    return start_again();
  }
}

void ControlProcess::tell_tls() {
  if (options_.tls == nullptr) return;
  access::TlsMaterialRef material = options_.tls->current();
  if (material == told_) return;
  told_ = std::move(material);
  ToControl message;
  write_tls(*told_, *message.mutable_tls());
  (void)child_->link().send(message);
}

void ControlProcess::start_again() {
  milliseconds lived = since(child_->started());
  child_.reset();
  for (;;) {
    const milliseconds delay = delay_.next(lived);
    if (delay.count() > 0) log_warning("control process: started again in {} ms", delay.count());
    wait_for_wish(delay);
    {
      MutexLock lock(mutex_);
      if (wanted_ == Wanted::kDrain) return;
    }
    options_.counts->restarts.fetch_add(1, std::memory_order_relaxed);
    absl::StatusOr<std::unique_ptr<Child>> child = start_child();
    if (child.ok()) {
      child_ = *std::move(child);
      log_info("control process {} serves", child_->pid());
      return;
    }
    log_error("{}", message_of(child.status()));
    lived = {};
  }
}

void ControlProcess::wait_for_wish(milliseconds time) {
  pollfd polled{wake_.get(), POLLIN, 0};
  eventfd_t count = 0;
  if (poll(&polled, 1, static_cast<int>(time.count())) > 0) (void)eventfd_read(wake_.get(), &count);
}

void ControlProcess::retire(milliseconds patience) {
  retired_ = std::move(child_);
  if (retired_ == nullptr) return;
  // A moment more, for what comes after its calls.
  retired_until_ = Child::Clock::now() + patience + milliseconds(1'000);
  ToControl message;
  message.set_drain_ms(static_cast<std::uint32_t>(patience.count()));
  (void)retired_->link().send(message);
}

void ControlProcess::wait_for_retired() {
  if (retired_ == nullptr) return;
  if (retired_->has_ended() || Child::Clock::now() > retired_until_) retired_.reset();
}

}  // namespace drip::front
