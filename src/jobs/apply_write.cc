// Writes: batches across keys, and what each answer means for them.
//
// What was not written, or may have been, is not sent again as it is: its keys go back to the spool when they
// may, and the next taking gives their newest state. Only what the target refused is tried on as it is, in
// halves, until the change at fault is alone.
#include <algorithm>
#include <iterator>
#include <map>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "jobs/apply_run.h"

namespace messina::jobs {

namespace {

/// Keys whose last write was answered 500 that are remembered, so as to be tried apart from others.
constexpr std::size_t kMostSuspects = 100'000;

std::string_view raw_of(const Change& change) { return change.remove ? change.key : change.image; }

/// The item or the key, as it goes to the target.
Result<std::string_view> outgoing(const Change& change, const item::TransformRules& rules,
                                  std::deque<std::string>& transformed) {
  if (rules.empty()) return raw_of(change);
  std::string& out = transformed.emplace_back();
  const Result<void> done = item::transform_item(raw_of(change), rules, out);
  if (!done) return fail(done.error());
  return std::string_view(out);
}

}  // namespace

ApplyWriter::ApplyWriter(ApplyRun& run)
    : run_(run), slots_(std::max<std::uint32_t>(run.options.write_concurrency, 1)) {
  std::vector<Lane>& lanes = *run.context.lanes;
  for (std::size_t i = 0; i < slots_.size(); ++i) slots_[i].lane = &lanes[i % lanes.size()];
}

void ApplyWriter::admit(std::vector<Change> changes) {
  if (suspects_.empty()) {
    std::ranges::move(changes, std::back_inserter(ready_));
    dispatch();
    return;
  }
  std::map<std::uint64_t, Batch> groups;
  for (Change& change : changes) {
    const auto suspect = suspects_.find(change.key);
    if (suspect == suspects_.end()) {
      ready_.push_back(std::move(change));
      continue;
    }
    Batch& batch = groups[suspect->second.group];
    batch.blame = suspect->second.blame;
    batch.changes.push_back(std::move(change));
  }
  for (auto& [group, batch] : groups) groups_.push_back(std::move(batch));
  dispatch();
}

std::size_t ApplyWriter::waiting() const {
  std::size_t waiting = ready_.size();
  for (const Batch& batch : groups_) waiting += batch.changes.size();
  return waiting;
}

std::size_t ApplyWriter::wanted() const {
  return 2 * slots_.size() * std::max<std::size_t>(slots_.front().lane->target.put->caps().max_items, 1);
}

void ApplyWriter::dispatch() {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].busy) continue;
    if (!run_.may_send(run_.home.now())) return;
    Batch batch = next_batch();
    if (batch.changes.empty()) return;
    slots_[i].busy = true;
    run_.requests.spawn(run_.home.executor(), send_batches(run_.shared_from_this(), i, std::move(batch)));
  }
}

Batch ApplyWriter::next_batch() {
  Batch batch;
  if (!groups_.empty()) {
    batch = std::move(groups_.front());
    groups_.pop_front();
    return batch;
  }
  const endpoints::WriteCaps caps = slots_.front().lane->target.put->caps();
  const std::size_t most = std::min(std::max<std::size_t>(caps.max_items, 1), ready_.size());
  batch.changes.reserve(most);
  for (std::size_t bytes = 0; batch.changes.size() < most; ready_.pop_front()) {
    bytes += raw_of(ready_.front()).size();
    if (caps.max_bytes != 0 && bytes > caps.max_bytes && !batch.changes.empty()) break;
    batch.changes.push_back(std::move(ready_.front()));
  }
  return batch;
}

