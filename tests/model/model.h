// One live migration as a transition system, around the decisions that the program itself makes.
//
// What runs here is the program's: which entry a put or a removal leaves (state/spool_entry.h), which may be
// taken (the same, and jobs/watermark.h), when a key may be written again (jobs/hold_book.h), what a poll, a
// listing or a trimmed position means (jobs/shard_map.h), what a record says (jobs/capture_records.h), which
// page may be begun and when after a crash (jobs/unit_queue.h, jobs/copy_start.h), and what stands against a
// claim (jobs/in_step.h). What is written here is what surrounds them: the order of steps of src/jobs, a
// source, a target and a network at their worst. Each action is one thing that happens; every order of them
// is looked at. Decisions are handed their state anew in each step, since a state is a value.
//
// Two steps are one where that loses no schedule: what was read or taken is sent at once, since a request may
// be on the wire, and be lost there, for as long as it likes; a request is answered when it is executed; what
// is due is settled when its time comes. An item of history that is neither written nor pending (I9) shows as
// a difference that nothing accounts for (I1).
//
// Left to others: stale pages and the spool's bound (rule 12; tests/simulation), refused items (rule 7;
// tests/simulation), blame for answers of 500 (jobs/blame_test.cc), stamped targets (I7; there are none yet),
// owners and epochs (I6, rule 20: tests/simulation/live_test.cc and tests/e2e/test_migrate.py), a former
// process's heartbeat that is too old to be waited for (jobs/copy_start_test.cc), lost shards and other
// streams (jobs/shard_map_test.cc, tests/simulation).
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "endpoints/feed.h"
#include "jobs/in_step.h"
#include "jobs/shard_map.h"
#include "jobs/watermark.h"
#include "state.h"
#include "state/spool_entry.h"

namespace messina::model {

/// What happened in a step, to be told and counted.
enum class Act : std::uint8_t {
  writes,
  writes_unseen,
  hints,
  splits,
  trims,
  begins,
  stores_positions,
  polls,
  finds_trimmed,
  marks_all,
  puts,
  lists,
  asks_page,
  reads_page,
  sends_page,
  page_lands,
  late_lands,
  loses_page,
  records_page,
  takes,
  asks_again,
  reads_again,
  leaves_unprocessed,
  sends,
  lands,
  loses,
  throttles,
  crashes,
  starts,
  heals,
  looks_back,
  waits,
  kCount,
};

struct Label {
  Act act = Act::waits;
  std::uint8_t a = 0, b = 0, c = 0;  ///< as words() has them
};

/// Things that must have happened somewhere in a search, or it proves nothing.
enum class Seen : std::uint8_t {
  late_on_top,        ///< a request that was given up landed over what was there
  late_too_late,      ///< the same, and the stamps kept it out
  kept_out,           ///< a write was answered, and the stamp that was there kept it out
  coalesced,          ///< a change came to an entry that waited
  coalesced_reread,   ///< a put came while its key was being read again
  left_behind,        ///< a removal left what came after the taking
  held_by_watermark,  ///< a change that the watermark keeps back
  deleted,            ///< a delete was acknowledged
  read_absent,        ///< a read said that the key is absent
  came_back,          ///< a crash brought back an entry that was settled
  crash_before_start,
  crash_page_asked,
  crash_page_on_wire,
  crash_page_unknown,
  crash_page_acked,
  crash_reading,
  crash_on_wire,
  crash_unknown,
  crash_answered,
  crash_pending_put,
  gap,
  child_waited,
  record_of_history,  ///< a record was passed over, as history has it
  backward_mark,
  false_alarm,  ///< an old difference, and a claim that rightly was not made
  in_step,      ///< a claim was made at an end
  kCount,
};

/// Text for a schedule.
std::string words(const Label& label);

class Model {
 public:
  Model(const Scope& scope, const Without& without) : scope_(scope), without_(without) {}

  const Scope& scope() const { return scope_; }
  State first() const;
  using Emit = std::function<void(const State&, Label)>;
  /// All that may happen next. The states are not canonical yet.
  void steps(const State& state, const Emit& emit) const;

  /// What is wrong, or nullptr. `ends_only`: only what is wrong for good (I1, I8), so that a schedule without
  /// a rule goes on until harm is done.
  const char* wrong(const State& state, bool ends_only) const;
  /// Nothing is left to do: the writers have written, the faults are over, all is applied.
  bool at_end(const State& state) const;
  /// At an end: both sides are equal, or a gap is declared that nobody is to heal any more.
  bool good_end(const State& state) const;
  bool says_in_step(const State& state) const;

  /// How often each happened in all steps so far.
  using Counts = std::array<std::uint64_t, static_cast<std::size_t>(Seen::kCount)>;
  const Counts& seen() const { return seen_; }

 private:
  /// The next state, what happened, and what of words().
  using Out = std::function<void(const State&, Act, int, int, int)>;
  void note(Seen what) const { ++seen_[static_cast<std::size_t>(what)]; }
  // source.cc
  void source_steps(const State& s, const Out& out) const;
  Version newest(const State& s, int key) const;
  bool absent(const State& s, int key, Version version) const;
  bool all_captured(const State& s, int key) const;
  int shard_of(const State& s, int key) const;
  // capture.cc
  void capture_steps(const State& s, const Out& out) const;
  void begin_steps(const State& s, const Out& out) const;
  void poll_steps(const State& s, int shard, std::uint8_t wanted, const Out& out) const;
  void take_poll(State& next, int shard, std::uint8_t records, jobs::ShardMap::Step& step, bool end) const;
  jobs::ShardMap map_of(const std::array<Row, kShards>& rows) const;
  endpoints::StreamDescription listing_of(const State& s) const;
  void keep_rows(const jobs::ShardMap::Step& step, std::array<Row, kShards>& rows) const;
  void put_records(State& next, const PendingPut& pending) const;
  void declare_gap(State& next) const;
  // spool.cc
  state::EntryView view(const State& s, int key, const Entry& entry) const;
  Entry entry_of(const state::EntryView& view) const;
  state::Incarnation incarnation(const State& s) const;
  void put(State& next, int key, const state::SpoolPut& put, Tick captured) const;
  void synced_put(State& next) const { next.unsynced = 0; }
  void settle(State& next, int key, state::Generation generation) const;
  // copy.cc
  void copy_steps(const State& s, const Out& out) const;
  void send_page(State& next, int page) const;
  MonoTime watermark(const State& s) const;
  void add_request(State& next, Request request) const;
  void cut(State& next, Sender sender, int index) const;
  void network_steps(const State& s, const Out& out) const;
  void land(const State& s, int request, const Out& out) const;
  void acknowledged(State& next, const Request& request) const;
  // apply.cc
  void apply_steps(const State& s, const Out& out) const;
  void due(State& next) const;
  void send_change(State& next, int key) const;
  void acknowledged_change(State& next, int key) const;
  void lost_change(State& next, int key) const;
  // process.cc
  void process_steps(const State& s, const Out& out) const;
  void crash_steps(const State& s, const Out& out) const;
  void stop_now(State& next) const;
  void backward_steps(const State& s, const Out& out) const;
  void start(State& next) const;
  void tick(State& next) const;
  // check.cc
  jobs::StepFacts facts(const State& s) const;
  bool in_sync(const State& s, int key) const;
  bool passed_by(const State& s, int write) const;
  bool accounted_for(const State& s, int key) const;

  const Scope scope_;
  const Without without_;
  mutable Counts seen_{};
};

}  // namespace messina::model
