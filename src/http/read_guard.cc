// SPDX-License-Identifier: BSD-3-Clause
#include "http/read_guard.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "base/text.h"

namespace drip::http {
namespace {

constexpr std::string_view kBasic = "basic ";

// As the API has it: "Bearer TOKEN". None if there is no such header.
std::optional<std::string> authorization_of(const Request& request) {
  const std::string_view header = request.header("Authorization");
  if (header.empty()) return std::nullopt;
  const std::string scheme = absl::AsciiStrToLower(std::string(header.substr(0, kBasic.size())));
  if (scheme != kBasic) return std::string(header);
  std::string pair;
  const std::string encoded(header.substr(kBasic.size()));
  if (!absl::Base64Unescape(encoded, &pair)) return std::string(header);
  const std::size_t colon = pair.find(':');
  return "Bearer " + (colon == std::string::npos ? std::string() : pair.substr(colon + 1));
}

Response refusal(int code, std::string_view why) {
  Response response{
      code, "text/plain; charset=utf-8", std::string(why) + "\n", {{"Cache-Control", "no-store"}}};
  if (code == 401) {
    response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"drip\", charset=\"UTF-8\"");
    response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"drip\"");
  }
  return response;
}

}  // namespace

Server::Handler require_read(const access::AccessControl& access, Server::Handler handler) {
  return [&access, handler = std::move(handler)](const Request& request) {
    access::Presented presented;
    if (access.is_controlled()) {
      presented.authorization = authorization_of(request);
      presented.is_private = true;
      presented.is_local = true;
    }
    const absl::StatusOr<access::CallerRef> caller = access.identify(presented);
    // Each role may read.
    if (!caller.ok()) {
      return refusal(401, joined(message_of(caller.status()),
                                 "; as the password of any user, or as a bearer token"));
    }
    if (!(*caller)->prefix.empty()) {
      return refusal(403, joined("what is here is about all buckets; seen as ", (*caller)->name,
                                 ", who may see those that begin with ", (*caller)->prefix));
    }
    return handler(request);
  };
}

}  // namespace drip::http
