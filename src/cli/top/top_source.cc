// SPDX-License-Identifier: BSD-3-Clause
#include "cli/top/top_source.h"

#include <chrono>
#include <utility>

namespace drip::cli {

TopSource::TopSource(Connection& connection)
    : connection_(connection), stream_(connection.shaper(&context_).WatchTop(&context_)) {}

TopSource::~TopSource() {
  context_.TryCancel();
  if (stream_ != nullptr) (void)stream_->Finish();
}

const Screenful& TopSource::fetch(const v1::WatchTopRequest& request) {
  const std::int64_t before = screen_.top.time();
  if (!stream_->Write(request) || !stream_->Read(&screen_.top)) {
    const grpc::Status status = std::exchange(stream_, nullptr)->Finish();
    connection_.check(status);
    throw CallError({grpc::StatusCode::UNAVAILABLE, "dripd has ended the stream"}, false);
  }
  if (screen_.top.time() != before) read_node();
  return screen_;
}

void TopSource::read_node() {
  if (!whole_node_) return;
  try {
    screen_.node = connection_.call(&Shaper::GetNode, v1::GetNodeRequest());
    const v1::ListPortsResponse ports =
        connection_.call(&Shaper::ListPorts, v1::ListPortsRequest());
    screen_.ports =
        ports_.update(ports, std::chrono::steady_clock::now().time_since_epoch().count());
  } catch (const CallError& error) {
    if (error.code() != grpc::StatusCode::PERMISSION_DENIED) throw;
    whole_node_ = false;
    screen_.node.reset();
  }
}

}  // namespace drip::cli
