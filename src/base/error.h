// Errors as values. Every fallible function on the data path returns Result<T>; exceptions are for bugs and
// start-up.
#pragma once
#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace messina {

/// What an error means for the caller. This is the one vocabulary in which retries and exit codes are
/// decided: `aws/classify` and `net` produce it, `jobs` retry by it, `cli` turns it into an exit status (see
/// exit_code()).
enum class ErrorKind : std::uint8_t {
  usage,            ///< the command line or a plan is wrong
  config,           ///< the settings are well-formed but cannot work (no region, no credentials, bad CA file)
  denied,           ///< a permission or a signature is missing or wrong
  expired,          ///< credentials were valid once and are no longer
  not_found,        ///< the thing named does not exist
  exists,           ///< the thing to be made is there already
  busy,             ///< the thing is in a passing state (table CREATING, UPDATING): wait
  throttled,        ///< not executed; try again after a pause
  transient,        ///< not executed, or executed without effect (a read): try again
  unknown_outcome,  ///< a write that may or may not have happened, or may happen later (PROTOCOL rule 1)
  refused,          ///< the server will never take this data (ValidationException on a write)
  too_large,        ///< over a limit of the server: refused, but a smaller request may pass
  corrupt,          ///< an answer that is no answer: broken JSON, wrong CRC, cut body
  trimmed,          ///< the records asked for were kept long enough and are gone
  stale,            ///< what the request goes on from has expired (a shard's iterator): ask for a new one
  disk,             ///< the state directory cannot be read or written
  needs_person,     ///< gap, other owner, state in use, differing schema or table id
  stopped,          ///< a stop was asked for
  internal,         ///< a bug of ours
};

/// "throttled", "unknown_outcome", …: stable names for logs, JSON events and the ledger.
std::string_view to_string(ErrorKind kind);

/// What a throttling answer complained about (facts: ThrottlingReasons of DynamoDB's errors).
enum class ThrottleScope : std::uint8_t { none, table, account, key_range };

struct Error {
  ErrorKind kind = ErrorKind::internal;
  /// For people: names the thing, the cause and, where there is one, the way out. Never holds secrets or item
  /// contents.
  std::string message;
  /// The service's own code ("ResourceNotFoundException", "HTTP 503"), empty where there is none.
  std::string code = {};
  ThrottleScope scope = ThrottleScope::none;
  /// The pause that the server asked for (x-amz-retry-after), if it did.
  std::optional<std::chrono::milliseconds> retry_after = {};

  /// True for what a repeated attempt may cure without anybody's help.
  bool retryable() const {
    return kind == ErrorKind::throttled || kind == ErrorKind::transient || kind == ErrorKind::busy ||
           kind == ErrorKind::corrupt;
  }
};

template <class T>
using Result = std::expected<T, Error>;

/// `return fail(ErrorKind::config, "…")` in a function that returns Result<T>.
inline std::unexpected<Error> fail(ErrorKind kind, std::string message, std::string code = {}) {
  return std::unexpected<Error>(Error{kind, std::move(message), std::move(code)});
}
inline std::unexpected<Error> fail(Error error) { return std::unexpected<Error>(std::move(error)); }

/// The process's exit statuses; also printed by `messina --help`.
enum class ExitCode : int {
  done = 0,
  done_with_rejects = 1,  ///< done, with rejects or differences
  wrong_usage = 2,        ///< wrong usage, configuration or permission
  stopped = 3,            ///< stopped before the end: run it again
  needs_person = 4,       ///< gap, other owner or epoch, state in use, differing schema
};
ExitCode exit_code(ErrorKind kind);

/// What an error leaves behind, and so what a new run of the same command does.
enum class Left : std::uint8_t {
  nothing,   ///< the command asks, or does at once what it does
  no_place,  ///< a copy that has copied nothing yet
  place,     ///< a begun copy: it goes on from its place
};

/// The exit status of an error. Without a place to go on from, an address at which nobody answers and a state
/// directory that cannot be written are settings that somebody has to mend: wrong_usage. A begun job waits
/// out, or is started again after, what was well before: stopped.
ExitCode exit_of(const Error& error, Left left);

}  // namespace messina
