// SPDX-License-Identifier: BSD-3-Clause
#include "front/front.h"

#include <fcntl.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/generic/generic_stub.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/text.h"
#include "control/listen/grpc_log.h"
#include "front/front_server.h"
#include "front/http/http_forwarding.h"
#include "front/link/link.h"
#include "front/link/link.pb.h"
#include "front/privileges.h"
#include "front/tls_holder.h"
#include "http/server.h"

namespace drip::front {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSettingsPatience{10'000};
constexpr milliseconds kCheckPatience{2'000};
constexpr milliseconds kHousekeeping{1'000};
constexpr milliseconds kRetry{100};
// Both sides of the socket between the processes: a client's metadata, and an origin.
constexpr int kMetadataBytes = 64 << 10;

access::TlsMaterialRef material_of(TlsMaterial& message) {
  auto material = std::make_shared<access::TlsMaterial>();
  material->cert_chain = std::move(*message.mutable_cert_chain());
  material->private_key = std::move(*message.mutable_private_key());
  material->client_ca = std::move(*message.mutable_client_ca());
  return material;
}

std::shared_ptr<grpc::Channel> channel_of(FileDescriptor socket) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE, kMetadataBytes);
  return grpc::CreateCustomInsecureChannelFromFd("dripd", socket.release(), arguments);
}

// Whether a call gets to the process with the data path and back, which takes gRPC's threads of
// both.
bool passes_calls(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kCheckPatience);
  grpc::GenericStub stub(channel);
  const grpc::Slice nothing;
  const grpc::ByteBuffer request(&nothing, 1);
  grpc::ByteBuffer response;
  std::promise<bool> done;
  stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", {}, &request, &response,
                 [&done](const grpc::Status& status) { done.set_value(status.ok()); });
  return done.get_future().get();
}

class Front {
 public:
  explicit Front(FileDescriptor socket) : link_(std::move(socket)) {}

  int run(const std::function<void(const std::string&)>& start_log) {
    ToControl message;
    std::vector<FileDescriptor> descriptors;
    if (!link_.receive(message, kSettingsPatience, &descriptors).ok()) return 1;
    Settings& settings = *message.mutable_settings();
    start_log(settings.log_level());
    control::log_grpc_lines();
    if (absl::Status status = begin(settings, std::move(descriptors)); !status.ok()) {
      FromControl answer;
      answer.set_error(std::string(message_of(status)));
      (void)link_.send(answer);
      return 1;
    }
    serve();
    return 0;
  }

 private:
  absl::Status begin(Settings& settings, std::vector<FileDescriptor> descriptors) {
    const auto listeners = static_cast<std::size_t>(settings.listeners_size());
    if (descriptors.size() != listeners + 1) {
      return absl::InternalError("control process: sockets are missing");
    }
    channel_ = channel_of(std::move(descriptors.front()));
    descriptors.erase(descriptors.begin());
    FromControl answer;
    Ready& ready = *answer.mutable_ready();
    // Ports below 1024 need what is given up afterwards.
    for (const HttpServer& http : settings.http().servers()) {
      auto server = start_http(http);
      if (!server.ok()) return server.status();
      ready.add_http_ports((*server)->port());
      http_.push_back(*std::move(server));
    }
    if (absl::Status status = drop_privileges(settings.user()); !status.ok()) return status;
    if (settings.has_tls()) {
      tls_ = std::make_shared<TlsHolder>(material_of(*settings.mutable_tls()));
    }
    auto server = FrontServer::start(settings, std::move(descriptors), channel_, tls_);
    if (!server.ok()) return server.status();
    server_ = *std::move(server);
    return link_.send(answer);
  }

  absl::StatusOr<std::unique_ptr<http::Server>> start_http(const HttpServer& settings) {
    const auto port = static_cast<std::uint16_t>(settings.port());
    const std::string thread_name = "drip-" + settings.name();
    return http::Server::start(
        {{settings.host(), port}, settings.name(), settings.threads(), thread_name},
        forwarding_handler(channel_, settings.name()));
  }

  void serve() {
    for (;;) {
      ToControl message;
      const bool waits = pending_http_.servers_size() > 0;
      const absl::Status status = link_.receive(message, waits ? kRetry : kHousekeeping);
      control::log_suppressed_grpc_lines();
      start_pending_http();
      if (absl::IsDeadlineExceeded(status)) continue;
      // The other process is gone. At once, so that the next one can have the addresses.
      if (!status.ok()) _exit(0);
      switch (message.message_case()) {
        case ToControl::kPing:
          if (passes_calls(channel_)) answer_ping(message.ping());
          break;
        case ToControl::kTls:
          if (tls_ != nullptr) tls_->set(material_of(*message.mutable_tls()));
          break;
        case ToControl::kDrainMs:
          drain(milliseconds(message.drain_ms()));
          return;
        case ToControl::kHttp:
          pending_http_ = std::move(*message.mutable_http());
          break;
        default:
          break;  // Of a newer version.
      }
    }
  }

  void start_pending_http() {
    auto& pending = *pending_http_.mutable_servers();
    for (int i = 0; i < pending.size();) {
      auto server = start_http(pending[i]);
      if (server.ok()) {
        http_.push_back(*std::move(server));
        pending.DeleteSubrange(i, 1);
      } else {
        ++i;
      }
    }
  }

  // Ports of HTTP are for the next process, which waits for them: civetweb takes a second or two.
  void drain(milliseconds patience) {
    std::vector<std::thread> threads;
    for (auto& server : http_) threads.emplace_back([&server] { server.reset(); });
    server_->stop(patience);
    for (std::thread& thread : threads) thread.join();
  }

  void answer_ping(std::uint64_t number) {
    FromControl answer;
    answer.set_pong(number);
    (void)link_.send(answer);
  }

  Link link_;
  std::shared_ptr<grpc::Channel> channel_;
  std::shared_ptr<TlsHolder> tls_;  // Null without TLS.
  std::vector<std::unique_ptr<http::Server>> http_;
  HttpServers pending_http_;  // Not bound yet.
  std::unique_ptr<FrontServer> server_;
};

}  // namespace

int run_front(FileDescriptor link, const std::function<void(const std::string&)>& start_log) {
  return Front(std::move(link)).run(start_log);
}

}  // namespace drip::front
