// Draws a running job: a line redrawn on a terminal, plain lines off one, or JSON events.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "jobs/progress_board.h"
#include "jobs/tables_progress.h"

namespace messina::console {

enum class Style : std::uint8_t {
  terminal,  ///< one line on stderr, redrawn 5 times a second
  plain,     ///< a line on stderr every 10 s
  json,      ///< a progress event on stdout every second
  quiet,     ///< no progress
};

/// Where text goes; handed in so that tests see it.
struct Output {
  std::function<void(std::string_view)> out;  ///< stdout
  std::function<void(std::string_view)> err;  ///< stderr
  std::function<std::size_t()> width;         ///< columns of the terminal, asked before each drawing
};
/// The process's own. Errors of stdout (closed pipe, full disk) are remembered: see stdout_failed().
Output process_output();
bool stdout_failed();

/// Thread-safe. At most one Display at a time takes the log's lines (log::set_writer) while it lives.
class Display {
 public:
  Display(const jobs::ProgressBoard& board, Output output, Style style, const Clock& clock);
  /// Stops drawing and clears the line.
  ~Display();
  Display(const Display&) = delete;
  Display& operator=(const Display&) = delete;

  /// Draws many tables from `progress` instead of the board's one. Before start(); what it calls outlives
  /// stop().
  void watch_tables(std::function<jobs::TablesProgress()> progress) { tables_ = std::move(progress); }

  /// Starts the thread that calls tick().
  void start();
  /// Ends it and clears the line; later lines go straight out. Idempotent.
  void stop();
  /// Draws once, if there is something to draw.
  void tick();
  /// Whole lines beside the redrawn one: to stderr, or to stdout.
  void say(std::string_view lines);
  void result(std::string_view lines);

 private:
  void clear_line();
  void draw();
  void redraw(std::string line);
  void serve();

  const jobs::ProgressBoard& board_;
  const Output output_;
  const Style style_;
  const Clock& clock_;
  std::function<jobs::TablesProgress()> tables_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  bool stopped_ = false;
  std::string drawn_;  ///< what stands on the terminal's line now
  std::thread thread_;
};

}  // namespace messina::console
