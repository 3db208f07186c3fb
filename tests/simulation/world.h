// The outside world of a simulated copy: the source's table and its users, the target's nodes with their
// clocks, the requests on the wire. It survives the processes, and it knows the truth that they are held
// against.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "endpoints/endpoint.h"
#include "state/job_store.h"
#include "universe.h"

namespace messina::simulation {

/// Items are `{"pk":{"S":"0042"},"v":{"N":"7"}}`: a key and the number of its newest state.
using KeyId = std::uint32_t;
using Version = std::uint64_t;
struct ItemState {
  KeyId key = 0;
  Version version = 0;
  bool removed = false;  ///< a delete: it has no version
};
std::string item_json(ItemState item);
ItemState parse_item(std::string_view raw);
/// Of items that somebody else put on the target, from here on.
inline constexpr Version kForeign = 1'000'000'000;
/// `{"pk":{"S":"0042"}}`
std::string key_json(KeyId key);
KeyId parse_key(std::string_view raw);

/// Probabilities of one attempt's fate, and the shape of the tables. Drawn from the seed.
struct WorldPlan {
  std::uint32_t keys = 40;
  std::uint32_t segments = 4;
  std::uint32_t page_items = 4;
  std::uint32_t nodes = 3;
  Duration clock_error{};  ///< S: nodes' clocks differ by at most this
  Duration dead_after{};   ///< D: a lost request lands this much later at most
  std::size_t batch_items = 3;
  double lost = 0;        ///< the connection breaks; executed before, later, or never
  double failed_500 = 0;  ///< answered 500; executed before, later, or never
  double throttled = 0, transient = 0, unprocessed = 0, slow = 0;
  double read_failed = 0;
  double slow_commit = 0, broken_commit = 0;
  std::uint32_t poison_refused = 0;  ///< keys whose items the target refuses
  std::uint32_t poison_500 = 0;      ///< keys whose items it answers with 500, before writing anything
  std::uint32_t writer_changes = 0;  ///< of the source, spread over `writing`
  Duration writing{};
  Duration faults_until{};         ///< after that, servers and networks are well
  bool live = false;               ///< an applier writes beside the copy
  std::uint32_t foreign_keys = 0;  ///< items of somebody else's on the target, of keys from `keys` on
  double foreign_shared = 0;       ///< of the source's keys: the target has somebody else's item at first
};

/// A fault of the run. A wrong end is what a user would suffer; a broken rule is what would have led there.
struct Violation {
  enum class Kind : std::uint8_t { wrong_end, broken_rule } kind = Kind::broken_rule;
  std::string text;
};

class World {
 public:
  World(Universe& universe, WorldPlan plan);

  Universe& universe() { return universe_; }
  const WorldPlan& plan() const { return plan_; }
  bool faults() const { return universe_.now() < faults_end_; }
  bool chance(double probability) { return faults() && universe_.random().chance(probability); }
  Duration between(Duration least, Duration most);

  /// What the catalogs say; tests change it.
  struct Described {
    std::string id;
    endpoints::TableStatus status = endpoints::TableStatus::active;
    std::map<std::string, std::string> tags = {};
    std::optional<std::uint64_t> items = {};  ///< how many it tells of
  };
  Described source_table{.id = "source-id"}, target_table{.id = "target-id"};
  MonoTime tagged_at{};  ///< when the target's tags were put last

  /// The source's keys, and somebody else's on the target.
  KeyId all_keys() const { return plan_.keys + plan_.foreign_keys; }
  /// Set while two processes that know nothing of each other write: what one of them commits is not held
  /// against what was read and sent last.
  bool rivals = false;

  // ------------------------------------------------------------------ the source
  std::uint32_t segment_of(KeyId key) const { return key * 2654435761u % plan_.segments; }
  /// A ConsistentRead that executes now: the items of a segment with keys from `from` on, and where the next
  /// page begins (nullopt at the end). `most_items`: 0 for as many as a page holds.
  struct ReadPage {
    std::vector<ItemState> items;
    std::optional<KeyId> next;
  };
  ReadPage read(std::uint32_t segment, KeyId from, std::uint32_t most_items);
  /// The same of the target.
  ReadPage read_target(std::uint32_t segment, KeyId from) const;

