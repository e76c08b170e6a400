// SPDX-License-Identifier: BSD-3-Clause
#include "web/responder.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/errors.h"
#include "web/assets.h"
#include "web/bucket_json.h"
#include "web/host_check.h"
#include "web/node_json.h"

namespace drip::web {
namespace {

using control::BucketTable;
using control::History;
using control::SortBy;
using http::Response;
using nlohmann::ordered_json;
using Json = absl::StatusOr<ordered_json>;

constexpr std::size_t kDefaultLimit = 50;

// Nothing but the page's own files: no scripts or styles within the page, no other machine, no
// frame around it (https://www.w3.org/TR/CSP3/).
constexpr const char* kContentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

void add_security_headers(Response& response) {
  response.headers.insert(response.headers.end(),
                          {{"Content-Security-Policy", kContentSecurityPolicy},
                           {"X-Content-Type-Options", "nosniff"},
                           {"X-Frame-Options", "DENY"},
                           {"Referrer-Policy", "no-referrer"},
                           {"Cross-Origin-Opener-Policy", "same-origin"},
                           {"Cross-Origin-Resource-Policy", "same-origin"}});
}

Response refusal(int code, std::string text) {
  return {code, "text/plain; charset=utf-8", std::move(text), {{"Cache-Control", "no-store"}}};
}

Response data(int code, const ordered_json& json) {
  // Text that is not UTF-8 is replaced, so that the rest is still shown.
  return {code,
          "application/json",
          json.dump(-1, ' ', false, ordered_json::error_handler_t::replace),
          {{"Cache-Control", "no-store"}}};
}

std::optional<Response> asset(const http::Request& request) {
  for (const Asset& asset : assets()) {
    if (asset.path != request.path) continue;
    Response response{200, std::string(asset.type), "", {}};
    // The browser keeps it and asks each time whether it has changed: with a new dripd it may have.
    response.headers = {{"Cache-Control", "no-cache"}, {"ETag", std::string(asset.etag)}};
    if (request.header("If-None-Match") == asset.etag) {
      response.code = 304;
    } else {
      response.body = asset.bytes;
    }
    return response;
  }
  return std::nullopt;
}

absl::StatusOr<SortBy> sort_of(const Query& query, std::string_view name, SortBy absent) {
  const std::optional<std::string> text = query.get(name);
  if (!text) return absent;
  if (*text == "name") return SortBy::kName;
  if (*text == "rate") return SortBy::kRate;
  if (*text == "backlog") return SortBy::kBacklog;
  if (*text == "loss") return SortBy::kLoss;
  return not_allowed(name, drip::quoted(*text), "name, rate, backlog or loss");
}

absl::StatusOr<std::size_t> limit_of(const Query& query) {
  const auto limit = query.number("limit", kDefaultLimit, 1, kMostLimit);
  if (!limit.ok()) return limit.status();
  return static_cast<std::size_t>(*limit);
}

// What the answers are made of.
struct Source {
  const control::ServicesContext& context;
  const Record& record;

