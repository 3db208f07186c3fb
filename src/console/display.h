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
#include "console/output_queue.h"
#include "jobs/progress_board.h"
#include "jobs/tables_progress.h"

namespace messina::console {

enum class Style : std::uint8_t {
  terminal,  ///< one line on stderr, redrawn 5 times a second
  plain,     ///< a line on stderr every 10 s
  json,      ///< a progress event on stdout every second
  quiet,     ///< no progress
};

/// The process's own. Errors of stdout (closed pipe, full disk) are remembered: see stdout_failed().
Output process_output();
bool stdout_failed();

/// Thread-safe. At most one Display at a time takes the log's lines (log::set_writer) while it lives.
///
/// Nobody reads stdout or stderr, and their pipe is full: only result() and stop() wait for a reader then.
/// Progress is left out while earlier text is not written, since the next says more; lines of say() wait in
/// memory up to OutputQueue::kMostBytes, and later ones are left out and counted, which is said as soon as
/// there is room again, but with Style::quiet. Results are never left out.
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
  /// Ends it, clears the line and waits until all is written. Lines may follow; the next stop(), or the end,
  /// waits for them. Idempotent.
  void stop();
  /// Draws once, if there is something to draw.
  void tick();
  /// Whole lines to stderr, beside the redrawn one. Never waits.
  void say(std::string_view lines);
  /// Whole lines to stdout. Waits while too much is not read yet: not for an event loop.
  void result(std::string_view lines);
  /// Waits until all that was said is written.
  void flush();

 private:
  void clear_line();
  void draw();
  void redraw(std::string line);
  void serve();
  /// Lines on stderr; false: they were left out.
  bool offer_lines(std::string_view lines);
  void say_what_was_left_out();

  const jobs::ProgressBoard& board_;
  const Style style_;
  const Clock& clock_;
  std::function<jobs::TablesProgress()> tables_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  bool stopped_ = false;
  std::string drawn_;           ///< what stands on the terminal's line when all is written
  std::uint64_t left_out_ = 0;  ///< calls of say() since it was last told
  OutputQueue queue_;
  std::thread thread_;
};

}  // namespace messina::console
