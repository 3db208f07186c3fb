// Copy: pages of history and the watermark (rules 1, 11 and 13), by jobs/watermark.h and jobs/unit_queue.h.
#include "jobs/unit_queue.h"
#include "model.h"

namespace messina::model {

namespace {

/// A wait of "more than" a time ends this much later, as in jobs/copy_write.cc.
constexpr Duration kMore = std::chrono::milliseconds(1);

bool has(std::uint8_t bits, int bit) { return ((bits >> bit) & 1) != 0; }

}  // namespace

/// The pages are told to it again: those that it has not forgotten as finished.
MonoTime Model::watermark(const State& s) const {
  if (without_.rule11) return MonoTime::max();
  jobs::Watermark watermark(scope_.clock_error * kTick);
  for (const Page& page : s.page) {
    if (page.phase == PagePhase::todo || page.phase == PagePhase::done) continue;
    const jobs::Watermark::Page number = watermark.sent(mono(page.sent_at));
    if (page.phase != PagePhase::acked && page.phase != PagePhase::recorded) continue;
    if (without_.rule11_finish)
      watermark.dropped(number);
    else
      watermark.acknowledged(number, mono(page.at));
  }
  return watermark.value(mono(0));
}

void Model::send_page(State& next, int page) const {
  Page& sent = next.page[static_cast<std::size_t>(page)];
  for (int key = 0; key < kKeys; ++key) {
    const Version version = sent.version[static_cast<std::size_t>(key)];
    if (!has(scope_.pages[static_cast<std::size_t>(page)], key) || absent(next, key, version)) continue;
    add_request(
        next, {Sender::page, static_cast<std::uint8_t>(page), static_cast<std::uint8_t>(key), version, 0, 0});
  }
  sent.phase = PagePhase::on_wire;
  sent.at = 0;
}

void Model::copy_steps(const State& s, const Out& out) const {
  const bool early = without_.rule13_order && s.life != Life::down;
  if (s.life != Life::runs && !early) return;
  // Rule 3: units that a former process may have begun.
  state::JobState job;
  for (const Page& page : s.page) {
    state::UnitRecord& unit = job.units.emplace_back();
    unit.state = page.phase == PagePhase::todo ? state::UnitState::pending : state::UnitState::done;
  }
  job.begun_limit = kPages;
  const bool first_process = s.incarnation == 1;
  const MonoTime quiet = without_.rule3 ? mono(0) : mono(s.quiet);
  jobs::UnitQueue queue(job, first_process ? 0 : kPages, quiet);
  for (;;) {
    const jobs::UnitQueue::Next unit = queue.take(mono(0));
    if (unit.kind != jobs::UnitQueue::Next::Kind::unit) break;
    State next = s;
    next.page[unit.unit].phase = PagePhase::asked;
    next.page[unit.unit].sent_at = 0;
    out(next, Act::asks_page, static_cast<std::uint8_t>(unit.unit), 0, 0);
  }
  for (std::uint8_t p = 0; p < kPages; ++p) {
    const Page& page = s.page[p];
    State next = s;
    Page& changed = next.page[p];
    switch (page.phase) {
      case PagePhase::asked: {
        bool empty = true;
        for (int key = 0; key < kKeys; ++key) {
          if (!has(scope_.pages[p], key)) continue;
          changed.version[static_cast<std::size_t>(key)] = newest(s, key);
          empty = empty && absent(s, key, newest(s, key));
        }
        changed.phase = PagePhase::done;
        if (!empty) send_page(next, p);
        out(next, Act::reads_page, p, empty, 0);
        break;
      }
      case PagePhase::unknown: {
        const Duration wait = (scope_.dead_after + scope_.clock_error) * kTick + kMore;
        if (!without_.rule1 && mono(0) < mono(page.at) + wait) break;
        send_page(next, p);
        out(next, Act::sends_page, p, 0, 0);
        break;
      }
      case PagePhase::on_wire:
        if (s.lost_left == 0) break;
        --next.lost_left;
        cut(next, Sender::page, p);
        changed.phase = without_.rule1_settle ? PagePhase::acked : PagePhase::unknown;
        changed.at = 0;
        out(next, Act::loses_page, p, 0, 0);
        break;
      case PagePhase::acked:
        changed.phase = PagePhase::recorded;
        out(next, Act::records_page, p, 0, 0);
        break;
      default:
        break;
    }
  }
}

}  // namespace messina::model
