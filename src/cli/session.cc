#include "cli/session.h"

#include <cstdlib>

#include <unistd.h>

#include "base/log.h"
#include "console/events.h"
#include "console/progress_text.h"

namespace messina::cli {
namespace {

console::Style style_of(const OutputFlags& flags) {
  if (flags.quiet) return console::Style::quiet;
  if (flags.json) return console::Style::json;
  const char* terminal = std::getenv("TERM");
  const bool can_redraw =
      ::isatty(STDERR_FILENO) == 1 && terminal != nullptr && std::string_view(terminal) != "dumb";
  return can_redraw ? console::Style::terminal : console::Style::plain;
}

}  // namespace

Session::Session(const OutputFlags& flags)
    : json_(flags.json),
      quiet_(flags.quiet),
      board_(clock_),
      display_(board_, console::process_output(), style_of(flags), clock_),
      signals_(stop_, [this] {
        if (!looks_on_) notice("info", "stopping at the next safe point; a second Ctrl-C stops at once");
      }) {
  log::init(spdlog::level::from_str(flags.log_level), flags.json);
}

void Session::notice(std::string_view level, const std::string& message) {
  if (json_) {
    display_.say(console::notice_event(clock_.wall(), level, message) + "\n");
  } else if (!quiet_ || level != "info") {
    display_.say(console::one_line(message) + "\n");
  }
}

void Session::result(const std::string& text, const std::string& event) {
  display_.result(json_ ? event + "\n" : text);
}

std::string error_text(const Error& error, Left left) {
  std::string text = "messina: " + console::one_line(error.message) + "\n";
  switch (error.kind) {
    case ErrorKind::throttled:
    case ErrorKind::transient:
    case ErrorKind::busy:
    case ErrorKind::corrupt:
    case ErrorKind::unknown_outcome:
    case ErrorKind::disk:
      text += left == Left::place
                  ? "messina: not finished; run the same command again and it goes on from here\n"
              : left == Left::no_place
                  ? "messina: nothing was copied yet; put that right, then run the same command again\n"
                  : "messina: put that right, then run the same command again\n";
      break;
    case ErrorKind::internal:
      text += "messina: this is a bug of messina; please report it with this message\n";
      break;
    default:
      break;
  }
  return text;
}

ExitCode Session::failed(const Error& error, Left left) {
  const ExitCode exit = exit_of(error, left);
  display_.stop();
  display_.say(json_ ? console::error_event(clock_.wall(), error, exit) + "\n" : error_text(error, left));
  return exit;
}

}  // namespace messina::cli
