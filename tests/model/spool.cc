// The spool's decisions (rule 8), by state/spool_entry.h.
#include <algorithm>

#include "model.h"

namespace messina::model {

namespace {

state::OrderToken token_of(Version version) {
  // As long as DynamoDB's.
  static const auto kTokens = [] {
    std::array<state::OrderToken, kMostWrites + 1> tokens;
    for (int i = 0; i <= kMostWrites; ++i)
      tokens[static_cast<std::size_t>(i)] =
          state::OrderToken::parse("10000000000000000000" + std::to_string(i)).value();
    return tokens;
  }();
  return kTokens[version];
}

Version version_of(const state::OrderToken& token) {
  return static_cast<Version>(token.digits().back() - '0');
}

std::int64_t unix_ms(Tick at) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(wall(at).time_since_epoch()).count();
}

Tick tick_of_ms(std::int64_t ms) {
  if (ms == 0) return -1;  // of unknown age: as bad as old
  return static_cast<Tick>(tick_of(WallTime(std::chrono::milliseconds(ms))));
}

}  // namespace

state::Incarnation Model::incarnation(const State& s) const { return {s.incarnation, mono(s.opened)}; }

state::EntryView Model::view(const State& s, int key, const Entry& entry) const {
  state::EntryView out{.queued = entry.queued,
                       .oldest_change_unix_ms = unix_ms(entry.oldest),
                       .mark = entry.mark,
                       .image = {}};
  if (entry.image == 0) return out;
  const state::Incarnation then{entry.incarnation, mono(0)};
  out.image = state::EntryView::Image{.generation = entry.image,
                                      .domain = 1,
                                      .token = token_of(entry.version),
                                      .captured = then.stamp(mono(entry.captured)),
                                      .removed = absent(s, key, entry.version),
                                      .bytes = {}};
  return out;
}

Entry Model::entry_of(const state::EntryView& view) const {
  Entry entry{};
  if (view.empty()) return entry;
  entry.queued = static_cast<Gen>(view.queued);
  entry.mark = static_cast<Gen>(view.mark);
  entry.oldest = scope_.claims ? tick_of_ms(view.oldest_change_unix_ms) : Tick{0};
  if (!view.image) return entry;
  entry.image = static_cast<Gen>(view.image->generation);
  entry.version = version_of(view.image->token);
  entry.incarnation = static_cast<std::uint8_t>(view.image->captured.incarnation);
  const std::chrono::nanoseconds captured(view.image->captured.monotonic_ns);
  entry.captured = static_cast<Tick>(tick_of(MonoTime(std::chrono::duration_cast<Duration>(captured))));
  return entry;
}

void Model::put(State& next, int key, const state::SpoolPut& put, Tick captured) const {
  Entry& entry = next.entry[static_cast<std::size_t>(key)];
  Hold& hold = next.hold[static_cast<std::size_t>(key)];
  const state::PutContext context{
      .domain = 1, .same_domain = true, .captured = incarnation(next).stamp(mono(captured))};
  const Gen generation = next.next++;
  if (entry.there()) note(Seen::coalesced);
  const state::EntryView added = state::entry_of(put, generation, context);
  entry = entry_of(entry.there() ? state::merged(view(next, key, entry), added) : added);
  if (without_.rule8_sticky && entry.image != 0 && entry.mark != 0) {
    entry.image = std::max(entry.image, entry.mark);
    entry.mark = 0;
  }
  synced_put(next);
  if (hold.phase == HoldPhase::idle) return;
  hold.newest_put = generation;
  if (!scope_.claims) return;
  const Tick changed = tick_of_ms(put.changed_unix_ms);
  hold.oldest_put_since = std::min(hold.oldest_put_since, changed);
}

/// As the spool on disk does it: without reading the entry where it surely goes.
void Model::settle(State& next, int key, state::Generation generation) const {
  Entry& entry = next.entry[static_cast<std::size_t>(key)];
  const Hold hold = next.hold[static_cast<std::size_t>(key)];
  const Entry before = entry;
  std::optional<std::int64_t> oldest_left;
  if (hold.oldest_put_since != kUnknownTime) oldest_left = unix_ms(hold.oldest_put_since);
  const state::EntryView left = state::remainder(view(next, key, entry), next.barrier, generation, next.next,
                                                 scope_.claims ? oldest_left : std::nullopt);
  const bool unread = state::goes_unread(hold.newest_put, next.barrier, generation);
  if (unread && !left.empty()) next.wrong = static_cast<std::uint8_t>(Wrong::spool_disagrees);
  entry = entry_of(left);
  if (!left.empty()) {
    ++next.next;
    note(Seen::left_behind);
  }
  const std::uint8_t bit = static_cast<std::uint8_t>(1u << key);
  if (scope_.lazy_settle && (next.unsynced & bit) == 0) {
    next.unsynced |= bit;
    next.synced[static_cast<std::size_t>(key)] = before;
  }
}

}  // namespace messina::model
