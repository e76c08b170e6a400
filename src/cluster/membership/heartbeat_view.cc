// SPDX-License-Identifier: BSD-3-Clause
#include "cluster/membership/heartbeat_view.h"

#include <algorithm>
#include <utility>

#include "cluster/redis/reply_reader.h"

namespace drip::cluster {

namespace {

// 139 years, so that sums of such spans and of times are in range in nanoseconds too.
constexpr std::int64_t kMostMs = std::int64_t{1} << 42;

// May be negative: the end of a lease that is over, and what Redis's clock was set back by.
std::chrono::milliseconds read_span(ReplyReader& reader, bool& ok) {
  const std::int64_t ms = reader.number();
  if (ms < -kMostMs || ms > kMostMs) ok = false;
  return std::chrono::milliseconds(ms);
}

}  // namespace

absl::StatusOr<HeartbeatView> read_heartbeat(const RedisReply& reply, Deadline sent) {
  HeartbeatView view;
  view.any = true;
  view.sent = sent;
  ReplyReader reader(reply.array());
  bool ok = true;
  view.now_ms = read_span(reader, ok).count();
  view.epoch = reader.count();
  view.leader_id = reader.text();
  view.leader_incarnation = reader.text();
  view.lease_left = read_span(reader, ok);
  {
    ReplyReader head(reader.array());
    view.config = read_config_head(head);
    ok = ok && head.ok();
  }
  for (const RedisReply& each : reader.array()) {
    ReplyReader fields(each.array());
    HeartbeatView::Member member;
    member.id = fields.text();
    (void)fields.text();  // Its incarnation.
    member.silent = read_span(fields, ok);
    member.lease = read_span(fields, ok);
    member.draining = fields.text() == "draining";
    ok = ok && member.record.ParseFromString(fields.text()) && fields.ok();
    view.members.push_back(std::move(member));
  }
  if (!ok || !reader.ok()) {
    return absl::InternalError(
        "the heartbeat's reply does not have the form of this version of Drip");
  }
  std::ranges::sort(view.members, {}, &HeartbeatView::Member::id);
  return view;
}

}  // namespace drip::cluster
