#include "aws/server_clock.h"

#include <algorithm>
#include <array>

#include "aws/times.h"
#include "base/log.h"

namespace messina::aws {
namespace {

constexpr std::array<std::string_view, 3> kClockCodes = {"RequestExpired", "RequestTimeTooSkewed",
                                                         "RequestInTheFuture"};
/// Source: the clock-skew rules of the AWS SDKs for Java and JavaScript.
constexpr std::array<std::string_view, 4> kSignatureCodes = {
    "InvalidSignatureException", "SignatureDoesNotMatch", "AuthFailure", "InvalidSignature"};
constexpr std::array<std::string_view, 4> kClockWords = {"Signature expired", "Signature not yet current",
                                                         "is now earlier than", "is still later than"};

std::string minutes_text(WallTime::duration offset) {
  const auto seconds = std::chrono::abs(std::chrono::duration_cast<std::chrono::seconds>(offset)).count();
  return seconds < 120 ? fmt::format("{} s", seconds) : fmt::format("{} min", (seconds + 30) / 60);
}

}  // namespace

bool blames_clock(const Error& refusal) {
  return std::ranges::find(kClockCodes, refusal.code) != kClockCodes.end() ||
         (may_be_clock(refusal) && std::ranges::any_of(kClockWords, [&](std::string_view words) {
            return refusal.message.find(words) != std::string::npos;
          }));
}

bool may_be_clock(const Error& refusal) {
  return std::ranges::find(kSignatureCodes, refusal.code) != kSignatureCodes.end() ||
         std::ranges::find(kClockCodes, refusal.code) != kClockCodes.end();
}

WallTime ServerClocks::known(const net::Origin& origin, WallTime wall) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [server, offset] : offsets_)
    if (server == origin) return wall + offset;
  return wall;
}

bool ServerClocks::correct(const net::Origin& origin, const Error& refusal, const net::Headers& headers,
                           WallTime signed_at, WallTime wall, std::string_view display) {
  if (!may_be_clock(refusal)) return false;
  const auto header = headers.find("Date");
  const auto date = header ? parse_http_date(*header) : std::nullopt;
  if (!date) return false;
  const WallTime::duration least = blames_clock(refusal) ? kBlamedClockError : kSuspectedClockError;
  if (std::chrono::abs(*date - signed_at) < least) return false;
  const WallTime::duration offset = *date - wall;
  const std::lock_guard lock(mutex_);
  const auto entry = std::ranges::find(offsets_, origin, [](const auto& pair) { return pair.first; });
  const bool first = entry == offsets_.end();
  // Many requests are refused at once: one of them corrects it.
  const bool news = first || std::chrono::abs(entry->second - offset) >= kBlamedClockError;
  if (first)
    offsets_.emplace_back(origin, offset);
  else
    entry->second = offset;
  any_.store(true, std::memory_order_relaxed);
  if (news && std::chrono::abs(offset) < kBlamedClockError)
    log::info("{}: this machine's clock and the server's agree again", display);
  else if (news)
    log::warn(
        "{}: this machine's clock is {} {} the server's: requests are signed with the server's time; set the "
        "clock "
        "right",
        display, minutes_text(offset), offset > WallTime::duration::zero() ? "behind" : "ahead of");
  return true;
}

}  // namespace messina::aws
