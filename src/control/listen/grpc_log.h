// SPDX-License-Identifier: BSD-3-Clause
// What gRPC and Protobuf write by themselves, to the log.
#pragma once

namespace drip::control {

/// Sends the lines of gRPC and Protobuf to the log at their own level. A client can cause such a
/// line with every message (a string that is not UTF-8, say), so of each library one line a second
/// is logged and the others are counted. For the whole process; before either is used.
void log_grpc_lines();

/// Logs how many lines were suppressed more than a second ago, if no line has said so since. To be
/// called about once a second.
void log_suppressed_grpc_lines();

}  // namespace drip::control