/// Batch after batch, for as long as there are any and they may be sent.
Task<void> ApplyWriter::send_batches(std::shared_ptr<ApplyRun> run, std::size_t number, Batch batch) {
  Slot& slot = slots_[number];
  const auto sending = std::make_shared<Sending>();
  sending->batch = std::move(batch);
  while (!sending->batch.changes.empty()) {
    prepare(*sending);
    Duration pause{};
    if (!sending->requests.empty()) {
      ++on_wire_;
      co_await run->on_lane(*slot.lane, attempt(run, slot.lane, sending));
      --on_wire_;
      if (!sending->outcome) {
        groups_.push_front(std::move(sending->batch));
        break;
      }
      pause = judge(slot, sending->batch, *sending->outcome);
    }
    run->room_made.ring();
    if (pause > Duration::zero()) co_await run->home.sleep_for(pause, &run->halt);
    if (!run->may_send(run->home.now())) break;
    sending->batch = next_batch();
  }
  slot.busy = false;
}

/// On the lane's loop. The way here may have been long.
Task<void> ApplyWriter::attempt(std::shared_ptr<ApplyRun> run, Lane* lane, std::shared_ptr<Sending> sending) {
  sending->outcome.reset();
  if (!run->may_send(lane->loop->now())) co_return;
  const std::span<const endpoints::WriteRequest> requests = sending->requests;
  endpoints::WriteOutcome outcome = co_await lane->target.put->write(requests);
  sending->outcome = std::move(outcome);
}

/// What cannot be transformed is rejected; the others are to be sent.
void ApplyWriter::prepare(Sending& sending) {
  std::vector<Change>& changes = sending.batch.changes;
  sending.transformed.clear();
  sending.requests.clear();
  std::size_t kept = 0;
  for (Change& change : changes) {
    const Result<std::string_view> raw = outgoing(change, run_.options.transform, sending.transformed);
    if (!raw) {
      run_.keeper.reject(std::move(change), raw.error());
      continue;
    }
    const bool moves = &changes[kept] != &change;
    const bool own_bytes = run_.options.transform.empty();
    if (moves) changes[kept] = std::move(change);
    sending.requests.push_back({own_bytes ? raw_of(changes[kept]) : *raw, changes[kept].remove});
    ++kept;
  }
  changes.resize(kept);
}

Duration ApplyWriter::judge(Slot& slot, Batch& batch, endpoints::WriteOutcome& outcome) {
  run_.totals.wcu += outcome.cost_wcu;
  if (!outcome.error) return processed(slot, batch, outcome);
  switch (outcome.error->kind) {
    case ErrorKind::throttled:
    case ErrorKind::transient:
    case ErrorKind::busy:
      // ScyllaDB writes the partitions of a batch side by side, and answers for all of them with one failure.
      for (Change& change : batch.changes) change.perhaps_written_at = run_.home.now();
      return not_written(slot, batch, *outcome.error);
    case ErrorKind::refused:
    case ErrorKind::too_large:
      take_apart(batch, *outcome.error);
      return Duration::zero();
    case ErrorKind::unknown_outcome:
    case ErrorKind::corrupt:
      return outcome_unknown(slot, batch, *outcome.error);
    default:
      run_.fail_with(std::move(*outcome.error));
      return Duration::zero();
  }
}

Duration ApplyWriter::processed(Slot& slot, Batch& batch, const endpoints::WriteOutcome& outcome) {
  std::vector<Change> left;
  if (!outcome.unprocessed.empty()) {
    std::vector<bool> was_left(batch.changes.size(), false);
    for (const std::uint32_t at : outcome.unprocessed) was_left.at(at) = true;
    std::vector<Change> done;
    for (std::size_t i = 0; i < batch.changes.size(); ++i) {
      (was_left[i] ? left : done).push_back(std::move(batch.changes[i]));
    }
    batch.changes = std::move(done);
  }
  const std::size_t written = batch.changes.size();
  if (!suspects_.empty()) {
    for (const Change& change : batch.changes) suspects_.erase(change.key);
  }
  run_.keeper.acknowledged(std::move(batch.changes));
  if (written > 0) slot.backoff.reset();
  if (left.empty()) {
    ++acknowledged_;
    return Duration::zero();
  }
  const Error unprocessed{ErrorKind::throttled, "the target left changes of a batch unprocessed"};
  // Somebody's hot partition must not hold the others up; a table that is at its limit must.
  const bool most_left = left.size() > written;
  Batch rest;
  rest.changes = std::move(left);
  const Duration pause = not_written(slot, rest, unprocessed);
  return most_left ? pause : Duration::zero();
}

