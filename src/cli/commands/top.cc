// SPDX-License-Identifier: BSD-3-Clause
// The command `top`: a thread reads, the main thread draws and takes keys.
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>

#include "base/quantity.h"
#include "cli/commands/commands.h"
#include "cli/output/output.h"
#include "cli/screen/terminal.h"
#include "cli/screen/text.h"
#include "cli/session/flags.h"
#include "cli/top/columns.h"
#include "cli/top/top_frame.h"
#include "cli/top/top_source.h"

namespace drip::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kShortest{100};  // As the server allows.
constexpr milliseconds kFirst{500};     // Until the first rates are known.

struct Settings {
  milliseconds interval{1000};
  bool once = false;
  std::uint64_t count = 0;  // Of texts; 0: until interrupted.
  std::size_t rows = 50;    // Of a text.
  TopView view;
};

// Somewhat less than the interval, so that a tick that comes early measures as well.
std::uint32_t age_for(milliseconds interval) {
  return static_cast<std::uint32_t>(std::max(kShortest, interval * 9 / 10).count());
}

// Reads on a thread of its own, at each interval and when the view changes.
class Feed {
 public:
  Feed(Connection& connection, milliseconds interval, const TopView& view, Terminal& terminal)
      : source_(connection), interval_(interval), view_(view), terminal_(terminal) {
    thread_ = std::thread([this] { run(); });
  }
  ~Feed() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    source_.cancel();
    thread_.join();
  }
  void show(const TopView& view) {
    {
      const std::lock_guard lock(mutex_);
      view_ = view;
      view_changed_ = true;
    }
    changed_.notify_all();
  }
  // What was read since the last call, if anything. Throws what the reading has thrown.
  std::optional<Screenful> take() {
    const std::lock_guard lock(mutex_);
    if (error_ != nullptr) std::rethrow_exception(error_);
    return std::exchange(screen_, std::nullopt);
  }

 private:
  void run() {
    std::uint32_t age = static_cast<std::uint32_t>(kShortest.count());
    try {
      std::unique_lock lock(mutex_);
      auto next = std::chrono::steady_clock::now();
      while (!stopping_) {
        const v1::WatchTopRequest request = view_.request(age);
        view_changed_ = false;
        lock.unlock();
        const Screenful& screen = source_.fetch(request);
        lock.lock();
        screen_ = screen;
        terminal_.wake();
        const bool first = screen.top.measured_over_ns() == 0;
        const auto now = std::chrono::steady_clock::now();
        if (now >= next) next = now + (first ? std::min(kFirst, interval_) : interval_);
        age = first ? static_cast<std::uint32_t>(kShortest.count()) : age_for(interval_);
        changed_.wait_until(lock, next, [&] { return stopping_ || view_changed_; });
      }
    } catch (const std::exception&) {
      const std::lock_guard lock(mutex_);
      error_ = std::current_exception();
      terminal_.wake();
    }
  }

  TopSource source_;
  const milliseconds interval_;
  std::mutex mutex_;
  std::condition_variable changed_;
  TopView view_;
  bool view_changed_ = false;
  bool stopping_ = false;
  std::optional<Screenful> screen_;
  std::exception_ptr error_;
  Terminal& terminal_;
  std::thread thread_;
};

Exit show_screen(Session& session, const Settings& settings) {
  const sigset_t signals = block_terminal_signals();
  TopView view = settings.view;
  std::unique_ptr<Terminal> terminal;
  try {
    terminal = std::make_unique<Terminal>(signals, "--once");
  } catch (const std::runtime_error& error) {
    throw UsageError(error.what());
  }
  Screenful screen;
  const auto page = [&] { return top_page(top_header(screen, view).size(), terminal->height()); };
  view.page = page();
  Feed feed(session.connection, settings.interval, view, *terminal);
  while (true) {
    bool fetch = false;
    switch (terminal->wait()) {
      case Terminal::Event::kInterrupted:
        return Exit::kOk;
      case Terminal::Event::kResized:
        fetch = true;
        break;
      case Terminal::Event::kWoken:
        if (std::optional<Screenful> read = feed.take()) screen = *std::move(read);
        view.rows = screen.top.rows();
        break;
      case Terminal::Event::kKeys:
        while (const std::optional<Key> key = terminal->read_key()) {
          const TopView::Action action = view.on_key(*key);
          if (action == TopView::Action::kQuit) return Exit::kOk;
          fetch = fetch || action == TopView::Action::kFetch;
        }
        break;
    }
    fetch = view.page != page() || fetch;
    view.page = page();
    fetch = view.keep_in_range() || fetch;
    if (fetch) feed.show(view);
    terminal->paint(top_frame(screen, view, terminal->width(), terminal->height()));
  }
}

