// How far servers' clocks are from this machine's: signatures carry a time, and a server takes only its own,
// give or take minutes.
#pragma once
#include <atomic>
#include <chrono>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "net/http.h"
#include "net/http_client.h"

namespace messina::aws {

/// The smallest error that is taken for the cause, of a refusal that blames the clock and of one that may
/// mean many things. The SDKs' rule: AWS takes 5 minutes or 15, as the service likes.
inline constexpr std::chrono::minutes kBlamedClockError{1}, kSuspectedClockError{4};

/// True if a refusal says that the signature's time is wrong.
bool blames_clock(const Error& refusal);
/// True if it may be the time: a wrong signature, by any name.
bool may_be_clock(const Error& refusal);

/// The offsets of a side's servers, each by itself. Thread-safe; shared by the loops of a side.
class ServerClocks {
 public:
  /// What to sign with, for a server whose offset is known; else `wall`.
  WallTime at(const net::Origin& origin, WallTime wall) const {
    return any_.load(std::memory_order_relaxed) ? known(origin, wall) : wall;
  }

  /// Looks at a refusal of a request that was signed with `signed_at`, which came at `wall`. True if the
  /// clock was at fault and is corrected: then another attempt is worth it. The first time `display` is told
  /// in the log.
  bool correct(const net::Origin& origin, const Error& refusal, const net::Headers& headers,
               WallTime signed_at, WallTime wall, std::string_view display);

 private:
  WallTime known(const net::Origin& origin, WallTime wall) const;

  std::atomic<bool> any_ = false;
  mutable std::mutex mutex_;
  std::vector<std::pair<net::Origin, WallTime::duration>> offsets_;
};

}  // namespace messina::aws
