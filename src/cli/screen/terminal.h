// SPDX-License-Identifier: BSD-3-Clause
// The terminal while a program has all of it.
#pragma once

#include <signal.h>

#include <optional>
#include <string_view>

#include "cli/screen/frame.h"

namespace drip::cli {

struct Key {
  enum class Kind {
    kCharacter,
    kEnter,
    kEscape,
    kBackspace,
    kUp,
    kDown,
    kLeft,
    kRight,
    kPageUp,
    kPageDown,
    kHome,
    kEnd
  };
  Kind kind = Kind::kCharacter;
  wchar_t character = 0;  // kCharacter.
};

// Blocks the signals that a Terminal handles by itself (SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH)
// in this thread and in those that it starts later. Before gRPC starts threads.
sigset_t block_terminal_signals();

// Takes the terminal of standard input and output, and gives it back as it was when destroyed.
// There is one at a time. One thread.
class Terminal {
 public:
  // `signals` are blocked. Throws std::runtime_error for a terminal that cannot do what it takes;
  // it says that `plain_text_flag` of the command does without.
  Terminal(const sigset_t& signals, std::string_view plain_text_flag);
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  std::size_t width() const;
  std::size_t height() const;
  void paint(const Frame& frame);

  enum class Event { kKeys, kResized, kWoken, kInterrupted };
  // Waits for one. kKeys: read_key() has some. kInterrupted: by SIGINT, SIGTERM, SIGHUP, or because
  // the terminal is gone. A stop (Ctrl-Z) is handled here: the terminal is given back for the time.
  Event wait();
  std::optional<Key> read_key();
  // Lets wait() return kWoken. Any thread.
  void wake();

 private:
  void suspend();

  int signals_ = -1;
  int woken_ = -1;
  struct Screen;
  Screen* screen_ = nullptr;
};

}  // namespace drip::cli
