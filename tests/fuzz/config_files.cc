// SPDX-License-Identifier: BSD-3-Clause
// Any text as dripd's configuration file: what is refused names its line, and buckets and rules
// that are accepted are read again as the same from what is written of them.
#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

#include "base/text.h"
#include "control/convert/convert_bucket_config.h"
#include "control/convert/convert_rule.h"
#include "daemon/config_file.h"
#include "fuzz/support/byte_source.h"
#include "fuzz/support/fuzz_target.h"
#include "fuzz/support/memory_file.h"
#include "fuzz/support/message_bytes.h"
#include "fuzz/support/toml_text.h"

namespace drip::fuzz {
namespace {

// `path:line:column: field: reason`
void check_error(const absl::Status& error, const std::string& path) {
  std::string_view text = message_of(error);
  require(text.starts_with(path + ":"), "an error begins with the file's name");
  text.remove_prefix(path.size());
  for (int number = 0; number < 2; ++number) {
    require(text.starts_with(':'), "line and column are in it");
    text.remove_prefix(1);
    const auto is_digit = [](unsigned char c) { return std::isdigit(c) != 0; };
    const auto digits = std::find_if_not(text.begin(), text.end(), is_digit);
    require(digits != text.begin() && text.front() != '0', "they count from 1");
    text.remove_prefix(static_cast<std::size_t>(digits - text.begin()));
  }
  require(text.starts_with(": ") && text.find(": ", 2) != std::string_view::npos,
          "field and reason are in it");
}

std::string toml_of(const control::NodeConfig& config) {
  std::string text = table_lines(config.rules);
  // Its lists are tables of their own in files that people write; inline they are the same.
  for (const v1::BucketConfig& bucket : config.buckets) {
    text += "[[buckets]]\n" + table_lines(bucket);
  }
  return text;
}

bool is_same(const control::NodeConfig& a, const control::NodeConfig& b) {
  return bytes_of(a.rules) == bytes_of(b.rules) &&
         std::equal(a.buckets.begin(), a.buckets.end(), b.buckets.begin(), b.buckets.end(),
                    [](const v1::BucketConfig& one, const v1::BucketConfig& other) {
                      return bytes_of(one) == bytes_of(other);
                    });
}

// As the control plane reads it: an error's field has a line in the file.
void check_meaning(const control::NodeConfig& config, const std::string& path) {
  const auto check = [&](const absl::Status& status) {
    if (!status.ok()) check_error(daemon::locate(path, status), path);
  };
  for (std::size_t i = 0; i < config.buckets.size(); ++i) {
    check(control::read_patch(config.buckets[i], joined("buckets[", i, "].")).status());
  }
  check(control::read_rule_set(config.rules, "rules.").status());
}

}  // namespace

std::vector<std::string> seeds() {
  return {
      "default_bucket_id = \"a\"\nprotect_control_traffic = false\ncontrol_protocols = "
      "[\"-glbp\"]\n"
      "[[buckets]]\nbucket_id = \"a\"\nleak_rate_bps = \"100mbit\"\ncapacity = 1000\n"
      "capacity_bytes = \"1mb\"\nmax_catchup_ns = \"100ms\"\n"
      "[[buckets]]\nbucket_id = \"j\"\nleak_rate = 10.5\ndeparture = \"DEPARTURE_AT_END\"\n"
      "weights = {n1 = 3, n2 = 0}\nscope = \"SCOPE_CLUSTER\"\n",
      "[[rules]]\nrule_id = \"web\"\npriority = 20\n"
      "match = { ip_protocol = 6, dst_port = { first = 443, last = 443 }, ingress_port = \"lan\" "
      "}\n"
      "bucket_id = \"web\"\n[[rules]]\nrule_id = \"v\"\nmatch = { dscp = 46 }\npass = true\n"
      "[[rules]]\nrule_id = \"c\"\nmatch = { src_prefix = \"198.51.100.0/24\" }\n"
      "[rules.per_flow]\nkey = \"FLOW_KEY_SOURCE\"\nmax_flows = 254\nidle_timeout_ms = \"30s\"\n"
      "overflow = \"FLOW_OVERFLOW_SHARED\"\nbucket = { leak_rate_bps = \"10mbit\", capacity = 100 "
      "}\n",
      "[[address_lists]]\nname = \"o\"\nprefixes = [\"192.0.2.0/24\", \"2001:db8::/48\"]\n"
      "[[rules]]\nrule_id = \"o\"\nmatch = { src_list = \"o\", inner = true }\ndrop = true\n",
      "[node]\nid = \"n\"\nlisten = [\"127.0.0.1:50051\"]\nlog_level = \"warn\"\ndrain = \"5s\"\n"
      "traffic_samples = 100\neal = [\"--a\"]\n[placement]\ncpus = [1]\nidle = \"busy\"\n"
      "realtime_priority = 5\n[memory]\nmbufs = 65535\nring_memory = \"1gb\"\nhugepages = "
      "\"never\"\n"
      "overcommit = 2.5\n",
      "[cluster]\nurl = \"redis://h\"\nheartbeat = \"100ms\"\n[metrics]\nlisten = \"9464\"\n"
      "buckets = \"top:100\"\n[web]\nlisten = \"8080\"\n[tls]\ncert = \"c\"\nkey = \"k\"\n"
      "[[access]]\nuri = \"spiffe://e/*\"\nrole = \"operate\"\nprefix = \"web/\"\n"
      "[[access]]\nlocal = true\nrole = \"admin\"\n",
      "[[ports]]\nname = \"lan\"\ndevice = \"0000:03:00.0\"\npeer = \"wan\"\nmtu = 1500\n"
      "[[ports]]\nname = \"wan\"\ndevice = \"net_af_xdp0,iface=eth1\"\npeer = \"lan\"\n",
      "[[buckets]]\nbucket_id = \"q\"\nleak_rate = 1.8446744073709552e19\nparent_id = \"p\"\n"
      "guarantee = inf\nqueue = { kind = \"QUEUE_KIND_FAIR\", aqm = \"AQM_CODEL\" }\n"};
}

}  // namespace drip::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drip;        // NOLINT(google-build-using-namespace)
  using namespace drip::fuzz;  // NOLINT(google-build-using-namespace)
  static const MemoryFile kFile;
  const std::string path = kFile.path();
  kFile.write(text_of({data, size}));
  daemon::Options options;
  if (const absl::Status read = daemon::read_options(path, options); !read.ok()) {
    check_error(read, path);
  }
  if (const auto access = daemon::read_access_rules(path); !access.ok()) {
    check_error(access.status(), path);
  }
  const auto config = daemon::read_initial_config(path);
  if (!config.ok()) {
    check_error(config.status(), path);
    return 0;
  }
  check_meaning(*config, path);
  kFile.write(toml_of(*config));
  const auto again = daemon::read_initial_config(path);
  require(again.ok(), "what is written of a configuration is accepted");
  require(is_same(*config, *again), "a configuration reads back as the same");
  return 0;
}
