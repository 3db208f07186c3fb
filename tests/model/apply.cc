// Apply: rules 1, 2, 6, 8 and 11, by jobs/hold_book.h, jobs/watermark.h and state/spool_entry.h.
#include <limits>

#include "jobs/hold_book.h"
#include "model.h"

namespace messina::model {

namespace {

/// A wait of "more than" a time ends this much later, as in jobs/apply_run.h.
constexpr Duration kMore = std::chrono::milliseconds(1);

}  // namespace

void Model::apply_steps(const State& s, const Out& out) const {
  if (s.life != Life::runs || (s.quiet > 0 && !without_.rule3)) return;
  const MonoTime mark = watermark(s);
  for (std::uint8_t key = 0; key < kKeys; ++key) {
    const Entry& entry = s.entry[key];
    State next = s;
    Hold& hold = next.hold[key];
    switch (s.hold[key].phase) {
      case HoldPhase::idle: {
        if (!entry.there()) break;
        const state::EntryView now = state::behind_barrier(view(s, key, entry), s.barrier);
        // As jobs/apply.cc asks: for everything while no page is on its way.
        state::TakeRequest request;
        if (mark < mono(0)) request.images_before = request.removals_before = mark;
        if (!state::may_be_taken(now, request, incarnation(s))) {
          note(Seen::held_by_watermark);
          break;
        }
        const state::SpoolEntry taken = state::to_spool_entry("", now, incarnation(s));
        hold = {};
        hold.oldest_put_since = kUnknownTime;
        hold.generation = hold.newest_put = static_cast<Gen>(taken.generation);
        if (taken.kind == state::ChangeKind::reread) {
          hold.phase = HoldPhase::reading;
          hold.sent_at = 0;
          out(next, Act::asks_again, key, 0, 0);
          break;
        }
        if (!(taken.captured < mark)) {
          note(Seen::held_by_watermark);
          break;
        }
        hold.version = entry.version;
        hold.remove = taken.kind == state::ChangeKind::removal;
        send_change(next, key);
        out(next, Act::takes, key, hold.version, taken.kind == state::ChangeKind::removal);
        break;
      }
      case HoldPhase::reading: {
        hold.version = newest(s, key);
        hold.remove = absent(s, key, hold.version);
        hold.phase = HoldPhase::read;
        if (hold.newest_put != hold.generation) note(Seen::coalesced_reread);
        if (hold.remove != 0) note(Seen::read_absent);
        out(next, Act::reads_again, key, hold.version, hold.remove);
        if (s.unprocessed_left == 0) break;
        State left = s;
        --left.unprocessed_left;
        left.hold[key].sent_at = 0;
        if (without_.rule6) {
          left.hold[key] = hold;
          left.hold[key].remove = 1;
        }
        out(left, Act::leaves_unprocessed, key, 0, 0);
        break;
      }
      case HoldPhase::read:
        if (!(mono(hold.sent_at) < mark)) {
          note(Seen::held_by_watermark);
          break;
        }
        send_change(next, key);
        out(next, Act::sends, key, hold.version, s.hold[key].remove);
        break;
      case HoldPhase::on_wire:
        if (s.throttles_left > 0) {
          --next.throttles_left;
          for (Request& request : next.request) {
            if (request.sender == Sender::hold && request.key == key) request = {};
          }
          hold.phase = HoldPhase::turned_away;
          hold.at = 0;
          out(next, Act::throttles, key, 0, 0);
        }
        if (s.lost_left == 0) break;
        next = s;
        --next.lost_left;
        lost_change(next, key);
        out(next, Act::loses, key, 0, 0);
        break;
      default:
        break;
    }
  }
}

void Model::send_change(State& next, int key) const {
  Hold& hold = next.hold[static_cast<std::size_t>(key)];
  if (hold.remove != 0 && !absent(next, key, hold.version))
    next.wrong = static_cast<std::uint8_t>(Wrong::deleted_unasked);
  add_request(next, {Sender::hold, 0, static_cast<std::uint8_t>(key), hold.version, hold.remove, 0});
  hold.phase = HoldPhase::on_wire;
}

void Model::acknowledged_change(State& next, int key) const {
  Hold& hold = next.hold[static_cast<std::size_t>(key)];
  hold.phase = HoldPhase::answered;
  hold.at = 0;
  if (without_.rule2) due(next);
}

void Model::lost_change(State& next, int key) const {
  cut(next, Sender::hold, key);
  Hold& hold = next.hold[static_cast<std::size_t>(key)];
  hold.phase = without_.rule1_settle ? HoldPhase::answered : HoldPhase::unknown;
  hold.at = 0;
  if (without_.rule1) hold = {};
}

/// What has waited long enough is settled, or may be taken again. The waits are told to the book again.
void Model::due(State& next) const {
  jobs::HoldBook book({.clock_error = scope_.clock_error * kTick, .dead_after = scope_.dead_after * kTick});
  for (int key = 0; key < kKeys; ++key) {
    const Hold& hold = next.hold[static_cast<std::size_t>(key)];
    const std::string name(1, static_cast<char>('0' + key));
    MonoTime at = mono(hold.at);
    if (hold.phase == HoldPhase::answered) {
      if (without_.rule2) at -= scope_.clock_error * kTick + kMore;
      const state::Generation all = std::numeric_limits<state::Generation>::max();
      book.answered({{name, without_.rule8_settle ? all : hold.generation}}, at);
    } else if (hold.phase == HoldPhase::unknown) {
      book.unknown({name}, at);
    } else if (hold.phase == HoldPhase::turned_away) {
      book.turned_away({name}, at);
    }
  }
  const jobs::HoldBook::Due waited = book.take_due(mono(0), kKeys);
  for (const state::Settled& each : waited.settle) {
    const int key = each.key.front() - '0';
    const auto i = static_cast<std::size_t>(key);
    settle(next, key, each.generation);
    // I2: all that the spool had of this key is on the target, or something newer.
    const bool gone = !next.entry[i].there();
    for (int n = next.hold[i].version; gone && n < next.writes; ++n) {
      const bool known = ((next.captured >> n) & 1) != 0;
      if (known && next.written[static_cast<std::size_t>(n)].key == key)
        next.wrong = static_cast<std::uint8_t>(Wrong::removed_unwritten);
    }
    next.hold[i] = {};
  }
  for (const std::string& key : waited.release) next.hold[static_cast<std::size_t>(key.front() - '0')] = {};
}

}  // namespace messina::model