void print_screen(const Screenful& screen, const TopView& view, bool json) {
  if (!json) {
    for (const std::string& line : top_text(screen, view)) print_line(line);
    return;
  }
  nlohmann::ordered_json whole = to_json(screen.top);
  if (screen.node) whole["node"] = to_json(*screen.node);
  nlohmann::ordered_json ports = nlohmann::ordered_json::array();
  for (const PortNow& now : screen.ports) {
    nlohmann::ordered_json port = to_json(now.port);
    port["rx_bps"] = now.rx_bps;
    port["tx_bps"] = now.tx_bps;
    port["rx_per_second"] = now.rx_per_second;
    port["tx_per_second"] = now.tx_per_second;
    ports.push_back(std::move(port));
  }
  whole["ports"] = std::move(ports);
  print_line(whole.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

Exit show_text(Session& session, const Settings& settings) {
  TopView view = settings.view;
  view.page = settings.rows;
  TopSource source(session.connection);
  // What the first rates are the difference from.
  (void)source.fetch(view.request(static_cast<std::uint32_t>(kShortest.count())));
  const std::uint64_t count = settings.once ? 1 : settings.count;
  for (std::uint64_t shown = 0; count == 0 || shown < count; ++shown) {
    std::this_thread::sleep_for(settings.interval);
    const Screenful& screen = source.fetch(view.request(age_for(settings.interval)));
    view.rows = screen.top.rows();
    if (shown > 0 && !session.json) print_line("");
    print_screen(screen, view, session.json);
    // The reader closed the pipe, or the disk is full. main() reports it.
    if (std::fflush(stdout) != 0) break;
  }
  return Exit::kOk;
}

Exit show(Session& session, const Settings& settings) {
  use_utf8();
  const bool terminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
  const bool text = settings.once || settings.count > 0 || session.json || !terminal;
  return text ? show_text(session, settings) : show_screen(session, settings);
}

Parsed<v1::TopSort> parse_sort(std::string_view text) {
  std::string allowed;
  for (const TopColumn& column : all_top_columns()) {
    if (column.word.empty()) continue;
    if (column.word == text) return column.sort;
    allowed.append(allowed.empty() ? "" : ", ").append(column.word);
  }
  return not_allowed<v1::TopSort>(text, allowed);
}

}  // namespace

void add_top_command(CommandLine* line) {
  CLI::App* command = line->add_command(
      "top", "What buckets do now: rates against ceilings, backlog, sojourn, losses");
  auto settings = std::make_shared<Settings>();
  line->set_default_subcommand(command,
                               [settings](Session& session) { return show(session, *settings); });
  command->footer(
      "Keys: ? shows them. Without a terminal, or with --once, --count or --json: plain text.\n"
      "Examples:\n  dripctl top --tree\n  dripctl top --sort p99 --filter cust-\n"
      "  dripctl top --once --rows 10\n  dripctl top --count 2 --interval 200ms --json");
  add_parsed(
      command, "--interval", "DURATION", "Over which rates are measured, 100ms to 1h [1s]",
      [](std::string_view text) -> Parsed<std::chrono::nanoseconds> {
        const auto interval = parse_duration(text);
        if (interval && (*interval < kShortest || *interval > std::chrono::hours(1))) {
          return not_allowed<std::chrono::nanoseconds>(text, "100ms to 1h");
        }
        return interval;
      },
      [settings](std::chrono::nanoseconds interval) {
        settings->interval = std::chrono::duration_cast<milliseconds>(interval);
      });
  add_parsed(command, "--sort", "COLUMN", "id, rate, use, units, backlog, p50, p99 or loss [rate]",
             parse_sort, [settings](v1::TopSort sort) { settings->view.sort = sort; });
  command->add_flag("--reverse", settings->view.reverse, "The smallest first");
  command->add_flag("--tree", settings->view.tree, "Trees instead of leaves beside one another");
  command
      ->add_option("--filter", settings->view.filter,
                   "Only ids that contain TEXT, without regard to case")
      ->type_name("TEXT");
  command->add_flag("--once", settings->once, "One table of plain text, after one interval");
  add_whole<std::uint64_t>(command, "--count", "So many tables of plain text",
                           [settings](std::uint64_t count) { settings->count = count; });
  add_parsed(
      command, "--rows", "N", "Rows of a table of plain text, 1 to 500 [50]",
      [](std::string_view text) { return parse_integer(text, 1, 500); },
      [settings](std::int64_t rows) { settings->rows = static_cast<std::size_t>(rows); });
}

}  // namespace drip::cli
