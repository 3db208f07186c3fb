// A table's stream: its shards, their records and their lineage. It does no I/O; times are handed in.
// Sources: DynamoDB Developer Guide, "Change data capture for DynamoDB Streams", and its API reference; for
// Alternator the recordings of ScyllaDB 5.2 and 6.2 (tests/replay).
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "item/key.h"
#include "sim/engine/api.h"
#include "sim/engine/item_text.h"
#include "sim/engine/stream_rules.h"
#include "sim/engine/stream_text.h"
#include "sim/engine/token_bucket.h"

namespace messina::sim {

/// What a record holds beside the key.
struct StreamView {
  std::string name;  ///< "NEW_IMAGE", …
  bool new_image = false;
  bool old_image = false;

  /// nullopt for a name that the API does not know.
  static std::optional<StreamView> parse(std::string_view name);
};

/// What changed an item. ScyllaDB's change log shows a put, which replaces the row, otherwise than an update.
enum class ChangeCause : std::uint8_t { put, update, remove, expiry };

/// One change of an item, on its way into the stream.
struct Change {
  ChangeCause cause = ChangeCause::put;
  bool existed = false;                  ///< there was an item
  std::optional<std::int64_t> stamp_us;  ///< of the write; Alternator only
  std::string old_image;                 ///< moved in; empty if there was no item
  std::size_t old_bytes = 0;
  std::string_view new_image;  ///< empty for a delete
  std::size_t new_bytes = 0;
  /// JSON text among whose members the key stands; used only where the view keeps no image that has it.
  std::string_view key_source;
};

/// As eventName says it. Alternator names both for a row that is written: one member twice.
enum class RecordEvent : std::uint8_t { insert, modify, remove, insert_and_modify };

struct StreamRecord {
  SequenceNumber number;
  MonoTime at{};
  std::int64_t created_s = 0;  ///< ApproximateCreationDateTime
  RecordEvent event = RecordEvent::insert;
  bool expired = false;  ///< deleted by TTL
  std::uint32_t new_bytes = 0, old_bytes = 0;
  std::string new_image, old_image;  ///< as Scan renders the item; empty: not there
  std::string keys;                  ///< set only if there is no image to take them from

  /// {"p":{"S":"a"}}
  std::string key_json(const item::KeySchema& schema) const;
};

struct StreamShard {
  std::string id;
  std::string parent;            ///< empty: none; it may be trimmed already
  std::int64_t first_token = 0;  ///< the keys it takes; both inclusive
  std::int64_t last_token = 0;
  SequenceNumber starting;
  std::optional<SequenceNumber> ending;  ///< set when it is closed
  std::optional<MonoTime> closed_at;
  std::deque<StreamRecord> records;
  std::optional<SequenceNumber> trimmed;  ///< the last record that is gone
  std::uint64_t trimmed_count = 0;
  TokenBucket calls;  ///< of GetRecords

  bool open() const { return !ending.has_value(); }
};

/// What one GetRecords finds.
struct StreamPage {
  std::vector<const StreamRecord*> records;
  StreamPosition next;
  bool drained = false;  ///< the shard is closed and read to its end
};

class Stream {
 public:
  struct Identity {
    std::string arn;
    std::string label;
    std::string table;
    item::KeySchema keys;
    StreamView view;
  };

  /// `generation` is when the cluster's shards were made (Alternator), `seed` what their ids come from:
  /// Alternator's streams have the same shard ids in every table, DynamoDB's differ.
  Stream(Identity identity, StreamRules rules, std::uint64_t seed, Moment now, WallTime generation);

  const Identity& identity() const { return identity_; }
  StreamStyle style() const { return rules_.style; }
  bool enabled() const { return !disabled_at_; }
  WallTime created() const { return created_; }
  /// ENABLED or DISABLED; ENABLING or DISABLING until the time given by settle_at().
  std::string_view status(MonoTime now) const;
  void settle_at(MonoTime at) { settled_at_ = at; }

  /// Appends what the change is worth: nothing, one record, or two of them on Alternator.
  void append(const RowKey& key, Change change, Moment now);

  /// Closes all shards. What is in them stays until it is trimmed.
  void disable(Moment now);
  /// Disabled, and for so long that nothing of it is left.
  bool gone(MonoTime now) const;

  /// Closes an open shard and opens one or two that follow it. On Alternator `roll_all` is a new generation.
  enum class SplitResult : std::uint8_t { done, no_such_shard, closed_already, too_narrow };
  SplitResult split(const std::string& shard, Moment now);
  void roll_all(Moment now);
  /// The next time at which shards split or roll by themselves; nullopt: never.
  std::optional<MonoTime> next_change() const;
  /// Carries out what is scheduled for `now`, which must be next_change().
  void change_as_scheduled(Moment now);

  /// The shard, without what is older than the retention; null if there is none, or nothing left of a closed
  /// one.
  StreamShard* trimmed(std::string_view shard, MonoTime now);
  /// Removes what is older than the retention; closed shards vanish when all of it is, and they themselves.
  void trim_all(MonoTime now);
  /// Forgets all records there are, and the closed shards, as if the retention had passed.
  void forget_records();
  /// Iterators that were given until now are expired.
  void expire_iterators(MonoTime now) { iterators_since_ = now; }
  bool expired(const ShardIterator& iterator, MonoTime now) const;

  /// By id, which is the order of their making.
  using Shards = std::map<std::string, StreamShard, std::less<>>;
  const Shards& shards() const { return shards_; }

  StreamPosition oldest(const StreamShard& shard) const;
  /// Behind everything that is there now.
  StreamPosition latest(Moment now) const;
  /// A record's number lies between the shard's first and last ones.
  bool could_be_in(SequenceNumber number, const StreamShard& shard) const;
  /// A record at or behind the position, as it says, is gone.
  static bool is_trimmed(StreamPosition position, const StreamShard& shard);
  /// At most `limit` records, and 1 MB of them.
  StreamPage read(const StreamShard& shard, StreamPosition from, std::size_t limit, Moment now) const;

  std::uint64_t appended() const { return appended_; }

 private:
  StreamShard* find(std::string_view shard);
  void trim(StreamShard& shard, MonoTime now);
  /// Closed, empty, and for so long that it vanishes.
  bool over(const StreamShard& shard, MonoTime now) const;
  bool scylla() const { return rules_.style == StreamStyle::alternator; }
  StreamShard& route(std::int64_t token);
  SequenceNumber next_number();
  void add(StreamShard& shard, StreamRecord record);
  StreamShard& open(std::string id, std::string parent, std::int64_t first, std::int64_t last, Moment now);
  void close(StreamShard& shard, Moment now);
  std::string new_shard_id(Moment now);
  void lengthen_numbers();
  void open_generation(WallTime at, Moment now);

  Identity identity_;
  StreamRules rules_;
  Random random_;
  WallTime created_{};
  MonoTime settled_at_{};
  std::optional<MonoTime> disabled_at_;
  std::optional<MonoTime> next_roll_, next_split_;
  MonoTime iterators_since_ = MonoTime::min();
  Shards shards_;
  std::map<std::int64_t, StreamShard*> open_;  ///< DynamoDB: by first token
  std::vector<StreamShard*> generation_;       ///< Alternator: by vnode, then CPU
  std::vector<std::int64_t> vnodes_;           ///< the first token of each, ascending
  SequenceNumber last_;                        ///< the last number given
  std::int64_t last_shard_ms_ = 0;
  std::int64_t generation_ms_ = 0;
  std::uint64_t appended_ = 0;
};

}  // namespace messina::sim