  /// What the source has of a key now.
  struct SourceState {
    Version version = 0;  ///< of the newest change, a delete among them
    bool there = false;
    bool operator==(const SourceState&) const = default;
  };
  SourceState source_state(KeyId key) const;
  /// Called after each change that its users make, with the state before.
  void on_source_change(std::function<void(KeyId, SourceState)> listener) {
    changed_.push_back(std::move(listener));
  }

  /// Its users put an item, a newer state of it, or remove it.
  void change(KeyId key, bool remove);
  /// From now on its users write to keys below this alone.
  void leave_keys_from(KeyId key) { written_keys_ = key; }

  // ------------------------------------------------------------------ the target
  /// The target's rules were relaxed.
  void refuse_nothing() { refused_.clear(); }
  void put_on_source(KeyId key) { source_[key] = {.version = 1, .since = universe_.now(), .there = true}; }
  bool refuses(KeyId key) const { return refused_.contains(key); }
  bool fails_on(KeyId key) const { return faults() && failing_.contains(key); }
  bool target_is_empty() const { return target_.empty(); }
  /// A request that executes at `when`, on a node of the world's choice. It outlives whoever sent it. `lost`:
  /// its connection is broken already, so that the sender's death changes nothing for it.
  void send(std::vector<ItemState> items, MonoTime when, bool lost, const void* sender);
  /// The client saw the answer that these items are written.
  void acknowledged(std::span<const ItemState> items);
  /// The sender is gone: its requests on the wire may be late now, by D at most. Null: every sender is.
  void sender_died(const void* sender = nullptr);
  /// The newest state of an item on the target; nullopt if it is not there.
  std::optional<Version> on_target(KeyId key) const {
    const auto cell = target_.find(key);
    if (cell == target_.end() || cell->second.removed) return std::nullopt;
    return cell->second.version;
  }
  bool requests_on_wire() const { return !requests_.empty(); }
  bool on_wire(KeyId key) const;
  /// Somebody changes an item of the target behind everybody's back; nullopt: removes it.
  void damage(KeyId key, std::optional<Version> version);

  // ------------------------------------------------------------------ the truth
  void violate(Violation::Kind kind, std::string text);
  const std::vector<Violation>& violations() const { return violations_; }
  /// What a step of the ledger claims, held against what was acknowledged.
  void check_commit(const state::JobState& before, const state::Commit& step);
  /// The job that began at `began` is done and no request is left: every item as last read, or in the
  /// rejects; and those that were there all the time were read.
  void check_end(const state::JobState& job, const std::vector<state::Reject>& rejects, MonoTime began);

 private:
  struct Source {
    Version version = 0;
    MonoTime since{};  ///< when the key came into being
    bool there = true;
  };
  struct Target {
    Version version = 0;
    MonoTime stamp{};
    bool removed = false;  ///< a tombstone
  };
  struct Request {
    std::vector<ItemState> items;
    std::uint64_t event = 0;  ///< that executes it; others are stale
    MonoTime when{};
    bool lost = false;
    const void* sender = nullptr;
  };
  struct LastRead {
    Version version = 0;
    MonoTime when{};
  };

  void schedule_writers();
  void change_something();
  void schedule(std::uint64_t request, MonoTime when);
  void execute(std::uint64_t request, std::uint64_t event);

  Universe& universe_;
  WorldPlan plan_;
  KeyId written_keys_;
  MonoTime faults_end_;
  std::map<KeyId, Source> source_;
  std::vector<std::function<void(KeyId, SourceState)>> changed_;
  std::set<KeyId> refused_, failing_;
  std::vector<Duration> skew_;
  std::map<KeyId, Target> target_;
  std::map<std::uint64_t, Request> requests_;
  std::uint64_t next_request_ = 1, next_execution_ = 1;
  std::map<KeyId, LastRead>
      last_read_;  ///< by the newest read that covered the key; absent: it was not there
  std::map<KeyId, Version> acknowledged_;  ///< newest acknowledged write
  std::vector<Violation> violations_;
};

/// Cursors and specs of the simulated source.
std::string cursor_text(KeyId next);
KeyId parse_cursor(std::string_view text);
std::string segment_spec(std::uint32_t segment);
std::uint32_t parse_segment(std::string_view spec);

}  // namespace messina::simulation
