// SPDX-License-Identifier: BSD-3-Clause
#include "front/proxy/metadata.h"

#include <grpc/grpc.h>
#include <grpc/slice.h>

#include <map>
#include <string>

#include "control/origin/call_origin.h"
#include "control/origin/forwarded_origin.h"

namespace drip::front {
namespace {

std::string_view view_of(const grpc::string_ref& text) { return {text.data(), text.size()}; }

grpc_slice slice_of(std::string_view text) {
  return grpc_slice_from_static_buffer(text.data(), text.size());
}

// gRPC makes these itself for each connection.
bool is_of_transport(std::string_view key) {
  return key.starts_with("grpc-") || key.starts_with(":") || key == "user-agent" || key == "te" ||
         key == "content-type" || key == "host";
}

template <class Add>
void pass_on(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata, Add add) {
  for (const auto& [key, value] : metadata) {
    const std::string_view name = view_of(key);
    if (is_of_transport(name) || control::is_of_origin(name)) continue;
    if (!is_valid_metadata(name, view_of(value))) continue;
    add(std::string(name), std::string(view_of(value)));
  }
}

}  // namespace

bool is_valid_metadata(std::string_view key, std::string_view value) {
  const grpc_slice key_slice = slice_of(key);
  if (key.empty() || grpc_header_key_is_legal(key_slice) == 0) return false;
  return grpc_is_binary_header(key_slice) != 0 ||
         grpc_header_nonbin_value_is_legal(slice_of(value)) != 0;
}

void pass_on_request(const grpc::ServerContextBase& from, grpc::ClientContext& to) {
  const auto add = [&](const std::string& key, const std::string& value) {
    to.AddMetadata(key, value);
  };
  pass_on(from.client_metadata(), add);
  control::write_origin(control::origin_of(from), add);
}

void pass_on_initial(const grpc::ClientContext& from, grpc::ServerContextBase& to) {
  pass_on(from.GetServerInitialMetadata(), [&](const std::string& key, const std::string& value) {
    to.AddInitialMetadata(key, value);
  });
}

void pass_on_trailing(const grpc::ClientContext& from, grpc::ServerContextBase& to) {
  pass_on(from.GetServerTrailingMetadata(), [&](const std::string& key, const std::string& value) {
    to.AddTrailingMetadata(key, value);
  });
}

}  // namespace drip::front
