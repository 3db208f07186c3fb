// The model's state: two keys, two pages, a stream of up to three shards, a spool, an applier, two target
// nodes. A small value without pointers, so that millions of them can be kept and compared as bytes.
//
// Times are whole ticks, relative to now: so a state does not depend on how late it is, and the search covers
// schedules of any length. canonical() also forgets whatever can make no difference any more.
#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <type_traits>

#include "base/clock.h"
#include "scope.h"

namespace messina::model {

inline constexpr int kKeys = 2, kPages = 2, kShards = 3, kMostWrites = 4, kMostRequests = 8;

/// Ticks from now: negative is past. What it stands for in the program's types is `mono` and `wall`.
using Tick = std::int8_t;
inline constexpr Tick kUnknownTime = 127;  ///< "nobody knows"; does not move with time
/// Long enough that the program's fixed times (claims count for 30 s) come to a tick or two.
inline constexpr std::chrono::seconds kTick{20};
inline constexpr int kOrigin = 1'000'000;  ///< the tick that is called now, in the program's times
inline MonoTime mono(int tick) { return MonoTime(std::chrono::seconds(kTick) * (kOrigin + tick)); }
inline WallTime wall(int tick) { return WallTime(std::chrono::seconds(kTick) * (kOrigin + tick)); }
inline int tick_of(MonoTime time) { return static_cast<int>(time.time_since_epoch() / kTick) - kOrigin; }
inline int tick_of(WallTime time) { return static_cast<int>(time.time_since_epoch() / kTick) - kOrigin; }

/// A state of a key: 0 as it was at first, n after the n-th write of all.
using Version = std::uint8_t;
using Gen = std::uint8_t;  ///< a generation; only their order counts

/// Of a write that the stream does not tell of: another input does, with a mark.
inline constexpr std::uint8_t kHint = kShards;

struct Written {
  std::uint8_t key, removed, shard;
  Tick at;
};

/// state::ShardPosition in little.
enum class RowState : std::uint8_t { unknown, waiting, reading, drained };
struct Row {
  RowState state;
  Version read_to;
  Tick read_until;
};

/// Polled, and not yet in the spool.
struct PendingPut {
  std::uint8_t stage;    ///< PendingStage
  std::uint8_t records;  ///< bit n-1: the n-th write
  Tick captured;
};
enum PendingStage : std::uint8_t { nothing_pending, marks_pending, put_pending };

/// state::EntryView in little.
struct Entry {
  Gen queued, mark, image;  ///< queued 0: there is none
  Version version;
  std::uint8_t incarnation;
  Tick captured, oldest;
  bool there() const { return queued != 0; }
};

enum class PagePhase : std::uint8_t { todo, asked, on_wire, unknown, acked, recorded, done };
struct Page {
  PagePhase phase;
  Tick sent_at, at;  ///< `at`: of the acknowledgement, or of the loss
  std::array<Version, kKeys> version;
};

/// A key in the applier's hands.
enum class HoldPhase : std::uint8_t { idle, reading, read, on_wire, answered, unknown, turned_away };
struct Hold {
  HoldPhase phase;
  Gen generation, newest_put;
  Version version;
  std::uint8_t remove;
  Tick sent_at, at;
  Tick oldest_put_since;  ///< kUnknownTime: none
};

enum class Sender : std::uint8_t { none, nobody, page, hold };  ///< nobody: its connection is cut
struct Request {
  Sender sender;
  std::uint8_t index;  ///< of the page
  std::uint8_t key;
  Version version;
  std::uint8_t remove;
  Tick dies;  ///< of a lost one: it lands until then, or never
};

struct OnTarget {
  Version version;
  std::uint8_t there;
  Tick stamp;
};

enum class Life : std::uint8_t { down, begins, listed, runs };

struct State {
  // The source.
  std::uint8_t writes;
  std::array<Written, kMostWrites> written;
  std::uint8_t split;    ///< shard 0 is closed, and shard 2 goes on from it
  std::uint8_t trimmed;  ///< bits of writes whose records are gone
  // Capture: what is durable, and what the process knows.
  std::array<Row, kShards> durable, memory;
  std::array<PendingPut, kShards> pending;
  std::uint8_t captured;  ///< bits of writes that the spool had, or that history has
  std::uint8_t listed_split;
  Tick listed_at;
  std::array<Tick, kShards> polled_at;
  std::array<std::uint8_t, kShards> behind;  ///< ticks
  std::uint8_t from_latest;
  // The ledger.
  std::uint8_t epoch, history_epoch;
  Tick began;
  std::uint8_t gaps, gaps_healing, backward_due;
  std::uint8_t renew;  ///< the next capture begins a new epoch
  // The process.
  Life life;
  std::uint8_t incarnation;
  Tick opened, quiet;
  // The spool.
  std::array<Entry, kKeys> entry, synced;
  std::uint8_t unsynced;  ///< bits of keys whose entry on the disk is `synced`
  Gen next, barrier;
  // Copy, apply, wire and target.
  std::array<Page, kPages> page;
  std::array<Hold, kKeys> hold;
  std::array<Request, kMostRequests> request;
  std::array<OnTarget, kKeys> target;
  // What may still happen.
  std::uint8_t lost_left, crashes_left, heals_left, unprocessed_left, throttles_left;
  std::uint8_t wrong;  ///< Wrong
};
static_assert(std::is_trivially_copyable_v<State> && alignof(State) == 1, "states are compared as bytes");

/// What a step can do that it must not, beside what a state can be.
enum class Wrong : std::uint8_t {
  nothing,
  removed_unwritten,  ///< I2
  deleted_unasked,    ///< I5
  spool_disagrees,    ///< the short way to remove an entry against the long one
  no_room,            ///< the model's own bounds are too small
};

/// Ages up to `exact_age` are kept as they are; of older times only the order.
void canonical(State& state, const Scope& scope);

}  // namespace messina::model
