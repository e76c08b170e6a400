// SPDX-License-Identifier: BSD-3-Clause
// How packets wait in a bucket, as flags and as text.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "cli/output/output.h"
#include "drip/v1/bucket.pb.h"

namespace drip::cli {

/// Adds --queue, --isolate, --aqm, --target, --interval, --l4s-threshold, --tins, --wash, --quantum
/// and --max-wait. `queue` gives the message that they set.
void add_queue_settings(CLI::App* app, const std::function<v1::QueueConfig&()>& queue);

/// "fair by flow, codel 5ms/100ms, diffserv4, wash"; "fifo" for what has no such settings.
std::string queue_in_words(const v1::QueueConfig& config);
/// Of a bucket that has, or had, another queue than plain FIFO.
void add_queue_properties(const v1::Bucket& bucket, Properties* properties);

}  // namespace drip::cli
