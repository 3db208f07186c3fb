#include "state.h"

#include <algorithm>
#include <tuple>

namespace messina::model {

namespace {

/// Replaces values by their ranks, in place: 0 stays, smaller than `from` only (times), or all (generations).
template <class Value, int kMost>
class Ranks {
 public:
  void add(Value& value) {
    if (count_ < kMost) fields_[static_cast<std::size_t>(count_++)] = &value;
  }
  /// Downwards from `from`: the newest of the older times becomes from - 1.
  void downwards(int from) {
    sort();
    int rank = from;
    for (int i = count_; i-- > 0;) {
      if (i == count_ - 1 || values_[static_cast<std::size_t>(i)] != values_[static_cast<std::size_t>(i + 1)])
        --rank;
      *fields_[static_cast<std::size_t>(i)] = static_cast<Value>(rank);
    }
  }
  void upwards(int from) {
    sort();
    int rank = from;
    for (int i = 0; i < count_; ++i) {
      if (i == 0 || values_[static_cast<std::size_t>(i)] != values_[static_cast<std::size_t>(i - 1)]) ++rank;
      *fields_[static_cast<std::size_t>(i)] = static_cast<Value>(rank);
    }
  }

 private:
  void sort() {
    std::sort(fields_.begin(), fields_.begin() + count_, [](Value* a, Value* b) { return *a < *b; });
    for (int i = 0; i < count_; ++i)
      values_[static_cast<std::size_t>(i)] = *fields_[static_cast<std::size_t>(i)];
  }
  std::array<Value*, kMost> fields_{};
  std::array<Value, kMost> values_{};
  int count_ = 0;
};

/// A listing or a poll that a claim cannot rest on any more.
constexpr Tick kStale = -2;

bool in_watermark(PagePhase phase) { return phase != PagePhase::todo && phase != PagePhase::done; }

void forget_what_does_not_matter(State& s, const Scope& scope) {
  for (Page& page : s.page) {
    const bool over = page.at < -scope.clock_error;
    if (page.phase == PagePhase::recorded && over) page = {PagePhase::done, 0, 0, {}};
    if (!in_watermark(page.phase)) page = {page.phase, 0, 0, {}};
    // A page that is finished for the watermark is not sent any more.
    if (page.phase == PagePhase::acked && over) page.sent_at = 0;
    const bool landed = page.phase == PagePhase::acked || page.phase == PagePhase::recorded;
    if (landed || page.phase == PagePhase::asked) page.version = {};
    const bool counts = landed || page.phase == PagePhase::unknown;
    const int most =
        page.phase == PagePhase::unknown ? scope.dead_after + scope.clock_error + 1 : scope.clock_error + 1;
    page.at = counts ? std::max<Tick>(page.at, static_cast<Tick>(-most)) : Tick{0};
  }
  for (Hold& hold : s.hold) {
    using enum HoldPhase;
    if (hold.phase == idle) hold = {};
    if (hold.phase != idle && !scope.claims) hold.oldest_put_since = kUnknownTime;
    if (hold.phase != reading && hold.phase != read) hold.sent_at = 0;
    if (hold.phase == reading || hold.phase == unknown || hold.phase == turned_away) hold.version = 0;
    if (hold.phase == reading || hold.phase == unknown || hold.phase == turned_away ||
        hold.phase == answered || hold.phase == on_wire)
      hold.remove = 0;
    if (hold.phase == unknown || hold.phase == turned_away) hold.generation = hold.newest_put = 0;
  }
  for (std::array<Entry, kKeys>* entries : {&s.entry, &s.synced}) {
    for (Entry& entry : *entries) {
      if (!entry.there()) entry = {};
      if (entry.image == 0) entry.version = entry.incarnation = 0;
      const bool of_this = entry.incarnation == s.incarnation && s.life != Life::down;
      if (entry.image == 0 || !of_this) entry.captured = 0;
      if (!scope.claims) entry.oldest = 0;
    }
  }
  for (std::size_t key = 0; key < kKeys; ++key) {
    if (((s.unsynced >> key) & 1) == 0) s.synced[key] = {};
  }
  // Whoever opened it: the captures of a former process count from then.
  bool of_former = false;
  for (const std::array<Entry, kKeys>* entries : {&s.entry, &s.synced}) {
    for (const Entry& entry : *entries)
      of_former = of_former || (entry.image != 0 && entry.incarnation != s.incarnation);
  }
  if (!of_former || s.life == Life::down) s.opened = 0;
  for (OnTarget& there : s.target) there.stamp = std::max<Tick>(there.stamp, -1);
  for (PendingPut& pending : s.pending) {
    if (pending.stage == nothing_pending) pending = {};
  }
  if (!scope.claims) {
    s.listed_at = 0;
    s.listed_split = 0;
    s.polled_at = {};
    s.behind = {};
  }
  // A claim asks whether what it rests on is fresh, and whether what waits is older than now.
  const auto fresh_or_stale = [](Tick& at) { at = at == kUnknownTime ? kStale : std::max(at, kStale); };
  fresh_or_stale(s.listed_at);
  if (s.listed_at == kStale) s.listed_split = 0;
  for (std::size_t i = 0; i < kShards; ++i) {
    fresh_or_stale(s.polled_at[i]);
    s.behind[i] = s.polled_at[i] == kStale ? std::uint8_t{0} : std::min<std::uint8_t>(s.behind[i], 1);
  }
  for (std::size_t key = 0; key < kKeys; ++key) {
    s.entry[key].oldest = std::max<Tick>(s.entry[key].oldest, -1);
    s.synced[key].oldest = std::max<Tick>(s.synced[key].oldest, -1);
    s.hold[key].oldest_put_since = std::max<Tick>(s.hold[key].oldest_put_since, -1);
  }
  // Whether it was written before the epoch began.
  const bool to_begin = s.epoch == 0 && s.life != Life::listed;
  const Tick oldest = scope.claims ? Tick{-2} : Tick{-1};
  bool all_read = s.writes == scope.writes && s.renew == 0 && s.life == Life::runs;
  for (std::size_t i = 0; i < s.writes; ++i) {
    Tick& at = s.written[i].at;
    const bool hint = s.written[i].shard == kHint;
    const Row& row = s.durable[hint ? 0 : s.written[i].shard];
    const bool read =
        s.life == Life::runs && s.renew == 0 && (hint || row.state == RowState::drained || row.read_to > i);
    all_read = all_read && read;
    if (read && !scope.claims && s.heals_left == 0)
      at = 0;
    else if (scope.retention == 0 && !read && !to_begin && at < s.began)
      at = static_cast<Tick>(oldest - 2);
    else if (scope.retention == 0)
      at = std::max(at, oldest);
  }
  // Whether gaps are being healed, and whether there is another one.
  const std::uint8_t another = s.gaps > s.gaps_healing;
  s.gaps_healing = s.gaps_healing > 0;
  s.gaps = static_cast<std::uint8_t>(s.gaps_healing + another);
  // What follows from the start has no record of before.
  if (scope.begun && s.epoch == 1 && s.life != Life::listed) s.began = 0;
  if (scope.retention == 0 && !to_begin) s.began = static_cast<Tick>(oldest - 1);
  if (all_read) s.began = 0;
  for (std::array<Row, kShards>* rows : {&s.durable, &s.memory}) {
    for (Row& row : *rows) {
      if (row.state == RowState::drained) row.read_to = 0;
      // A child that waits is given its parent's time when that is drained.
      const bool inherited = row.state == RowState::drained && rows->back().state == RowState::unknown;
      if ((row.state != RowState::reading && !inherited) || scope.retention == 0) row.read_until = 0;
    }
  }
  if (to_begin) s.began = 0;
  std::sort(s.request.begin(), s.request.end(), [](const Request& a, const Request& b) {
    const auto order = [](const Request& r) {
      return std::tuple(r.sender == Sender::none, r.sender, r.index, r.key, r.version, r.remove, r.dies);
    };
    return order(a) < order(b);
  });
}

/// What was captured or read is compared with the sending of pages and with now, and with nothing else.
void rank_order_times(State& s) {
  std::array<Tick, kPages> sent{};
  int pages = 0;
  for (const Page& page : s.page) {
    const auto end = sent.begin() + pages;
    if (page.sent_at < 0 && std::find(sent.begin(), end, page.sent_at) == end)
      sent[static_cast<std::size_t>(pages++)] = page.sent_at;
  }
  const auto rank = [&](Tick& time) {
    if (time >= 0) return;
    int later = 0;
    bool of_page = false;
    for (int i = 0; i < pages; ++i) {
      later += sent[static_cast<std::size_t>(i)] > time;
      of_page = of_page || sent[static_cast<std::size_t>(i)] == time;
    }
    time = static_cast<Tick>(-(2 * later + (of_page ? 2 : 1)));
  };
  for (Page& page : s.page) rank(page.sent_at);
  for (Hold& hold : s.hold) rank(hold.sent_at);
  for (Entry& entry : s.entry) rank(entry.captured);
  for (Entry& entry : s.synced) rank(entry.captured);
  for (PendingPut& pending : s.pending) rank(pending.captured);
  rank(s.opened);
}

/// Ages matter up to the retention, or to what a claim forgives; then the order.
void rank_old_times(State& s, const Scope& scope) {
  const int exact = std::max(scope.retention > 0 ? scope.retention + 1 : 0, scope.claims ? 5 : 0);
  Ranks<Tick, 24> old;
  const auto add = [&](Tick& time) {
    if (time < -exact) old.add(time);
  };
  for (std::size_t i = 0; i < s.writes; ++i) add(s.written[i].at);
  for (Row& row : s.durable) add(row.read_until);
  for (Row& row : s.memory) add(row.read_until);
  for (Entry& entry : s.entry) add(entry.oldest);
  for (Entry& entry : s.synced) add(entry.oldest);
  for (Hold& hold : s.hold) add(hold.oldest_put_since);
  add(s.began);
  old.downwards(-exact);
}

/// Generations are compared within a key, and with the barrier.
void rank_generations(State& s) {
  // A barrier before everything that is there has nothing to say any more.
  bool counts = false;
  for (const std::array<Entry, kKeys>* entries : {&s.entry, &s.synced}) {
    for (const Entry& entry : *entries) counts = counts || (entry.there() && entry.queued < s.barrier);
  }
  for (const Hold& hold : s.hold) counts = counts || (hold.generation != 0 && hold.generation < s.barrier);
  if (!counts) s.barrier = 0;
  constexpr Gen kBarrier = 10, kNext = 20;
  for (std::size_t key = 0; key < kKeys; ++key) {
    Ranks<Gen, 8> before, after;
    const auto add = [&](Gen& generation) {
      if (generation == 0) return;
      if (generation == s.barrier)
        generation = kBarrier;
      else
        (generation < s.barrier ? before : after).add(generation);
    };
    for (Entry* entry : {&s.entry[key], &s.synced[key]}) {
      add(entry->queued);
      add(entry->mark);
      add(entry->image);
    }
    add(s.hold[key].generation);
    add(s.hold[key].newest_put);
    before.upwards(0);
    after.upwards(kBarrier);
  }
  if (s.barrier != 0) s.barrier = kBarrier;
  s.next = kNext;
}

}  // namespace

void canonical(State& s, const Scope& scope) {
  forget_what_does_not_matter(s, scope);
  rank_order_times(s);
  rank_old_times(s, scope);
  rank_generations(s);
}

}  // namespace messina::model
