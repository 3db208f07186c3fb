// When the keys that an applier holds may go back to the spool (PROTOCOL rules 1 and 2). Pure.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "state/spool_store.h"

namespace messina::jobs {

/// The keys of one unstamped target that are held in the spool for time alone: their write was answered too
/// short a time ago, or never, or was turned away for now. While a key is in here, or on the wire, the spool
/// does not give it out again, so nothing else can be written to it. A wait ends strictly after its time. Not
/// thread-safe: the applier owns it; it bounds what it puts in.
class HoldBook {
 public:
  struct Times {
    Duration clock_error = std::chrono::seconds(1);  ///< S
    Duration dead_after = std::chrono::seconds(30);  ///< D
  };
  explicit HoldBook(const Times& times) : times_(times) {}

  /// These writes were answered at `at`: more than S later the entries may be settled.
  void answered(std::vector<state::Settled> written, MonoTime at);
  /// These keys' writes ended at `at` without an answer: more than D + S later they may be taken again.
  void unknown(std::vector<std::string> keys, MonoTime at);
  /// Nothing was written to these keys: they may be taken again after `until`.
  void turned_away(std::vector<std::string> keys, MonoTime until);

  struct Due {
    std::vector<state::Settled> settle;
    std::vector<std::string> release;
    bool empty() const { return settle.empty() && release.empty(); }
  };
  /// What has waited long enough at `now`, the longest wait first; about `most` keys at once.
  Due take_due(MonoTime now, std::size_t most);
  /// Whatever was answered, however lately: for an applier that writes no more.
  std::vector<state::Settled> take_answered();

  /// When the first wait ends; nullopt if there is none.
  std::optional<MonoTime> next() const;
  /// Keys whose write has no answer: while there is one, the target is not in step (PROTOCOL rule 16).
  std::size_t unknown_keys() const { return unknown_keys_; }
  /// Calls of unknown() that still wait.
  std::size_t unknown_batches() const { return unknown_batches_; }

 private:
  struct Waiting {
    std::vector<state::Settled> settle;
    std::vector<std::string> release;
    bool is_unknown = false;
  };

  const Times times_;
  std::multimap<MonoTime, Waiting> waiting_;
  std::size_t unknown_keys_ = 0, unknown_batches_ = 0;
};

}  // namespace messina::jobs
