// SPDX-License-Identifier: BSD-3-Clause
// A thread reads the stream, the main thread draws.
#include "cli/commands/bucket/plot.h"

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "cli/fields/rate_meter.h"
#include "cli/output/output.h"
#include "cli/plot/bucket_plot.h"
#include "cli/screen/terminal.h"
#include "cli/screen/text.h"
#include "cli/session/flags.h"
#include "cli/session/interruption.h"

namespace drip::cli {
namespace {

using Stream = grpc::ClientReader<v1::WatchBucketsResponse>;

// Of one bucket's states.
class PlotSource {
 public:
  PlotSource(Session& session, const v1::WatchBucketsRequest& request)
      : stream_(session.connection.shaper(&context_).WatchBuckets(&context_, request)) {}

  // The sample of the next interval, and what is fixed into `plot`; none at the end of the stream.
  std::optional<PlotSample> next(BucketPlot& plot) {
    v1::WatchBucketsResponse states;
    while (stream_->Read(&states)) {
      for (const v1::Bucket& bucket : states.buckets()) {
        const std::optional<Rates> rates = meter_.update(bucket, states.monotonic_ns());
        // By bits if it leaks any: of a tree's node without a rate, if bits leave.
        if (bucket.true_leak_rate_bps() > 0 || bucket.true_leak_rate() > 0) {
          plot.in_bits = bucket.true_leak_rate_bps() > 0;
        }
        plot.capacity = bucket.capacity();
        if (!rates) continue;
        PlotSample sample;
        sample.time_ms = states.time();
        sample.rate = plot.in_bits ? rates->processed_bps : rates->processed_per_second;
        sample.ceiling = plot.in_bits ? bucket.true_leak_rate_bps() : bucket.true_leak_rate();
        sample.lost_per_second = rates->rejected_per_second + rates->dropped_per_second;
        sample.backlog = bucket.queue_size();
        return sample;
      }
    }
    return std::nullopt;
  }
  // Ends next(). Any thread.
  void cancel() { context_.TryCancel(); }
  grpc::ClientContext& context() { return context_; }
  grpc::Status finish() { return stream_->Finish(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<Stream> stream_;
  RateMeter meter_;
};

Exit plot_as_text(Session& session, const v1::WatchBucketsRequest& request, BucketPlot plot,
                  std::uint64_t count) {
  const sigset_t signals = block_interrupts();
  PlotSource source(session, request);
  Interruption interruption(signals, &source.context());
  bool open = true;
  for (std::uint64_t shown = 0; open && shown < count; ++shown) {
    const std::optional<PlotSample> sample = source.next(plot);
    open = sample.has_value();
    if (!open) break;
    plot.samples.clear();
    plot.add(*sample);
    if (shown == 0) print_line(plot_titles());
    print_line(plot_line(plot));
    // The reader closed the pipe, or the disk is full. main() reports it.
    if (std::fflush(stdout) != 0) break;
  }
  // Cancelling a stream that the server has ended would hide its error.
  if (open) source.cancel();
  const grpc::Status status = source.finish();
  if (!open && !interruption.happened()) session.connection.check(status);
  return Exit::kOk;
}

// What the reading thread has read.
class Feed {
 public:
  Feed(PlotSource& source, BucketPlot plot, Terminal& terminal)
      : source_(source), terminal_(terminal), plot_(std::move(plot)), thread_([this] { run(); }) {}
  ~Feed() {
    // Cancelling a stream that the server has ended would hide its error.
    if (!ended()) source_.cancel();
    thread_.join();
  }
  BucketPlot plot() {
    const std::lock_guard lock(mutex_);
    return plot_;
  }
  bool ended() {
    const std::lock_guard lock(mutex_);
    return ended_;
  }

 private:
  void run() {
    BucketPlot read = plot();
    while (const std::optional<PlotSample> sample = source_.next(read)) {
      read.add(*sample);
      {
        const std::lock_guard lock(mutex_);
        plot_ = read;
      }
      terminal_.wake();
    }
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    terminal_.wake();
  }

  PlotSource& source_;
  Terminal& terminal_;
  std::mutex mutex_;
  BucketPlot plot_;
  bool ended_ = false;
  std::thread thread_;
};

bool quits(const Key& key) {
  return key.kind == Key::Kind::kEscape ||
         (key.kind == Key::Kind::kCharacter && (key.character == 'q' || key.character == 'Q'));
}

// Until a key, a signal, or the end of the stream; true for the last one.
bool draw(Terminal& terminal, Feed& feed) {
  while (true) {
    terminal.paint(plot_frame(feed.plot(), terminal.width(), terminal.height()));
    switch (terminal.wait()) {
      case Terminal::Event::kInterrupted:
        return false;
      case Terminal::Event::kResized:
        break;
      case Terminal::Event::kWoken:
        if (feed.ended()) return true;
        break;
      case Terminal::Event::kKeys:
        while (const std::optional<Key> key = terminal.read_key()) {
          if (quits(*key)) return false;
        }
        break;
    }
  }
}

Exit plot_on_screen(Session& session, const v1::WatchBucketsRequest& request, BucketPlot plot) {
  const sigset_t signals = block_terminal_signals();
  bool ended = false;
  PlotSource source(session, request);
  {
    std::unique_ptr<Terminal> terminal;
    try {
      terminal = std::make_unique<Terminal>(signals, "--count");
    } catch (const std::runtime_error& error) {
      source.cancel();
      (void)source.finish();
      throw UsageError(error.what());
    }
    Feed feed(source, std::move(plot), *terminal);
    ended = draw(*terminal, feed);
  }
  const grpc::Status status = source.finish();
  if (ended) session.connection.check(status);
  return Exit::kOk;
}

}  // namespace

Exit plot_bucket(Session& session, const v1::WatchBucketsRequest& request, std::uint64_t count) {
  if (session.json) throw UsageError("--plot and --json: without --plot JSON has the rates");
  if (request.filter().bucket_ids_size() != 1) {
    throw UsageError("--plot draws one bucket: give its name");
  }
  use_utf8();
  BucketPlot plot;
  plot.bucket_id = request.filter().bucket_ids(0);
  if (request.interval_ms() != 0) plot.interval_ms = request.interval_ms();
  const bool terminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
  return terminal && count == kUnbounded ? plot_on_screen(session, request, std::move(plot))
                                         : plot_as_text(session, request, std::move(plot), count);
}

}  // namespace drip::cli
