// SPDX-License-Identifier: BSD-3-Clause
// ncurses draws; signals and other threads are waited for by poll(), so that no handler runs in the
// middle of anything.
#include "cli/screen/terminal.h"

#define NCURSES_NOMACROS 1
#define NCURSES_WIDECHAR 1
#include <errno.h>
#include <ncurses.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace drip::cli {
namespace {

constexpr int kEscapeDelayMs = 25;

chtype attributes_of(Style style, bool colours) {
  const auto pair = [&](short number) { return colours ? COLOR_PAIR(number) : A_NORMAL; };
  switch (style) {
    case Style::kPlain:
      return A_NORMAL;
    case Style::kStrong:
      return A_BOLD;
    case Style::kDim:
      return A_DIM;
    case Style::kGood:
      return pair(1);
    case Style::kBusy:
      return pair(2);
    case Style::kBad:
      return pair(3) | A_BOLD;
    case Style::kName:
      return pair(4);
    case Style::kTitle:
      return A_REVERSE;
    case Style::kKey:
      return pair(4) | A_BOLD;
  }
  return A_NORMAL;
}

bool wants_colours() {
  const char* const no_color = std::getenv("NO_COLOR");  // https://no-color.org
  return (no_color == nullptr || *no_color == '\0') && has_colors();
}

}  // namespace

struct Terminal::Screen {
  SCREEN* curses = nullptr;
  bool colours = false;
};

sigset_t block_terminal_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

Terminal::Terminal(const sigset_t& signals, std::string_view plain_text_flag) {
  SCREEN* const curses = newterm(nullptr, stdout, stdin);
  if (curses == nullptr) {
    const char* const name = std::getenv("TERM");
    throw std::runtime_error("TERM: '" + std::string(name == nullptr ? "" : name) +
                             "' is no terminal that curses knows; allowed: one of terminfo, or "
                             "for plain text " +
                             std::string(plain_text_flag));
  }
  screen_ = new Screen{curses, false};
  signals_ = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  woken_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  set_escdelay(kEscapeDelayMs);
  cbreak();
  noecho();
  nonl();
  curs_set(0);
  keypad(stdscr, true);
  nodelay(stdscr, true);
  screen_->colours = wants_colours();
  if (screen_->colours) {
    start_color();
    use_default_colors();
    init_pair(1, COLOR_GREEN, -1);
    init_pair(2, COLOR_YELLOW, -1);
    init_pair(3, COLOR_RED, -1);
    init_pair(4, COLOR_CYAN, -1);
  }
}

Terminal::~Terminal() {
  endwin();
  delscreen(screen_->curses);
  delete screen_;
  close(signals_);
  close(woken_);
}

std::size_t Terminal::width() const { return static_cast<std::size_t>(getmaxx(stdscr)); }
std::size_t Terminal::height() const { return static_cast<std::size_t>(getmaxy(stdscr)); }

void Terminal::paint(const Frame& frame) {
  werase(stdscr);
  for (std::size_t y = 0; y < frame.size() && y < height(); ++y) {
    wmove(stdscr, static_cast<int>(y), 0);
    for (const Span& span : frame[y].spans()) {
      wattrset(stdscr, static_cast<int>(attributes_of(span.style, screen_->colours)));
      // An error is the end of the line.
      if (waddstr(stdscr, span.text.c_str()) == ERR || getcury(stdscr) > static_cast<int>(y)) break;
    }
  }
  wattrset(stdscr, static_cast<int>(A_NORMAL));
  wrefresh(stdscr);
}

Terminal::Event Terminal::wait() {
  while (true) {
    pollfd files[] = {{STDIN_FILENO, POLLIN, 0}, {signals_, POLLIN, 0}, {woken_, POLLIN, 0}};
    if (poll(files, 3, -1) < 0 && errno != EINTR) return Event::kInterrupted;
    signalfd_siginfo signal{};
    if (read(signals_, &signal, sizeof signal) == sizeof signal) {
      if (signal.ssi_signo == SIGWINCH) {
        winsize size{};
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) resizeterm(size.ws_row, size.ws_col);
        return Event::kResized;
      }
      if (signal.ssi_signo != SIGTSTP) return Event::kInterrupted;
      suspend();
      return Event::kResized;
    }
    if ((files[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) return Event::kInterrupted;
    if ((files[0].revents & POLLIN) != 0) return Event::kKeys;
    std::uint64_t times = 0;
    if (read(woken_, &times, sizeof times) == sizeof times) return Event::kWoken;
  }
}

void Terminal::suspend() {
  def_prog_mode();
  endwin();
  kill(getpid(), SIGSTOP);
  reset_prog_mode();
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) resizeterm(size.ws_row, size.ws_col);
  wrefresh(stdscr);
}

std::optional<Key> Terminal::read_key() {
  wint_t code = 0;
  const int result = wget_wch(stdscr, &code);
  if (result == ERR) return std::nullopt;
  using Kind = Key::Kind;
  if (result == KEY_CODE_YES) {
    switch (code) {
      case KEY_UP:
        return Key{Kind::kUp};
      case KEY_DOWN:
        return Key{Kind::kDown};
      case KEY_LEFT:
        return Key{Kind::kLeft};
      case KEY_RIGHT:
        return Key{Kind::kRight};
      case KEY_PPAGE:
        return Key{Kind::kPageUp};
      case KEY_NPAGE:
        return Key{Kind::kPageDown};
      case KEY_HOME:
        return Key{Kind::kHome};
      case KEY_END:
        return Key{Kind::kEnd};
      case KEY_BACKSPACE:
        return Key{Kind::kBackspace};
      case KEY_ENTER:
        return Key{Kind::kEnter};
      default:
        return Key{};  // One that means nothing.
    }
  }
  if (code == '\r' || code == '\n') return Key{Kind::kEnter};
  if (code == 27) return Key{Kind::kEscape};
  if (code == 8 || code == 127) return Key{Kind::kBackspace};
  return Key{Kind::kCharacter, static_cast<wchar_t>(code)};
}

void Terminal::wake() {
  const std::uint64_t one = 1;
  (void)!write(woken_, &one, sizeof one);
}

}  // namespace drip::cli
