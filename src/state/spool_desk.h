// What a spool has in memory of its queue: the records that a pass of the applier has seen and left standing,
// and the keys that the applier holds. Without disk; private to this room.
//
// The queue on disk is only read forwards, once: a new pass begins with what is remembered here. So deleted
// records at its front, of which there are as many as were applied, are not gone over again and again.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "state/spool_entry.h"

namespace messina::state {

/// A record of the queue. Places are in the order of work: a rewritten queue has a later epoch than the one
/// that it replaces, and an earlier one than what was put meanwhile.
struct Place {
  std::uint32_t epoch = 0;
  Generation generation = 0;
  auto operator<=>(const Place&) const = default;
};

struct QueueRecord {
  std::string key;
  CaptureTime captured;
  std::int64_t changed_unix_ms = 0;
};

/// Thread-safe; one writer and one reader.
class SpoolDesk {
 public:
  /// Records that are remembered, and the bytes of their keys.
  static constexpr std::size_t kMaxRecords = 65'536;
  static constexpr std::size_t kMaxBytes = 16u << 20;

  struct Hold {
    Place place;
    Generation newest_put = 0;  ///< as the entry was read, or put since
    std::optional<std::int64_t> oldest_put_since;
  };

  // ------------------------------------------------------------------ the writer's
  /// These puts get generations from `first` on and are about to be written.
  void putting(std::span<const SpoolPut> puts, Generation first);
  /// What was announced is written, or never will be.
  void put();
  std::optional<Hold> find_hold(const std::string& key) const;
  struct Gone {
    std::string key;
    Place place;
  };
  /// These entries, and their records, are settled.
  void settled(std::span<const Gone> gone);
  /// Records that lead to no entry any more, to be deleted.
  std::vector<Place> take_dead();
  bool has_dead() const;
  /// All records of epochs before this one are gone from the disk, and written anew there.
  void read_again_from(std::uint32_t epoch);

  // ------------------------------------------------------------------ the reader's
  void restart_pass();
  /// Where the queue on disk is to be read on: behind this place.
  struct ReadUpTo {
    Place place;
    std::uint64_t turn = 0;  ///< of read_again_from()
  };
  ReadUpTo read_up_to() const;
  bool has_room() const;
  /// `turn` is that of read_up_to(); what was read in a former one is passed over, as it will be read again.
  void remember(Place place, QueueRecord record, std::uint64_t turn);
  struct Candidate {
    Place place;
    std::string key;
  };
  struct Candidates {
    std::vector<Candidate> found;
    bool stop = false;  ///< from there on everything waits for the watermark
  };
  /// Holds up to `most` next keys of the pass, and waits until what is being put of them is visible.
  Candidates hold_next(std::size_t most, const TakeRequest& request, const Incarnation& incarnation);
  /// The caller gets the held entry, as it was at this generation.
  void delivered(const std::string& key, Generation generation);
  /// The pass has come by this place.
  void passed(Place place);
  void unhold(const std::string& key);
  void dead(const Candidate& candidate);
  /// Smallest time of change among what is remembered.
  std::optional<std::int64_t> oldest_change() const;

  void release(std::span<const std::string> keys);

 private:
  void erase_record(Place place);

  mutable std::mutex mutex_;
  std::condition_variable visible_;
  std::map<Place, QueueRecord> records_;
  std::size_t bytes_ = 0;
  std::unordered_map<std::string, Hold> held_;
  std::vector<Place> dead_;
  Place pass_, read_;
  std::uint64_t turn_ = 0;
  std::unordered_set<std::size_t> announced_;  ///< hashes of the keys that putting() has named since put()
  std::uint64_t steps_ = 0;                    ///< put()s
};

/// Keys that surely have an entry with a record in the queue, so that a put of them needs no other one. It
/// may forget, never invent. A hot key is in it.
class QueuedKeys {
 public:
  /// True if it is known; knows it from now on.
  bool knew(const std::string& key) {
    std::string& slot = slots_[std::hash<std::string>()(key) % slots_.size()];
    if (slot == key) return true;
    slot = key;
    return false;
  }
  void forget(const std::string& key) {
    std::string& slot = slots_[std::hash<std::string>()(key) % slots_.size()];
    if (slot == key) slot.clear();
  }
  void forget_all() {
    for (std::string& slot : slots_) slot.clear();
  }

 private:
  std::vector<std::string> slots_ = std::vector<std::string>(65'536);
};

}  // namespace messina::state
