// SPDX-License-Identifier: BSD-3-Clause
// The command `capture`: copies of a bucket's frames, into a file that tcpdump reads.
#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/quantity.h"
#include "cli/commands/commands.h"
#include "cli/fields/pcap_file.h"
#include "cli/output/output.h"
#include "cli/session/flags.h"
#include "cli/session/interruption.h"

namespace drip::cli {
namespace {

constexpr std::uint32_t kMostSnapBytes = 16384;  // As the server allows.

struct Settings {
  v1::CaptureRequest request;
  std::string path;
};

// What was captured so far.
struct Summary {
  std::uint64_t frames = 0;
  std::uint64_t cut = 0;                          // Longer than the snap length.
  std::map<std::string, std::uint64_t> outcomes;  // By drop reason; empty: admitted.
  v1::CaptureResponse last;                       // Its counts.

  // Copied, but not sent before the end.
  std::uint64_t left_behind() const {
    const std::uint64_t known = frames + last.passed_over() + last.lost();
    return last.matched() > known ? last.matched() - known : 0;
  }
};

std::string end_in_words(v1::CaptureEnd end) {
  switch (end) {
    case v1::CAPTURE_END_FRAMES:
      return "it reached --count";
    case v1::CAPTURE_END_BYTES:
      return "it reached --max-bytes";
    case v1::CAPTURE_END_TIME:
      return "its time was over";
    case v1::CAPTURE_END_BUCKET:
      return "the bucket was deleted, or its flow ended";
    default:
      return "it was interrupted";
  }
}

// To standard error: standard output may be the capture.
void print_text(const Settings& settings, const Summary& summary) {
  std::string text = fmt::format("{} frames of bucket {} captured; {}\n", summary.frames,
                                 settings.request.bucket_id(), end_in_words(summary.last.end()));
  for (const auto& [reason, count] : summary.outcomes) {
    text += fmt::format("  {}: {}\n", reason.empty() ? "admitted" : reason, count);
  }
  if (summary.cut > 0) text += fmt::format("  {} of them cut, see --snap\n", summary.cut);
  const std::uint64_t others = summary.last.passed_over() + summary.last.lost();
  if (others + summary.left_behind() == 0) {
    text += "no other frame of the kind came\n";
  } else {
    text += fmt::format(
        "of {} that came: {} passed over by --one-in, {} lost because copies were not taken away "
        "in time, {} after the last one\n",
        summary.last.matched(), summary.last.passed_over(), summary.last.lost(),
        summary.left_behind());
  }
  fmt::print(stderr, "{}", text);
}

void print_json(const Settings& settings, const Summary& summary) {
  nlohmann::ordered_json json;
  json["bucket_id"] = settings.request.bucket_id();
  json["output"] = settings.path;
  json["captured"] = summary.frames;
  json["cut"] = summary.cut;
  json["outcomes"] = nlohmann::ordered_json::object();
  for (const auto& [reason, count] : summary.outcomes) {
    json["outcomes"][reason.empty() ? "admitted" : reason] = count;
  }
  json["matched"] = summary.last.matched();
  json["passed_over"] = summary.last.passed_over();
  json["lost"] = summary.last.lost();
  json["end"] = v1::CaptureEnd_Name(summary.last.end());
  print(json);
}

void write(const v1::CaptureResponse& response, PcapFile& file, Summary& summary) {
  for (const v1::CapturedFrame& captured : response.captured()) {
    file.add(captured.frame(), captured.frame_bytes(), captured.time_ns());
    ++summary.frames;
    summary.cut += captured.frame().size() < captured.frame_bytes() ? 1 : 0;
    ++summary.outcomes[captured.drop_reason()];
  }
  file.flush();
}

Exit run(Session& session, const Settings& settings) {
  if (session.json && settings.path == "-") {
    throw UsageError("--json and --output -: both would be on standard output");
  }
  const sigset_t signals = block_interrupts();
  grpc::ClientContext context;
  Interruption interruption(signals, &context);
  const auto stream = session.connection.shaper(&context).Capture(&context, settings.request);
  Summary summary;
  v1::CaptureResponse response;
  // Made when the capture has begun: a file of before stays if it is refused.
  std::unique_ptr<PcapFile> file;
  while (stream->Read(&response)) {
    if (file == nullptr) {
      const std::uint32_t snap = settings.request.snap_bytes();
      file = std::make_unique<PcapFile>(settings.path, snap == 0 ? kMostSnapBytes : snap);
      if (isatty(STDERR_FILENO) == 1) fmt::print(stderr, "capturing; Ctrl-C ends it\n");
    }
    write(response, *file, summary);
    response.clear_captured();
    summary.last = response;
  }
  const grpc::Status status = stream->Finish();
  if (!interruption.happened()) session.connection.check(status);
  session.json ? print_json(settings, summary) : print_text(settings, summary);
  return Exit::kOk;
}

}  // namespace

void add_capture_command(CommandLine* line) {
  CLI::App* command = line->add_command(
      "capture", "Copies frames that a bucket takes, rejects or drops into a capture file");
  auto settings = std::make_shared<Settings>();
  line->set_default_subcommand(command,
                               [settings](Session& session) { return run(session, *settings); });
  command->footer(
      "Examples:\n  dripctl capture --bucket web --rejected -o web.pcap\n"
      "  dripctl capture --bucket web --snap 1514 --one-in 100 --for 30s -o web.pcap\n"
      "  dripctl capture --bucket web -o - | tcpdump -r - -n");
  const std::shared_ptr<v1::CaptureRequest> request(settings, &settings->request);
  command
      ->add_option_function<std::string>(
          "--bucket", [request](const std::string& id) { request->set_bucket_id(id); },
          "Name of the bucket, or RULE/FLOW for that of a flow")
      ->required()
      ->type_name("NAME");
  command->add_option("-o,--output", settings->path, "The file, made anew; - is standard output")
      ->required()
      ->type_name("FILE");
  CLI::Option* const rejected = command->add_flag_callback(
      "--rejected", [request] { request->set_frames(v1::CAPTURE_FRAMES_LOST); },
      "Only frames that the bucket rejected, or that its queue dropped");
  command
      ->add_flag_callback(
          "--admitted", [request] { request->set_frames(v1::CAPTURE_FRAMES_ADMITTED); },
          "Only frames that the bucket took")
      ->excludes(rejected);
  add_parsed(
      command, "--snap", "BYTES", "The first bytes of each frame, 1 to 16384 [128]",
      [](std::string_view text) { return parse_integer(text, 1, kMostSnapBytes); },
      [request](std::int64_t bytes) {
        request->set_snap_bytes(static_cast<std::uint32_t>(bytes));
      });
  add_parsed(
      command, "--one-in", "N", "Of so many frames one, 1 to 1000000 [1]",
      [](std::string_view text) { return parse_integer(text, 1, 1'000'000); },
      [request](std::int64_t count) { request->set_one_in(static_cast<std::uint32_t>(count)); });
  add_parsed(
      command, "--count", "N", "End after so many frames, 1 to 1000000 [1000]",
      [](std::string_view text) { return parse_integer(text, 1, 1'000'000); },
      [request](std::int64_t count) {
        request->set_max_frames(static_cast<std::uint32_t>(count));
      });
  add_parsed(
      command, "--max-bytes", "BYTES", "End after so many copied bytes, 1 to 1GiB [64MiB]",
      [](std::string_view text) -> Parsed<std::uint64_t> {
        const auto bytes = parse_bytes(text);
        if (bytes && (*bytes == 0 || *bytes > std::uint64_t{1} << 30)) {
          return not_allowed<std::uint64_t>(text, "1 to 1GiB");
        }
        return bytes;
      },
      [request](std::uint64_t bytes) { request->set_max_bytes(bytes); });
  add_parsed(
      command, "--for", "DURATION", "End after this time, 100ms to 1h [10s]",
      [](std::string_view text) -> Parsed<std::chrono::nanoseconds> {
        const auto span = parse_duration(text);
        if (span && (span->count() % 1'000'000 != 0 || *span < std::chrono::milliseconds(100) ||
                     *span > std::chrono::hours(1))) {
          return not_allowed<std::chrono::nanoseconds>(text, "100ms to 1h in whole milliseconds");
        }
        return span;
      },
      [request](std::chrono::nanoseconds span) {
        request->set_duration_ms(static_cast<std::uint32_t>(span.count() / 1'000'000));
      });
}

}  // namespace drip::cli
