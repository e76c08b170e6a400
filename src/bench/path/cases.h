// SPDX-License-Identifier: BSD-3-Clause
// The cases of drip-bench that run dripd's packet path in this process, beside librte_sched.
#pragma once

#include "absl/status/status.h"
#include "bench/path/bench_options.h"

namespace drip::bench {

/// `cost`: cycles a packet, nothing throttled. For each number of buckets and each order,
/// interleaved:
/// - `straight`: admit and depart, where a packet leaves at the start of its service;
/// - `scheduled`: admit, schedule, depart, where it leaves at the end of its service;
/// - `librte_sched`: enqueue and dequeue, up to its 65536 pipes;
/// - `source`: rx and tx alone; `parse`, `classify`: with these stages added; `whole`: dripd's
/// loop.
[[nodiscard]] absl::Status run_cost(const Bench& bench);

/// `throttled`: packets arrive at a pace, as at a NIC with a receive ring of 4096; each bucket's
/// rate is half of what comes to it, so all of them are backlogged all the time. Queues are full
/// before it is measured. For each number of buckets, first departures (staggered and in step, see
/// throttled/load.h) and path (flat buckets, dripd's whole loop, fair queues, trees with the root
/// at the bottleneck, and librte_sched for the first and the last of these):
/// - `load`: at each offered rate what leaves, what the receive ring misses, how much of the core
///   it takes, and the cycles a packet received;
/// - `most`: the highest rate that leaves within 0.5 % of what is allowed while the receive ring
///   misses less than 3 %, by bisection; librte_sched, with the same ring, is held to 3 % of the
///   rate;
/// - `loops`: how long the longest loop takes by itself, without what the machine takes meanwhile.
[[nodiscard]] absl::Status run_throttled(const Bench& bench);

/// `precision`: one bucket with a backlog, alone and beside `--buckets` others that are busy with
/// half of what the core can do; librte_sched's pipe of the same rate, alone. Shown for each rate:
/// the distance of gaps from the ideal gap, with and without the gaps that a stall of the machine
/// touched (loops of more than 1 us, measured in the same loop), the long-run rate against
/// CLOCK_MONOTONIC_RAW, and the most that was ever out beyond the leaky-bucket curve.
[[nodiscard]] absl::Status run_precision(const Bench& bench);

/// `scale`: dripd's engine on `--cores` real threads between sources and sinks, as fast as it goes,
/// nothing throttled. Buckets are made in turns on the cores; where their packets come is emulated
/// (scale_layout.h):
/// - `one`: a fused core; all that follow are of `--cores` of them;
/// - `private`: to each core come packets of its own buckets only;
/// - `arbitrary`: the packets of a bucket come to one core, by a hash: as many as there are cores
///   have one right;
/// - `arbitrary, after the moves`: the same once buckets have been moved to where their packets
///   come, by the rules' counters, as dripd does;
/// - `wrong`: they come to one core that is never the owner;
/// - `shared`: packets of any bucket come to any core;
/// - `worker + transmitter`: half of the cores receive, the others have all buckets.
[[nodiscard]] absl::Status run_scale(const Bench& bench);

/// `moves`: how long the jobs of one move of buckets to another CPU keep a polling thread, for 1
/// and as many buckets as move together, with full rings of 64 to 4096 entries.
[[nodiscard]] absl::Status run_moves(const Bench& bench);

/// `spread`: one spread root of 10 Gbit/s on two cores, to each of which come up to 10 Gbit/s,
/// others every 10 ms, together never less than the rate: how much of it is used, how many packets
/// were ever beyond it in any time, and whether the shares added up to more at any look. Then what
/// leaves where nothing is throttled, on one core and on two.
[[nodiscard]] absl::Status run_spread(const Bench& bench);

/// `trees`: cycles a packet through one tree, in closed loops in virtual time, with packets of any
/// leaf in turn; `--buckets` are its leaves, `--only` is one of these bottlenecks:
/// - `root`: all leaves have packets, as many depart as the root allows; librte_sched with the same
///   levels (port, subport, pipe, queue) beside it, without any rate that binds;
/// - `leaves`: the same where the leaves' own rates are the bottleneck;
/// - `idle`: each packet finds its path idle and leaves at once; by levels above the leaf, and
///   librte_sched's enqueue and dequeue.
[[nodiscard]] absl::Status run_trees(const Bench& bench);

/// `queues`: cycles that a packet takes out of a leaf's queue and into it again, in bursts over
/// leaves with a constant backlog: the ring of a flat bucket, fair queues, and these with COBALT.
[[nodiscard]] absl::Status run_queues(const Bench& bench);

/// `memory`: resident memory of this process, as the kernel counts it, before and after each part
/// of `--buckets` buckets has been made by dripd's own code; in bytes a bucket. Nothing is computed
/// from the sizes of types. Parts that are there from the start whatever the number of buckets, as
/// the wheel's slots, are divided by it as well, so a small number shows more.
[[nodiscard]] absl::Status run_memory(const Bench& bench);

}  // namespace drip::bench
