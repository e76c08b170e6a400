// SPDX-License-Identifier: BSD-3-Clause
// Reads what `top` shows from dripd.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

#include "cli/session/connection.h"
#include "cli/top/screenful.h"

namespace drip::cli {

// One thread, but for cancel().
class TopSource {
 public:
  explicit TopSource(Connection& connection);
  ~TopSource();
  TopSource(const TopSource&) = delete;
  TopSource& operator=(const TopSource&) = delete;

  // Throws CallError. Node and ports are read anew only if the server has measured anew.
  const Screenful& fetch(const v1::WatchTopRequest& request);
  // Ends a fetch() that waits. Any thread.
  void cancel() { context_.TryCancel(); }

 private:
  void read_node();

  Connection& connection_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WatchTopRequest, v1::WatchTopResponse>> stream_;
  Screenful screen_;
  PortMeter ports_;
  bool whole_node_ = true;  // False: the caller may see its own buckets only.
};

}  // namespace drip::cli
