// SPDX-License-Identifier: BSD-3-Clause
#include "control/rpc/clients/client_table.h"

#include <memory>

#include "absl/strings/str_replace.h"

namespace drip::control {

ClientRef ClientTable::find(std::string_view name, TimePoint now) {
  MutexLock lock(mutex_);
  if (const auto known = clients_.find(name); known != clients_.end()) return known->second;
  if (clients_.size() >= kMost) {
    // Nobody else has it, and nobody can get it meanwhile.
    absl::erase_if(clients_, [&](const auto& one) {
      return one.second.use_count() == 1 && one.second->idle(now);
    });
  }
  if (clients_.size() >= kMost) {
    if (others_ == nullptr) {
      others_ = std::make_shared<Client>("all beyond the first clients", limits_);
    }
    return others_;
  }
  auto client = std::make_shared<Client>(std::string(name), limits_);
  clients_.emplace(std::string(name), client);
  return client;
}

std::size_t ClientTable::size() const {
  MutexLock lock(mutex_);
  return clients_.size();
}

std::string address_of(std::string_view peer) {
  if (peer.starts_with("unix")) return "this machine";
  const std::size_t scheme = peer.find(':');
  const std::size_t port = peer.rfind(':');
  if (scheme == std::string_view::npos || port <= scheme) return std::string(peer);
  // gRPC writes addresses of IPv6 as in a URI.
  const std::string address(peer.substr(scheme + 1, port - scheme - 1));
  return absl::StrReplaceAll(address, {{"%5B", "["}, {"%5D", "]"}, {"%25", "%"}});
}

}  // namespace drip::control
