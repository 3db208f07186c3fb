#include "base/error.h"

namespace messina {

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
      return "usage";
    case ErrorKind::config:
      return "config";
    case ErrorKind::denied:
      return "denied";
    case ErrorKind::expired:
      return "expired";
    case ErrorKind::not_found:
      return "not_found";
    case ErrorKind::exists:
      return "exists";
    case ErrorKind::busy:
      return "busy";
    case ErrorKind::throttled:
      return "throttled";
    case ErrorKind::transient:
      return "transient";
    case ErrorKind::unknown_outcome:
      return "unknown_outcome";
    case ErrorKind::refused:
      return "refused";
    case ErrorKind::too_large:
      return "too_large";
    case ErrorKind::corrupt:
      return "corrupt";
    case ErrorKind::trimmed:
      return "trimmed";
    case ErrorKind::stale:
      return "stale";
    case ErrorKind::disk:
      return "disk";
    case ErrorKind::needs_person:
      return "needs_person";
    case ErrorKind::stopped:
      return "stopped";
    case ErrorKind::internal:
      return "internal";
  }
  return "internal";
}

ExitCode exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
    case ErrorKind::config:
    case ErrorKind::denied:
    case ErrorKind::expired:
    case ErrorKind::not_found:
    case ErrorKind::exists:
    case ErrorKind::refused:
    case ErrorKind::too_large:
      return ExitCode::wrong_usage;
    case ErrorKind::trimmed:
    case ErrorKind::needs_person:
      return ExitCode::needs_person;
    case ErrorKind::busy:
    case ErrorKind::throttled:
    case ErrorKind::transient:
    case ErrorKind::unknown_outcome:
    case ErrorKind::corrupt:
    case ErrorKind::stale:
    case ErrorKind::disk:
    case ErrorKind::stopped:
    case ErrorKind::internal:
      return ExitCode::stopped;
  }
  return ExitCode::stopped;
}

ExitCode exit_of(const Error& error, Left left) {
  // Services put a code on their own errors: without one no answer came at all.
  const bool no_answer = error.kind == ErrorKind::transient && error.code.empty();
  if (left != Left::place && (no_answer || error.kind == ErrorKind::disk)) return ExitCode::wrong_usage;
  return exit_code(error.kind);
}

}  // namespace messina
