// Holding keys, settling them, and the rejects' way through the ledger.
#include <algorithm>
#include <chrono>
#include <iterator>
#include <limits>
#include <utility>

#include "jobs/apply_run.h"

namespace messina::jobs {

namespace {

/// Of a held key beside its own bytes: the strings and nodes that hold it here and in the spool's hands.
constexpr std::int64_t kKeyOverhead = 200;
/// Keys that are settled together, and how long settling pauses so that more come together.
constexpr std::size_t kMostTogether = 16'384;
constexpr Duration kSettlePause = std::chrono::milliseconds(20);
/// Until a call that the spool had no room for is made again.
constexpr Duration kBusyPause = std::chrono::milliseconds(20);
/// Rejects of one commit.
constexpr std::size_t kMostRecorded = 500;
/// Who waits for a bell looks this often all the same.
constexpr Duration kLongestNap = std::chrono::seconds(1);

std::string canonical_key(const std::string& text, const item::KeySchema& schema) {
  const Result<item::Key> key = item::find_key(text, schema);
  return key ? item::key_bytes(*key) : text;
}

}  // namespace

std::int64_t bytes_of_held_key(std::string_view key) {
  return static_cast<std::int64_t>(key.size()) + kKeyOverhead;
}

ApplyKeeper::ApplyKeeper(ApplyRun& run)
    : run_(run), book_({.clock_error = run.options.clock_error, .dead_after = run.options.dead_after}) {}

/// What settling it takes; the image is not needed any more.
state::Settled ApplyKeeper::settled(Change& change) {
  run_.forget_image(change);
  const ApplyFaults& faults = run_.options.faults;
  const bool all = faults.settle_newest || (change.reread && faults.reread_settles_later_marks);
  return {std::move(change.key), all ? std::numeric_limits<state::Generation>::max() : change.generation};
}

void ApplyKeeper::hold_after_answer(std::vector<state::Settled> written, MonoTime answered) {
  if (run_.options.faults.keys_not_apart) answered -= run_.options.clock_error + kMore;
  book_.answered(std::move(written), answered);
  wake();
}

void ApplyKeeper::acknowledged(std::vector<Change> changes) {
  const MonoTime now = run_.home.now();
  const LiveRejects& rejects = run_.context.ledger->rejects();
  const auto wall_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(run_.home.wall().time_since_epoch()).count();
  std::vector<state::Settled> written;
  written.reserve(changes.size());
  for (Change& change : changes) {
    ++(change.remove ? run_.totals.removed : run_.totals.written);
    if (change.changed_unix_ms > 0) {
      const double lag_s = static_cast<double>(wall_ms - change.changed_unix_ms) / 1000;
      run_.worst_lag_s = std::max(run_.worst_lag_s.value_or(0), lag_s);
    }
    if (!rejects.empty()) {
      std::string key = canonical_key(change.key, run_.context.source_key);
      if (rejects.contains(key)) {
        pending_.push_back({settled(change), std::move(key), std::nullopt, 0, now});
        continue;
      }
    }
    written.push_back(settled(change));
  }
  if (!pending_.empty()) recording_.ring();
  hold_after_answer(std::move(written), now);
}

std::vector<std::string> ApplyKeeper::keys_of(std::vector<Change> changes) {
  std::vector<std::string> keys;
  keys.reserve(changes.size());
  for (Change& change : changes) {
    run_.forget_image(change);
    keys.push_back(std::move(change.key));
  }
  return keys;
}

void ApplyKeeper::unknown(std::vector<Change> changes) {
  if (run_.options.faults.retry_unknown_at_once) {
    release(std::move(changes));
    return;
  }
  book_.unknown(keys_of(std::move(changes)), run_.home.now());
  wake();
}

void ApplyKeeper::turned_away(std::vector<Change> changes, Duration pause) {
  MonoTime until = run_.home.now() + pause;
  for (const Change& change : changes) {
    if (change.perhaps_written_at)
      until = std::max(until, *change.perhaps_written_at + run_.options.clock_error);
  }
  book_.turned_away(keys_of(std::move(changes)), until);
  wake();
}

void ApplyKeeper::release(std::vector<Change> changes) {
  released_ += changes.size();
  give_back(keys_of(std::move(changes)));
}

void ApplyKeeper::leave_over(std::vector<Change> changes) { give_back(keys_of(std::move(changes))); }

void ApplyKeeper::give_back(const std::vector<std::string>& keys) {
  for (const std::string& key : keys) run_.key_bytes -= bytes_of_held_key(key);
  run_.context.spool->release(keys);
  run_.room_made.ring();
}

void ApplyKeeper::reject(Change change, const Error& error, bool was_unknown) {
  Pending pending;
  pending.key = canonical_key(change.key, run_.context.source_key);
  pending.image_bytes = static_cast<std::int64_t>(change.image.size());
  state::Reject reject;
  reject.reason = error.message;
  reject.code = error.code;
  const bool has_item = !change.remove && !change.image.empty();  // a mark that could not be read has none
  reject.item = has_item ? std::move(change.image) : change.key;
  reject.at_unix_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(run_.home.wall().time_since_epoch()).count();
  reject.key = pending.key;
  pending.reject = std::move(reject);
  change.image.clear();
  pending.settled = settled(change);
  pending.answered = run_.home.now();
  if (was_unknown) {
    ++late_rejects_;
    run_.requests.spawn(run_.home.executor(), reject_later(run_.shared_from_this(), std::move(pending)));
    return;
  }
  if (run_.options.faults.settle_before_reject) {
    std::vector<state::Settled> early{std::exchange(pending.settled, {})};
    book_.answered(std::move(early), pending.answered - run_.options.clock_error - kMore);
    wake();
  }
  pending_.push_back(std::move(pending));
  recording_.ring();
}

/// Its entry may go only when nothing of it can land any more.
Task<void> ApplyKeeper::reject_later(std::shared_ptr<ApplyRun> run, Pending pending) {
  const MonoTime until = run->home.now() + run->options.dead_after + run->options.clock_error + kMore;
  co_await run->home.sleep_until(until, &run->halt);
  if (run->home.now() < until) co_return;
  --late_rejects_;
  pending_.push_back(std::move(pending));
  recording_.ring();
}

void ApplyKeeper::wake() {
  const std::optional<MonoTime> next = book_.next();
  if (next && *next + kMore < sleeping_until_) due_.ring();
}

Task<Result<void>> ApplyKeeper::settle(std::shared_ptr<ApplyRun> run, std::vector<state::Settled> written) {
  for (;;) {
    Result<void> done = co_await run->context.spool->settle(written);
    if (done) break;
    if (done.error().kind != ErrorKind::busy) co_return done;
    co_await run->home.sleep_for(kBusyPause, nullptr);
  }
  for (const state::Settled& each : written) run->key_bytes -= bytes_of_held_key(each.key);
  run->room_made.ring();
  co_return Result<void>();
}

Task<void> ApplyKeeper::settle_by_and_by(std::shared_ptr<ApplyRun> run) {
  for (;;) {
    HoldBook::Due due = book_.take_due(run->home.now(), kMostTogether);
    released_ += due.release.size();
    if (!due.release.empty()) give_back(due.release);
    const bool last = due.empty() && closed_ && recorded_;
    // The one that comes next knows by the ledger that it must leave S.
    if (last) due.settle = book_.take_answered();
    const bool something = !due.empty();
    if (!due.settle.empty()) {
      const Result<void> done = co_await settle(run, std::move(due.settle));
      if (!done) {
        run->fail_with(done.error());
        co_return;
      }
    }
    if (last) co_return;
    if (something) {
      if (!closed_) co_await run->home.sleep_for(kSettlePause, &run->halt);
      continue;
    }
    sleeping_until_ = run->home.now() + kLongestNap;
    if (const std::optional<MonoTime> next = book_.next())
      sleeping_until_ = std::min(sleeping_until_, *next + kMore);
    co_await due_.wait(run->home, sleeping_until_);
    sleeping_until_ = MonoTime::min();
  }
}

Task<void> ApplyKeeper::record_by_and_by(std::shared_ptr<ApplyRun> run) {
  while (!pending_.empty() || !closed_) {
    if (pending_.empty()) {
      co_await recording_.wait(run->home, run->home.now() + kLongestNap);
      continue;
    }
    const std::size_t count = std::min(pending_.size(), kMostRecorded);
    const auto end = pending_.begin() + static_cast<std::ptrdiff_t>(count);
    std::vector<Pending> together(std::move_iterator(pending_.begin()), std::move_iterator(end));
    pending_.erase(pending_.begin(), end);
    const bool done = co_await record(run, std::move(together));
    if (!done) break;
  }
  recorded_ = true;
  due_.ring();
}

/// Into the ledger, and only then may the entries go.
Task<bool> ApplyKeeper::record(std::shared_ptr<ApplyRun> run, std::vector<Pending> together) {
  LiveLedger& ledger = *run->context.ledger;
  std::vector<state::Reject> rejects;
  std::vector<std::string> cured;
  for (Pending& each : together) {
    // What was refused before, of a key that is refused again, is of no use any more.
    cured.push_back(each.key);
    if (each.reject) rejects.push_back(std::move(*each.reject));
  }
  const std::size_t count = rejects.size();
  const Result<void> done = co_await ledger.record_rejects(std::move(rejects), std::move(cured));
  if (!done) {
    run->fail_with(done.error());
    co_return false;
  }
  run->totals.rejected += count;
  for (Pending& each : together) {
    run->image_bytes -= each.image_bytes;
    std::vector<state::Settled> one;
    if (!each.settled.key.empty()) one.push_back(std::move(each.settled));
    hold_after_answer(std::move(one), each.answered);
  }
  co_return true;
}

void ApplyKeeper::close() {
  closed_ = true;
  recording_.ring();
  due_.ring();
}

}  // namespace messina::jobs
