// SPDX-License-Identifier: BSD-3-Clause
#include "control/listen/listen_address.h"

#include <grp.h>
#include <pwd.h>

#include <charconv>
#include <system_error>

#include "absl/status/status.h"
#include "base/errors.h"
#include "base/text.h"

namespace drip::control {
namespace {

template <class Number>
std::optional<Number> number_of(std::string_view text, int base) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

absl::Status refused(std::string_view option, std::string_view value, std::string_view allowed) {
  return not_allowed(joined("listen: ", option), quoted(value), allowed);
}

absl::Status set_unix_option(std::string_view option, const std::string& value,
                             ListenAddress& address) {
  if (option == "mode") {
    address.mode = number_of<mode_t>(value, 8);
    if (!address.mode || *address.mode > 0777) {
      return refused(option, value, "an octal mode from 0000 to 0777, such as 0660");
    }
    return absl::OkStatus();
  }
  if (option == "owner") {
    address.owner = number_of<uid_t>(value, 10);
    if (!address.owner) {
      const passwd* const user = getpwnam(value.c_str());
      if (user == nullptr) return refused(option, value, "a user of this machine, or a uid");
      address.owner = user->pw_uid;
    }
    return absl::OkStatus();
  }
  if (option == "group") {
    address.group = number_of<gid_t>(value, 10);
    if (!address.group) {
      const ::group* const group = getgrnam(value.c_str());
      if (group == nullptr) return refused(option, value, "a group of this machine, or a gid");
      address.group = group->gr_gid;
    }
    return absl::OkStatus();
  }
  return refused("option", option, "mode, owner, group for a unix socket");
}

absl::Status set_tcp_option(std::string_view option, std::string_view value,
                            ListenAddress& address) {
  if (option != "tls") return refused("option", option, "tls for a TCP address");
  if (value != "on" && value != "off") return refused(option, value, "on, off");
  address.tls = value == "on";
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ListenAddress> parse_listen_address(std::string_view text) {
  ListenAddress address;
  const std::size_t comma = text.find(',');
  address.address = text.substr(0, comma);
  std::string_view rest =
      comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(','), rest.size());
    const std::string_view one = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t equals = one.find('=');
    if (equals == std::string_view::npos) {
      return refused("option", one,
                     address.is_unix() ? "mode=0660, owner=USER, group=GROUP" : "tls=off");
    }
    const std::string_view option = one.substr(0, equals);
    const std::string value(one.substr(equals + 1));
    const absl::Status status = address.is_unix() ? set_unix_option(option, value, address)
                                                  : set_tcp_option(option, value, address);
    if (!status.ok()) return status;
  }
  return address;
}

}  // namespace drip::control
