// SPDX-License-Identifier: BSD-3-Clause
// Sessions to begin with, every call of the API among them, as text of session.proto.
#pragma once

namespace drip::fuzz {

inline constexpr const char* kSessions[] = {
    R"(calls { configure_bucket { bucket_id: 'a' capacity: 10 leak_rate: 10 } }
       calls { allow_request { bucket_id: 'a' request_id: 'x1' } }
       calls { allow_request { bucket_id: 'a' request_id: 'x1' } }
       calls { allow_request { bucket_id: 'a' max_wait_ns: 0 peek: true } }
       calls { get_queued_requests { bucket_id: 'a' page_size: 1 } }
       calls { get_queued_requests { bucket_id: 'a' page_token: 'next' } }
       calls { advance { span_ns: 1000000000 } }
       calls { get_bucket_status { bucket_id: 'a' } }
       calls { await_turn { bucket_id: 'a' request_id: 'x2' remember_ns: 1000000000 } }
       calls { delete_bucket { bucket_id: 'a' mode: DELETE_MODE_DROP } })",
    R"(calls { configure_buckets {
         buckets { bucket_id: 'up' leak_rate_bps: 1e9 inner: true }
         buckets { bucket_id: 'web' capacity: 100 leak_rate_bps: 5e8 parent_id: 'up' guarantee_bps: 1e6
                   weight: 3 priority: 1 queue { kind: QUEUE_KIND_FAIR aqm: AQM_CODEL } }
         buckets { bucket_id: 'b' capacity: 5 leak_rate: 1 parent_id: 'up' } } }
       calls { configure_bucket { bucket_id: 'web' capacity: 50 expected_revision: 1 } }
       calls { configure_bucket { bucket_id: 'web' capacity: 60 expected_revision: 0 } }
       calls { list_buckets { page_size: 1 } }
       calls { list_buckets { page_token: 'next' filter { in_tree: true } } }
       calls { watch_buckets { filter { bucket_ids: 'web' } interval_ms: 1000 } }
       calls { list_changes { last: 2 page_size: 1 } }
       calls { list_changes { page_token: 'next' target: 'bucket b' caller: 'a' } }
       calls { list_changes { failed: true since: 1 after_number: 3 } }
       calls { delete_bucket { bucket_id: 'up' } }
       calls { delete_bucket { bucket_id: 'up' recursive: true expected_revision: 1 } })",
    R"(calls { configure_bucket { bucket_id: 'a' capacity: 10 leak_rate_bps: 1e6 } }
       calls { set_address_list { list { name: 'l1' prefixes: '10.0.0.0/8' prefixes: '::/0' } } }
       calls { set_rules { rule_set {
         rules { rule_id: 'r1' priority: 5 match { src_list: 'l1' dst_port { first: 80 last: 90 } }
                 bucket_id: 'a' set_dscp: 5 }
         rules { rule_id: 'r2' match { inner: true ip_protocol: 6 tcp_flags: 2 } drop: true }
         default_bucket_id: 'a' control_protocols: '-glbp' } expected_revision: 1 } }
       calls { set_rule { rule { rule_id: 'r3' match { src_mac: '02:00:00:00:00:00/24' }
         per_flow { key: FLOW_KEY_SOURCE max_flows: 10 by_vlan: true
                    bucket { leak_rate: 10 capacity: 5 } } } } }
       calls { packets { bucket: 1 bytes: 100 count: 5 } }
       calls { list_rules { page_size: 1 } } calls { list_rules { page_token: 'next' } }
       calls { set_address_list { list { name: 'l1' prefixes: '192.0.2.0/24' }
                                  mode: ADDRESS_LIST_MODE_ADD } }
       calls { list_address_lists { name: 'l1' page_size: 1 } }
       calls { explain { frame: '\002\000\000\000\000\002\002\000\000\000\000\001\010\006aaaa'
                         ingress_port: 'lan' } }
       calls { delete_address_list { name: 'l1' } } calls { delete_rule { rule_id: 'r1' } }
       calls { delete_bucket { bucket_id: 'a' } })",
    R"(calls { configure_bucket { bucket_id: 'a' capacity: 3 leak_rate: 100 departure: DEPARTURE_AT_END
                                  max_catchup_ns: 1000 } }
       calls { allow_requests { entries { bucket_id: 'a' count: 2 }
                                entries { bucket_id: 'a' count: 5 all_or_none: true }
                                entries { bucket_id: 'b' request_id: 'x1' } } }
       calls { await_turns { entries { bucket_id: 'a' tag: 7 }
                             entries { bucket_id: 'a' max_wait_ns: 1 tag: 8 } } }
       calls { engine_fault { apply: true swap: true } }
       calls { configure_bucket { bucket_id: 'a' capacity: 4 } }
       calls { set_rule { rule { rule_id: 'r1' pass: true } } }
       calls { watch_top { sort: TOP_SORT_RATE tree: true limit: 10 } }
       calls { capture { bucket_id: 'a' max_frames: 1 duration_ms: 10 } })",
    R"(calls { get_leader { } } calls { get_cluster_status { } } calls { get_cluster_shares { } }
       calls { forget_node { node_id: 'n2' } } calls { get_bucket_traffic { bucket_id: 'a' } }
       calls { list_ports { } } calls { list_lcores { } } calls { get_node { } }
       calls { configure_bucket { bucket_id: 'c' capacity: 5 leak_rate: 1 scope: SCOPE_CLUSTER
                 sharing: SHARING_SPLIT weights { key: 'n1' value: 3 } } })"};

}  // namespace drip::fuzz