Duration ApplyWriter::not_written(Slot& slot, Batch& batch, const Error& error) {
  ++run_.totals.retries;
  if (error.kind == ErrorKind::throttled) ++run_.totals.throttles;
  run_.trouble.note(error, run_.home.now());
  const Duration pause = slot.backoff.next(error, run_.context.random);
  run_.keeper.turned_away(std::move(batch.changes), pause);
  return error.scope == ThrottleScope::key_range ? Duration::zero() : pause;
}

Duration ApplyWriter::outcome_unknown(Slot& slot, Batch& batch, const Error& error) {
  ++run_.totals.retries;
  Error told = error;
  Blame& blame = batch.blame;
  if (answered_failure(error)) {
    blame.answered_500(error.message, acknowledged_);
    if (batch.alone() && blame.suspicious()) {
      told.message += fmt::format(" ({} times in a row, to a change sent alone)", blame.failures());
    }
  } else {
    blame.not_answered();
  }
  run_.trouble.note(told, run_.home.now());
  const bool proven = blame.proven(batch.alone(), acknowledged_, unsettled_batches());
  if (proven && batch.alone()) {
    suspects_.erase(batch.changes.front().key);
    run_.keeper.reject(std::move(batch.changes.front()), told, true);
    return Duration::zero();
  }
  suspect(batch, proven);
  run_.keeper.unknown(std::move(batch.changes));
  return slot.backoff.next(error, run_.context.random);
}

/// When they are taken again, these are tried together, and apart from all others; in halves, if the batch is
/// to be taken apart.
void ApplyWriter::suspect(const Batch& batch, bool in_halves) {
  const bool known = suspects_.contains(batch.changes.front().key);
  if (!known && (batch.blame.failures() == 0 || suspects_.size() > kMostSuspects)) return;
  const std::size_t size = batch.changes.size();
  const std::size_t middle = in_halves ? size / 2 : size;
  const auto suspect_part = [&](std::size_t from, std::size_t to) {
    if (from == to) return;
    const Blame blame = in_halves ? batch.blame.of_part(to - from == 1) : batch.blame;
    for (std::size_t i = from; i < to; ++i) suspects_[batch.changes[i].key] = {next_group_, blame};
    ++next_group_;
  };
  suspect_part(0, middle);
  suspect_part(middle, size);
}

void ApplyWriter::take_apart(Batch& batch, const Error& error) {
  if (batch.alone()) {
    suspects_.erase(batch.changes.front().key);
    run_.keeper.reject(std::move(batch.changes.front()), error);
    return;
  }
  const MonoTime now = run_.home.now();
  for (Change& change : batch.changes) change.perhaps_written_at = now;
  const auto middle = batch.changes.begin() + static_cast<std::ptrdiff_t>(batch.changes.size() / 2);
  Batch first, second;
  first.changes.assign(std::move_iterator(batch.changes.begin()), std::move_iterator(middle));
  second.changes.assign(std::move_iterator(middle), std::move_iterator(batch.changes.end()));
  first.blame = batch.blame.of_part(first.alone());
  second.blame = batch.blame.of_part(second.alone());
  groups_.push_front(std::move(second));
  groups_.push_front(std::move(first));
  batch.changes.clear();
  dispatch();
}

/// Of what is in hand, or waits in the spool.
std::int64_t ApplyWriter::unsettled_batches() const {
  const std::size_t most = std::max<std::size_t>(slots_.front().lane->target.put->caps().max_items, 1);
  const std::size_t in_hand =
      on_wire_ + groups_.size() + run_.keeper.unknown_batches() + (ready_.size() + most - 1) / most;
  return static_cast<std::int64_t>(std::max<std::uint64_t>(in_hand, run_.totals.spool.keys_at_most / most));
}

}  // namespace messina::jobs
