// SPDX-License-Identifier: BSD-3-Clause
// Answers what the control process's HTTP servers are asked, in the process with the data path.
#pragma once

#include <grpcpp/generic/async_generic_service.h>

#include <map>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "base/work_thread.h"
#include "http/server.h"

namespace drip::front {

/// The method by which requests come. No proxy passes on a client's call of it.
inline constexpr const char* kHttpMethod = "/drip.front.Http/Get";

/// Beside the services of the API, for all calls that are none of theirs. Thread safe; outlives its
/// server.
class HttpService final : public grpc::CallbackGenericService {
 public:
  /// Requests to the server of this name are answered by `handler` from now on, on a thread of
  /// their own; until remove(), `handler` may be called.
  void add(const std::string& server, http::Server::Handler handler);
  /// Waits for requests that are being answered. Those that come later are answered with 503.
  void remove(const std::string& server);

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* call) override;

 private:
  class Call;
  struct Responder {
    Responder(const char* thread_name, http::Server::Handler the_handler);

    const http::Server::Handler handler;
    WorkThread thread;
  };
  [[nodiscard]] std::shared_ptr<Responder> find(const std::string& server);

  Mutex mutex_;
  std::map<std::string, std::shared_ptr<Responder>> responders_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace drip::front
