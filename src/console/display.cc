#include "console/display.h"

#include <atomic>
#include <cerrno>

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "console/events.h"
#include "console/numbers.h"
#include "console/progress_text.h"
#include "console/tables_text.h"

namespace messina::console {
namespace {

/// Set once stdout takes no more; a process has one stdout.
std::atomic<bool> stdout_is_broken{false};

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      // Whoever shares the pipe has made it non-blocking.
      pollfd full{fd, POLLOUT, 0};
      ::poll(&full, 1, -1);
      continue;
    }
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

std::chrono::milliseconds interval_of(Style style) {
  switch (style) {
    case Style::terminal:
      return std::chrono::milliseconds(200);
    case Style::plain:
      return std::chrono::seconds(10);
    case Style::json:
      return std::chrono::seconds(1);
    case Style::quiet:
      break;
  }
  return std::chrono::hours(1);
}

}  // namespace

bool stdout_failed() { return stdout_is_broken; }

Output process_output() {
  return {.out =
              [](std::string_view text) {
                if (!write_all(STDOUT_FILENO, text)) stdout_is_broken = true;
              },
          .err = [](std::string_view text) { write_all(STDERR_FILENO, text); },
          .width =
              [] {
                static constexpr std::size_t kUnknownWidth = 80;
                winsize size{};
                if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kUnknownWidth;
                return static_cast<std::size_t>(size.ws_col);
              }};
}

Display::Display(const jobs::ProgressBoard& board, Output output, Style style, const Clock& clock)
    : board_(board), style_(style), clock_(clock), queue_(std::move(output)) {
  log::set_writer([this](std::string_view line) { say(line); });
}

Display::~Display() {
  stop();
  log::set_writer({});
}

void Display::start() {
  if (style_ != Style::quiet) thread_ = std::thread([this] { serve(); });
}

void Display::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  // Not under the lock: whoever has something to say meanwhile shall not wait.
  queue_.flush();
  {
    const std::lock_guard lock(mutex_);
    clear_line();
    stopped_ = true;
    say_what_was_left_out();
  }
  queue_.flush();
}

void Display::serve() {
  std::unique_lock lock(mutex_);
  const auto pause = [&] { wake_.wait_for(lock, interval_of(style_), [this] { return stopping_; }); };
  // In a log, a run that is over at once needs no progress.
  if (style_ == Style::plain) pause();
  while (!stopping_) {
    draw();
    pause();
  }
}

void Display::tick() {
  const std::lock_guard lock(mutex_);
  draw();
}

void Display::redraw(std::string line) {
  if (line == drawn_) return;
  // One write, and the rest of the old line is erased behind the new one: nothing flickers.
  if (queue_.offer(OutputQueue::Stream::err, "\r" + line + "\x1b[K")) drawn_ = std::move(line);
}

void Display::draw() {
  using Stream = OutputQueue::Stream;
  if (stopped_ || style_ == Style::quiet || !queue_.idle()) return;
  if (tables_) {
    const jobs::TablesProgress progress = tables_();
    if (style_ == Style::terminal) redraw(tables_terminal_line(progress, queue_.width()));
    if (style_ == Style::plain) queue_.offer(Stream::err, tables_plain_line(progress) + "\n");
    if (style_ == Style::json) queue_.offer(Stream::out, tables_progress_events(clock_.wall(), progress));
    return;
  }
  const jobs::Progress progress = board_.snapshot();
  // Nothing was published yet.
  if (progress.phase.empty()) return;
  if (style_ == Style::terminal) redraw(terminal_line(progress, queue_.width()));
  if (style_ == Style::plain) queue_.offer(Stream::err, plain_line(progress) + "\n");
  if (style_ == Style::json) queue_.offer(Stream::out, progress_event(clock_.wall(), progress) + "\n");
}

void Display::clear_line() {
  if (drawn_.empty()) return;
  if (queue_.offer(OutputQueue::Stream::err, "\r\x1b[K")) drawn_.clear();
}

bool Display::offer_lines(std::string_view lines) {
  if (drawn_.empty()) return queue_.offer(OutputQueue::Stream::err, lines);
  return queue_.offer(OutputQueue::Stream::err, "\r\x1b[K" + std::string(lines) + drawn_);
}

void Display::say_what_was_left_out() {
  // With --quiet nothing tells whether it would have to be JSON.
  if (left_out_ == 0 || style_ == Style::quiet) return;
  const std::string text = fmt::format("{} left out here: nobody was reading", counted(left_out_, "message"));
  const std::string line = style_ == Style::json ? notice_event(clock_.wall(), "warning", text) : text;
  if (offer_lines(line + "\n")) left_out_ = 0;
}

void Display::say(std::string_view lines) {
  const std::lock_guard lock(mutex_);
  say_what_was_left_out();
  if (!offer_lines(lines)) ++left_out_;
}

void Display::result(std::string_view lines) {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      clear_line();
      if (queue_.offer_result(lines)) return;
    }
    queue_.wait_for_room();
  }
}

void Display::flush() { queue_.flush(); }

}  // namespace messina::console
