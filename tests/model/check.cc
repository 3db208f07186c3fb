// What must hold in every state: the invariants of the protocol, as far as they concern this scope.
#include <algorithm>

#include "model.h"

namespace messina::model {

namespace {

bool has(std::uint8_t bits, int bit) { return ((bits >> bit) & 1) != 0; }

bool copied(const Page& page) { return page.phase == PagePhase::recorded || page.phase == PagePhase::done; }

/// In ticks. Older than that, a change is not forgiven a claim: a poll may be a tick old, and what it brought
/// as well.
constexpr int kForgiven = 1;

}  // namespace

bool Model::in_sync(const State& s, int key) const {
  const OnTarget& there = s.target[static_cast<std::size_t>(key)];
  const Version version = newest(s, key);
  if (absent(s, key, version)) return there.there == 0;
  return there.there != 0 && there.version == version;
}

/// Its position says that this record was read. (While it does not, it will be read, or found missing.)
bool Model::passed_by(const State& s, int write) const {
  const Written& written = s.written[static_cast<std::size_t>(write)];
  if (written.shard == kHint) return false;
  const Row& row = s.durable[written.shard];
  const bool by_time = scope_.retention > 0 && row.state == RowState::reading && written.at < row.read_until;
  return row.state == RowState::drained || row.read_to > write || by_time;
}

/// I1: who will bring the target up to date.
bool Model::accounted_for(const State& s, int key) const {
  const auto i = static_cast<std::size_t>(key);
  for (int n = 0; n < s.writes; ++n) {
    const Written& written = s.written[static_cast<std::size_t>(n)];
    const bool on_its_way = written.shard != kHint && has(s.pending[written.shard].records, n);
    if (written.key == key && !has(s.captured, n) && (on_its_way || !passed_by(s, n)))
      return true;  // an unread record
  }
  for (std::size_t p = 0; p < kPages; ++p) {
    const bool landed = s.page[p].phase == PagePhase::acked || copied(s.page[p]);
    if (has(scope_.pages[p], key) && !landed) return true;  // an unfinished unit
  }
  const bool history = s.history_epoch == s.epoch && s.epoch > 0 && s.renew == 0;
  if (!history || s.backward_due != 0) return true;
  return s.entry[i].there() || s.hold[i].phase == HoldPhase::unknown || s.gaps > 0;
}

jobs::StepFacts Model::facts(const State& s) const {
  jobs::StepFacts facts;
  const bool all_copied = std::ranges::all_of(s.page, copied);
  facts.history_done = (all_copied && s.history_epoch == s.epoch && s.epoch > 0) || without_.rule16_history;
  facts.backward_owed = s.backward_due != 0;
  facts.gaps = without_.rule16_gap ? 0 : s.gaps;
  facts.capturing = facts.applying = s.life == Life::runs;
  for (const Hold& hold : s.hold) facts.unknown_outcomes += hold.phase == HoldPhase::unknown;
  if (s.listed_at != kUnknownTime) facts.listed_at = mono(s.listed_at);
  if (without_.rule16_listing) facts.listed_at = mono(0);
  // As Capture::claim() does: of the shards that were open in the newest listing.
  State then = s;
  then.split = s.listed_split;
  const endpoints::StreamDescription listing = listing_of(then);
  const jobs::ShardMap map = map_of(s.memory);
  facts.closed_drained = map.closed_are_drained(listing);
  MonoTime oldest = MonoTime::max();
  std::array<bool, kShards> open{};
  for (const endpoints::ShardInfo& shard : listing.shards) {
    if (shard.closed) continue;
    const auto i = static_cast<std::size_t>(shard.id.value.front() - '0');
    open[i] = true;
    oldest = s.polled_at[i] == kUnknownTime ? MonoTime::min() : std::min(oldest, mono(s.polled_at[i]));
    facts.behind = std::max(facts.behind, std::chrono::seconds(s.behind[i] * kTick));
    if (oldest == MonoTime::min()) break;
  }
  if (oldest != MonoTime::min()) facts.polled_at = oldest;
  for (std::size_t i = 0; i < kShards; ++i) {
    const RowState state = s.memory[i].state;
    if (state != RowState::drained && state != RowState::unknown && !open[i]) facts.closed_drained = false;
  }
  if (without_.rule16_polls) {
    facts.polled_at = mono(0);
    facts.behind = {};
  }
  for (const Entry& entry : s.entry) {
    if (!entry.there() || without_.rule16_entries) continue;
    const auto age = std::chrono::milliseconds(-entry.oldest * kTick);
    facts.oldest_entry = std::max(facts.oldest_entry.value_or(age), age);
  }
  return facts;
}

bool Model::says_in_step(const State& s) const {
  if (s.life != Life::runs) return false;
  return jobs::not_in_step_because(facts(s), mono(0), std::chrono::milliseconds(0)).empty();
}

const char* Model::wrong(const State& s, bool ends_only) const {
  for (int key = 0; key < kKeys; ++key) {
    if (in_sync(s, key)) continue;
    if (!accounted_for(s, key))
      return "I1: the target differs from the source, and nothing is left that would bring it there";
    if (!scope_.claims) continue;
    const OnTarget& there = s.target[static_cast<std::size_t>(key)];
    const bool faithful = (there.there != 0) != absent(s, key, there.version);
    bool old = !faithful;
    for (int n = there.version; n < s.writes; ++n) {
      const Written& written = s.written[static_cast<std::size_t>(n)];
      old = old || (written.key == key && -written.at > kForgiven);
    }
    if (!old) continue;
    if (says_in_step(s)) return "I8: it says that it is in step, and an old change is not on the target";
    note(Seen::false_alarm);
  }
  if (ends_only) return nullptr;
  switch (static_cast<Wrong>(s.wrong)) {
    case Wrong::nothing:
      break;
    case Wrong::removed_unwritten:
      return "I2: an entry is removed, and a state that it stood for was not acknowledged";
    case Wrong::deleted_unasked:
      return "I5: a delete of a key that was neither removed nor found absent";
    case Wrong::spool_disagrees:
      return "I2: whether an entry goes depends on whether it is read";
    case Wrong::no_room:
      return "the model has no room for so many requests";
  }
  for (const Request& request : s.request) {
    const OnTarget& there = s.target[request.key];
    if (request.sender != Sender::nobody || request.version >= there.version) continue;
    bool in_flight = s.hold[request.key].phase == HoldPhase::unknown || s.quiet > 0 || s.life != Life::runs;
    for (std::size_t p = 0; p < kPages; ++p)
      in_flight = in_flight || (has(scope_.pages[p], request.key) && s.page[p].phase == PagePhase::unknown);
    if (!in_flight) return "I3: an older state may still land on a key that is not in flight any more";
  }
  for (int n = 0; n < s.writes; ++n) {
    if (!has(s.trimmed, n) || has(s.captured, n) || s.gaps > 0 || s.epoch == 0 || s.renew != 0) continue;
    if (passed_by(s, n))
      return "I4: a record was trimmed unread, its shard was read on, and no gap is declared";
  }
  return nullptr;
}

bool Model::at_end(const State& s) const {
  if (s.gaps > s.gaps_healing && s.heals_left == 0) return true;
  const std::uint8_t all = static_cast<std::uint8_t>((1u << s.writes) - 1);
  if (s.writes < scope_.writes || (s.captured | s.trimmed) != all || s.life != Life::runs) return false;
  for (int n = 0; n < s.writes; ++n) {
    if (!has(s.captured, n) && !passed_by(s, n)) return false;
  }
  if (s.backward_due != 0 || s.gaps > 0) return false;
  const auto pending = [](const PendingPut& put) { return put.stage != nothing_pending; };
  const auto there = [](const Entry& entry) { return entry.there(); };
  const auto busy = [](const Hold& hold) { return hold.phase != HoldPhase::idle; };
  const auto flies = [](const Request& request) { return request.sender != Sender::none; };
  return std::ranges::all_of(s.page, copied) && std::ranges::none_of(s.pending, pending) &&
         std::ranges::none_of(s.entry, there) && std::ranges::none_of(s.hold, busy) &&
         std::ranges::none_of(s.request, flies);
}

bool Model::good_end(const State& s) const {
  if (!at_end(s)) return false;
  if (says_in_step(s)) note(Seen::in_step);
  return s.gaps > 0 || (in_sync(s, 0) && in_sync(s, 1));
}

}  // namespace messina::model
