// The process: time that passes, crashes, restarts, healing (rules 3 and 15), by jobs/copy_start.h.
#include <algorithm>

#include "jobs/copy_start.h"
#include "model.h"

namespace messina::model {

namespace {

/// A wait of "more than" a time ends this much later, as in jobs/apply_run.h.
constexpr Duration kMore = std::chrono::milliseconds(1);

bool has(std::uint8_t bits, int bit) { return ((bits >> bit) & 1) != 0; }

template <class Time>
void age(Time& time) {
  if (time != kUnknownTime) --time;
}

}  // namespace

State Model::first() const {
  State s{};
  s.life = Life::begins;
  s.incarnation = 1;
  s.next = 1;
  s.listed_at = kUnknownTime;
  s.polled_at.fill(kUnknownTime);
  std::uint8_t covered = 0;
  for (std::size_t i = 0; i < kPages; ++i) {
    covered |= scope_.pages[i];
    if (scope_.pages[i] == 0) s.page[i].phase = PagePhase::done;
  }
  for (int key = 0; key < kKeys; ++key) {
    const bool there = has(scope_.at_first, key) && !has(covered, key);
    s.target[static_cast<std::size_t>(key)] = {0, there, -1};
  }
  s.lost_left = static_cast<std::uint8_t>(scope_.lost);
  s.crashes_left = static_cast<std::uint8_t>(scope_.crashes);
  s.heals_left = static_cast<std::uint8_t>(scope_.heals);
  s.unprocessed_left = static_cast<std::uint8_t>(scope_.unprocessed);
  s.throttles_left = static_cast<std::uint8_t>(scope_.throttles);
  if (scope_.begun) {
    s.life = Life::runs;
    s.epoch = s.history_epoch = 1;
    s.began = 0;
    for (std::size_t i = 0; i < (scope_.two_shards ? 2u : 1u); ++i) s.durable[i].state = RowState::reading;
    s.memory = s.durable;
  }
  canonical(s, scope_);
  return s;
}

void Model::steps(const State& s, const Emit& emit) const {
  const Out out = [&emit](const State& next, Act act, int a, int b, int c) {
    emit(next,
         {act, static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(b), static_cast<std::uint8_t>(c)});
  };
  // Only a person could go on from here.
  if (s.gaps > s.gaps_healing && s.heals_left == 0) return;
  source_steps(s, out);
  network_steps(s, out);
  capture_steps(s, out);
  copy_steps(s, out);
  apply_steps(s, out);
  process_steps(s, out);
}

void Model::process_steps(const State& s, const Out& out) const {
  State next = s;
  tick(next);
  out(next, Act::waits, 0, 0, 0);
  backward_steps(s, out);
  if (s.life == Life::down) {
    next = s;
    start(next);
    out(next, Act::starts, 0, 0, 0);
  } else if (s.crashes_left > 0) {
    crash_steps(s, out);
  }
  const bool gap = s.gaps > s.gaps_healing;
  if (!gap || s.heals_left == 0) return;
  next = s;
  --next.heals_left;
  stop_now(next);
  next.gaps_healing = next.gaps;
  next.backward_due = 1;
  next.renew = 1;
  out(next, Act::heals, 0, 0, 0);
}

void Model::tick(State& next) const {
  for (std::size_t i = 0; i < next.writes; ++i) age(next.written[i].at);
  for (Row& row : next.durable) age(row.read_until);
  for (Row& row : next.memory) age(row.read_until);
  for (PendingPut& pending : next.pending) age(pending.captured);
  for (Tick& at : next.polled_at) age(at);
  age(next.listed_at);
  age(next.began);
  age(next.opened);
  if (next.quiet > 0) --next.quiet;
  for (std::array<Entry, kKeys>* entries : {&next.entry, &next.synced}) {
    for (Entry& entry : *entries) {
      age(entry.captured);
      age(entry.oldest);
    }
  }
  for (Page& page : next.page) {
    age(page.sent_at);
    age(page.at);
  }
  for (Hold& hold : next.hold) {
    age(hold.sent_at);
    age(hold.at);
    age(hold.oldest_put_since);
  }
  for (Request& request : next.request) {
    if (request.sender == Sender::nobody && --request.dies < 0) request = {};
  }
  for (OnTarget& there : next.target) --there.stamp;
  if (next.life == Life::runs) due(next);
}

/// kill -9, and what is on the wire stays there.
void Model::crash_steps(const State& s, const Out& out) const {
  if (s.life != Life::runs) note(Seen::crash_before_start);
  for (const Page& page : s.page) {
    if (page.phase == PagePhase::asked) note(Seen::crash_page_asked);
    if (page.phase == PagePhase::on_wire) note(Seen::crash_page_on_wire);
    if (page.phase == PagePhase::unknown) note(Seen::crash_page_unknown);
    if (page.phase == PagePhase::acked) note(Seen::crash_page_acked);
  }
  for (const Hold& hold : s.hold) {
    if (hold.phase == HoldPhase::reading) note(Seen::crash_reading);
    if (hold.phase == HoldPhase::on_wire) note(Seen::crash_on_wire);
    if (hold.phase == HoldPhase::unknown) note(Seen::crash_unknown);
    if (hold.phase == HoldPhase::answered) note(Seen::crash_answered);
  }
  for (const PendingPut& pending : s.pending) {
    if (pending.stage != nothing_pending) note(Seen::crash_pending_put);
  }
  // What was settled since the last synced commit comes back, or does not.
  for (std::uint8_t back = 0; back < 1u << kKeys; ++back) {
    if ((back & ~s.unsynced) != 0) continue;
    State next = s;
    --next.crashes_left;
    stop_now(next);
    for (std::size_t key = 0; key < kKeys; ++key) {
      if (has(back, static_cast<int>(key))) next.entry[key] = s.synced[key];
    }
    if (back != 0) note(Seen::came_back);
    next.unsynced = 0;
    out(next, Act::crashes, back, 0, 0);
  }
}

void Model::stop_now(State& next) const {
  next.life = Life::down;
  next.memory = {};
  next.pending = {};
  next.listed_split = 0;
  next.listed_at = kUnknownTime;
  next.polled_at.fill(kUnknownTime);
  next.behind = {};
  next.from_latest = 0;
  for (std::size_t p = 0; p < kPages; ++p) {
    cut(next, Sender::page, static_cast<int>(p));
    Page& page = next.page[p];
    const bool recorded = page.phase == PagePhase::recorded || page.phase == PagePhase::done;
    page = {};
    if (recorded) page.phase = PagePhase::done;
  }
  for (int key = 0; key < kKeys; ++key) {
    cut(next, Sender::hold, key);
    next.hold[static_cast<std::size_t>(key)] = {};
  }
}

void Model::start(State& next) const {
  ++next.incarnation;
  next.opened = 0;
  if (next.gaps > 0) next.barrier = next.next++;
  const bool begins = next.epoch == 0 || next.renew != 0;
  next.life = begins ? Life::begins : Life::runs;
  if (!begins) next.memory = next.durable;
  jobs::CopyOptions options;
  options.clock_error = scope_.clock_error * kTick;
  options.dead_after = scope_.dead_after * kTick;
  ManualClock clock;
  clock.advance(mono(0) - MonoTime());
  clock.set_wall(wall(0));
  const MonoTime until = jobs::quiet_time(options, jobs::unix_ms(wall(0)), clock) + kMore;
  next.quiet = 0;
  while (mono(next.quiet) < until) ++next.quiet;
  synced_put(next);
}

/// Look for keys that only the target has, once history is copied.
void Model::backward_steps(const State& s, const Out& out) const {
  const bool copied = std::ranges::all_of(s.page, [](const Page& page) {
    return page.phase == PagePhase::recorded || page.phase == PagePhase::done;
  });
  if (s.life != Life::runs || s.backward_due == 0 || !copied) return;
  State next = s;
  for (int key = 0; key < kKeys; ++key) {
    if (s.target[static_cast<std::size_t>(key)].there == 0 || !absent(s, key, newest(s, key))) continue;
    if (without_.rule15_backward) continue;
    note(Seen::backward_mark);
    const state::SpoolPut mark;
    put(next, key, mark, 0);
  }
  next.backward_due = 0;
  next.gaps = static_cast<std::uint8_t>(next.gaps - next.gaps_healing);
  next.gaps_healing = 0;
  out(next, Act::looks_back, 0, 0, 0);
}

}  // namespace messina::model
