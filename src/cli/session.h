// What every command works with: where it writes, how it is stopped, what time it is.
#pragma once
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/async.h"
#include "base/clock.h"
#include "base/error.h"
#include "cli/signals.h"
#include "console/display.h"
#include "jobs/progress_board.h"

namespace messina::cli {

/// Flags that every command has.
struct OutputFlags {
  bool json = false;
  bool quiet = false;
  std::string log_level = "warning";
};

class Session {
 public:
  explicit Session(const OutputFlags& flags);

  const Clock& clock() const { return clock_; }
  Stop& stop() { return stop_; }
  jobs::ProgressBoard& board() { return board_; }
  console::Display& display() { return display_; }
  bool json() const { return json_; }
  /// The work is another process's: a stop ends only this one's view of it, and is not announced.
  void only_looks_on() { looks_on_ = true; }

  /// One line for people on stderr, or a notice event there.
  void notice(std::string_view level, const std::string& message);
  /// An event with --json, else the text; on stdout.
  void result(const std::string& text, const std::string& event);
  /// "messina: …" on stderr, or an error event there, and what to do next. Returns the exit status.
  ExitCode failed(const Error& error, Left left = Left::nothing);

 private:
  SystemClock clock_;
  const bool json_;
  const bool quiet_;
  std::atomic<bool> looks_on_{false};
  Stop stop_;
  jobs::ProgressBoard board_;
  console::Display display_;
  Signals signals_;
};

/// The text of an error for a terminal: "messina: …\n", with the next step for what can be run again.
std::string error_text(const Error& error, Left left = Left::nothing);

}  // namespace messina::cli
