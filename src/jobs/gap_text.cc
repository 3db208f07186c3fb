#include "jobs/gap_text.h"

#include <chrono>
#include <string_view>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace messina::jobs {
namespace {

std::string time_text(std::int64_t unix_ms) {
  const std::chrono::sys_time<std::chrono::milliseconds> at{std::chrono::milliseconds(unix_ms)};
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}Z", std::chrono::floor<std::chrono::seconds>(at));
}

std::string cause_text(std::string_view cause, const std::string& detail) {
  if (cause == "position_too_old")
    return fmt::format("shard {} was not read for as long as its records are kept", detail);
  if (cause == "shard_lost") return fmt::format("shard {} is gone, and was not read to its end", detail);
  if (cause == "parent_unread")
    return fmt::format("shard {} came after one that is gone, and that was never read", detail);
  if (cause == "stream_ended")
    return fmt::format("the stream {} was switched off or replaced before it was read to its end", detail);
  return fmt::format("{} ({})", cause, detail);
}

}  // namespace

std::string gap_text(const state::GapRecord& gap) {
  // What waited in a spool was captured long before it was missed: it has no beginning.
  const std::string noticed = time_text(gap.noticed_unix_ms);
  if (gap.cause == "spool_missing")
    return fmt::format(
        "the spool beside the ledger is missing, and with it the changes that waited (noticed {})", noticed);
  if (gap.cause == "spool_older")
    return fmt::format(
        "the spool is older than the ledger knows it, and changes that waited are lost (noticed {})",
        noticed);
  const std::string text = cause_text(gap.cause, gap.detail);
  // Nothing is known of when it began where a stream ended while nobody looked.
  if (gap.since_unix_ms > 0)
    return fmt::format("{}: changes between {} and {} were missed", text, time_text(gap.since_unix_ms),
                       noticed);
  return fmt::format("{}: changes before {} were missed", text, noticed);
}

}  // namespace messina::jobs
