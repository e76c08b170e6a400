// SPDX-License-Identifier: BSD-3-Clause
// Answers the requests for the page and for its data.
#pragma once

#include "control/rpc/calls/services_context.h"
#include "http/server.h"
#include "web/query.h"
#include "web/recorder.h"

namespace drip::web {

/// Thread safe. Nothing that is asked changes anything.
///
///   /, /page.js, ...       the page
///   /api/node              the node: health, sums, ports, polling threads, memory, clock, cluster
///   /api/tree?level=0,100, parts of the trees (see Level), as many as there are `level`s;
///                          sort=name|rate|backlog|loss
///   /api/search?q=TEXT     buckets by a part of their ids; limit=N
///   /api/top?by=rate       leaves that send most, or wait or lose most: by=backlog, by=loss;
///   limit=N /api/bucket?id=ID      one bucket /api/history?id=ID     its last ten minutes, of all
///   buckets without id; from=STEP: since then
class Responder {
 public:
  /// Both outlive the responder. `loopback_only`: requests by other names than those of the
  /// loopback interface are refused.
  Responder(const control::ServicesContext& context, const Recorder& recorder, bool loopback_only)
      : context_(context), recorder_(recorder), loopback_only_(loopback_only) {}

  [[nodiscard]] http::Response answer(const http::Request& request) const;

 private:
  [[nodiscard]] http::Response answer_without_headers(const http::Request& request) const;
  [[nodiscard]] http::Response answer_data(std::string_view name, const Query& query) const;

  const control::ServicesContext& context_;
  const Recorder& recorder_;
  const bool loopback_only_;
};

}  // namespace drip::web
