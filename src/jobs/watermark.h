// Beside the copy: what of the captured changes may be applied already (PROTOCOL rule 11), and when a key may
// be written (rules 1 and 2). Pure.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"

namespace messina::jobs {

/// The send time of the oldest page of history that may still be on its way to the target. A change that was
/// captured earlier may be applied: pages that were sent later contain it, pages that were sent earlier have
/// landed. Thread-safe: the copy's loops tell, the applier's ask.
class Watermark {
 public:
  using Page = std::uint64_t;

  /// `clock_error` is S: a page is finished when more than that has passed since its acknowledgement.
  explicit Watermark(Duration clock_error) : clock_error_(clock_error) {}

  /// A page is asked for at `at`, the time of its request.
  Page sent(MonoTime at);
  /// All of its records were acknowledged, or rejected, at `at`; after an unknown outcome: by the rewrite.
  void acknowledged(Page page, MonoTime at);
  /// It was never written and never will be: an empty page, or a read that failed.
  void dropped(Page page);

  /// Everything that was captured before this may be applied.
  MonoTime value(MonoTime now);

 private:
  struct State {
    MonoTime sent_at{};
    std::optional<MonoTime> acknowledged_at;
  };
  const Duration clock_error_;
  std::mutex mutex_;
  Page next_ = 1;
  std::map<Page, State> pages_;
};

/// The keys of one unstamped target that may not be written now: their write has no answer yet, or its answer
/// is too young, or it never came. Not thread-safe: the applier owns it. Bounded by the writes of D + S.
class KeyBook {
 public:
  struct Times {
    Duration clock_error = std::chrono::seconds(1);  ///< S
    Duration dead_after = std::chrono::seconds(30);  ///< D
  };
  explicit KeyBook(const Times& times) : times_(times) {}

  /// Whether a write of the key may begin now; then it has begun. `key` is item::key_bytes.
  bool begin(std::string_view key, MonoTime now);
  /// The server has answered for this key, whatever it said.
  void answered(std::string_view key, MonoTime at);
  /// The write ended at `at` without an answer.
  void unknown(std::string_view key, MonoTime at);

  bool in_flight(std::string_view key) const { return keys_.contains(std::string(key)); }
  /// Keys whose last write has no answer: while there is one, the target is not in step (PROTOCOL rule 16).
  std::size_t unknown_outcomes(MonoTime now) const;
  /// When the first key that waits becomes free; nullopt if none waits for time alone.
  std::optional<MonoTime> next_free() const;
  /// Drops what has become free.
  void expire(MonoTime now);
  std::size_t size() const { return keys_.size(); }

 private:
  enum class State : std::uint8_t { sending, cooling, unknown };
  struct Entry {
    State state = State::sending;
    MonoTime free_after{};  ///< of cooling and unknown: strictly later it may be written
  };
  void wait(std::string_view key, State state, MonoTime until);

  const Times times_;
  std::unordered_map<std::string, Entry> keys_;
  std::multimap<MonoTime, std::string> waiting_;
};

}  // namespace messina::jobs