  [[nodiscard]] ordered_json rows(const std::vector<std::uint32_t>& rows) const {
    ordered_json list = ordered_json::array();
    for (const std::uint32_t row : rows) list.push_back(row_json(context, record, row));
    return list;
  }
  [[nodiscard]] absl::StatusOr<std::uint32_t> find(const std::string& id) const {
    const auto row = record.buckets.table.find(id);
    if (!row) return not_found("id", "bucket", id);
    return *row;
  }
};

Json tree(const Source& source, const Query& query) {
  const auto levels = parse_levels(query.all("level"));
  if (!levels.ok()) return levels.status();
  const auto sort = sort_of(query, "sort", SortBy::kName);
  if (!sort.ok()) return sort.status();
  const BucketTable& buckets = source.record.buckets.table;
  ordered_json list = ordered_json::array();
  for (const Level& level : *levels) {
    const auto parent = level.parent.empty() ? std::nullopt : buckets.find(level.parent);
    // Deleted since it was opened: its level is left out.
    if (!level.parent.empty() && !parent) continue;
    const auto all = parent ? buckets.children(*parent) : buckets.roots();
    list.push_back({{"parent", level.parent},
                    {"offset", level.offset},
                    {"total", all.size()},
                    {"rows", source.rows(buckets.sorted(all, *sort, level.offset, level.limit))},
                    {"flow_rules", flow_rules_json(source.record, level.parent)}});
  }
  return ordered_json{{"step", source.record.buckets.steps}, {"levels", std::move(list)}};
}

Json search(const Source& source, const Query& query) {
  const auto limit = limit_of(query);
  if (!limit.ok()) return limit.status();
  const BucketTable::Found found =
      source.record.buckets.table.search(query.get("q").value_or(""), *limit);
  return ordered_json{{"total", found.total}, {"rows", source.rows(found.rows)}};
}

Json top(const Source& source, const Query& query) {
  const auto limit = limit_of(query);
  if (!limit.ok()) return limit.status();
  const auto by = sort_of(query, "by", SortBy::kRate);
  if (!by.ok()) return by.status();
  return ordered_json{{"step", source.record.buckets.steps},
                      {"rows", source.rows(source.record.buckets.table.top(*by, *limit))}};
}

Json bucket(const Source& source, const Query& query) {
  const std::string id = query.get("id").value_or("");
  const auto row = source.find(id);
  if (!row.ok()) return row.status();
  ordered_json details = details_json(source.context, source.record, *row);
  if (details.is_null()) return not_found("id", "bucket", id);
  return details;
}

Json history(const Source& source, const Query& query) {
  const auto from = query.number("from", 0, 0, std::int64_t{1} << 52);
  if (!from.ok()) return from.status();
  const auto begin = static_cast<std::uint64_t>(*from);
  const std::optional<std::string> id = query.get("id");
  if (!id) return history_json(source.record, "", source.record.buckets.all, begin);
  const auto row = source.find(*id);
  if (!row.ok()) return row.status();
  const auto& history = source.record.buckets.table.rows()[*row].history;
  // Of a bucket that has been idle, or that is not among the busiest of very many.
  const History none(source.record.buckets.steps);
  return history_json(source.record, *id, history != nullptr ? *history : none, begin);
}

}  // namespace

Response Responder::answer(const http::Request& request) const {
  Response response = answer_without_headers(request);
  add_security_headers(response);
  return response;
}

Response Responder::answer_without_headers(const http::Request& request) const {
  if (loopback_only_ && !names_loopback(request.header("Host"))) {
    return refusal(421, "the page is served to localhost, 127.0.0.1 and [::1] only\n");
  }
  if (std::optional<Response> response = asset(request)) return *std::move(response);
  constexpr std::string_view kData = "/api/";
  if (request.path.starts_with(kData)) {
    return answer_data(request.path.substr(kData.size()), Query(request.query));
  }
  return refusal(404, "the page is at /\n");
}

Response Responder::answer_data(std::string_view name, const Query& query) const {
  using Answer = Json (*)(const Source&, const Query&);
  constexpr std::pair<std::string_view, Answer> kAnswers[] = {
      {"node",
       [](const Source& source, const Query&) -> Json {
         return node_json(source.context, source.record);
       }},
      {"tree", tree},
      {"search", search},
      {"top", top},
      {"bucket", bucket},
      {"history", history}};
  for (const auto& entry : kAnswers) {
    if (entry.first != name) continue;
    const Answer answer_to = entry.second;
    Json json;
    recorder_.with_record([&](const Record& record) {
      json = answer_to(Source{context_, record}, query);
    });
    if (json.ok()) return data(200, *json);
    const int code = absl::IsNotFound(json.status()) ? 404 : 400;
    return data(code, {{"error", std::string(json.status().message())}});
  }
  return data(404, {{"error", "there is no such data"}});
}

}  // namespace drip::web
