#include "jobs/table_runs.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

namespace messina::jobs {

std::vector<double> table_weights(const std::vector<std::optional<std::uint64_t>>& sizes) {
  const bool known = std::ranges::all_of(sizes, [](const auto& size) { return size.has_value(); });
  std::vector<double> weights;
  // A table without bytes is some work, too.
  for (const auto& size : sizes) weights.push_back(known ? 1 + static_cast<double>(*size) : 1);
  return weights;
}

namespace {

/// How a table is remembered that has ended: what it did, and nothing of how it did so.
Progress last_progress(const Progress& newest, const TableOutcome& outcome) {
  Progress last;
  last.table = outcome.source;
  last.counts = outcome.counts;
  last.units = newest.units;
  last.units_done = newest.units_done;
  last.units_skipped = newest.units_skipped;
  last.retries = newest.retries;
  last.throttles = newest.throttles;
  last.elapsed_s = outcome.elapsed_s;
  const bool failed = outcome.end == TableEnd::failed;
  last.phase = failed ? "failed" : outcome.error ? "stopped" : "done";
  last.share_done = outcome.error ? newest.share_done : 1;
  return last;
}

}  // namespace

TableRuns::TableRuns(std::vector<Table> tables, std::uint32_t parallel, const Clock& clock)
    : clock_(clock), turns_(parallel), started_(clock.now()) {
  for (Table& table : tables) {
    total_weight_ += table.weight;
    runs_.push_back(std::make_unique<Run>(clock));
    runs_.back()->table = std::move(table);
  }
}

std::optional<std::size_t> TableRuns::next() {
  const std::lock_guard lock(mutex_);
  if (next_ == runs_.size()) return std::nullopt;
  return next_++;
}

TableRuns::Turn TableRuns::take_turn(bool beyond) {
  if (beyond) return Turn(nullptr);
  std::unique_lock lock(mutex_);
  const std::uint64_t place = next_place_++;
  turn_free_.wait(lock, [&] { return served_ == place && turns_ > 0; });
  ++served_;
  --turns_;
  lock.unlock();
  turn_free_.notify_all();
  return Turn(this);
}

void TableRuns::give_back_turn() {
  {
    const std::lock_guard lock(mutex_);
    ++turns_;
  }
  turn_free_.notify_all();
}

ProgressBoard& TableRuns::begin(std::size_t index, const state::Counts& before) {
  const std::lock_guard lock(mutex_);
  Run& run = *runs_.at(index);
  run.running = true;
  run.before = before;
  return run.board;
}

void TableRuns::end(std::size_t index, TableOutcome outcome) {
  const std::lock_guard lock(mutex_);
  Run& run = *runs_.at(index);
  const Progress newest = run.board.snapshot();
  // One that could not go on has still done what former runs did.
  if (outcome.error && outcome.counts == state::Counts()) outcome.counts = newest.counts;
  EndedTable ended;
  ended.last = {run.table.source_address, run.table.target_address, last_progress(newest, outcome)};
  ended.outcome = std::move(outcome);
  run.running = false;
  run.ended = std::make_shared<const EndedTable>(std::move(ended));
}

void TableRuns::steer_all(const std::function<void(Steering&)>& change) {
  const std::lock_guard lock(mutex_);
  for (const auto& run : runs_)
    if (!run->ended) change(run->steering);
}

Progress TableRuns::snapshot(const Run& run) {
  Progress progress = run.board.snapshot();
  describe(run.steering.settings(), progress);
  return progress;
}

Progress TableRuns::snapshot(std::size_t index) const {
  const std::lock_guard lock(mutex_);
  return snapshot(*runs_.at(index));
}

TablesProgress TableRuns::progress() {
  const std::lock_guard lock(mutex_);
  const MonoTime now = clock_.now();
  TablesProgress all;
  all.tables = runs_.size();
  std::multimap<double, TableProgress, std::greater<>> running;  // biggest first
  double done_weight = 0;
  state::Counts fresh;
  const auto add = [&](const state::Counts& counts, const state::Counts& before) {
    all.counts += counts;
    if (counts.read_items < before.read_items || counts.read_bytes < before.read_bytes) return;  // begun anew
    fresh.read_items += counts.read_items - before.read_items;
    fresh.read_bytes += counts.read_bytes - before.read_bytes;
    fresh.rcu += counts.rcu - before.rcu;
  };
  for (const auto& run : runs_) {
    if (run->ended) {
      const TableOutcome& outcome = run->ended->outcome;
      const bool failed = outcome.error.has_value() || outcome.end == TableEnd::not_begun;
      ++(failed ? all.tables_failed : all.tables_done);
      add(outcome.counts, run->before);
      if (!failed) done_weight += run->table.weight;
      all.ended.push_back(run->ended);
      continue;
    }
    Progress progress = run->running ? snapshot(*run) : Progress();
    // Without a phase it has just been handed out.
    if (progress.phase.empty()) {
      all.waiting.push_back(run->table.source);
      continue;
    }
    add(progress.counts, run->before);
    done_weight += progress.share_done * run->table.weight;
    running.emplace(run->table.weight,
                    TableProgress{run->table.source_address, run->table.target_address, std::move(progress)});
  }
  for (auto& [weight, table] : running) all.running.push_back(std::move(table));
  all.share_done = total_weight_ > 0 ? std::min(1.0, done_weight / total_weight_) : 0;
  // A table that fails may count less in the end than it has shown.
  fresh.read_items = std::max(fresh.read_items, newest_.read_items);
  fresh.read_bytes = std::max(fresh.read_bytes, newest_.read_bytes);
  newest_ = fresh;
  const RateWindow::Rates rates = rates_.add(now, fresh);
  all.items_per_s = rates.items_per_s;
  all.bytes_per_s = rates.bytes_per_s;
  all.rcu_per_s = rates.rcu_per_s;
  all.elapsed_s = std::chrono::duration<double>(now - started_).count();
  // What former runs had done says nothing about this one's speed.
  if (!first_share_) first_share_ = all.share_done;
  const double gained = all.share_done - *first_share_;
  if (gained > 0.01 && all.share_done < 1) all.eta_s = all.elapsed_s * (1 - all.share_done) / gained;
  return all;
}

std::vector<TableOutcome> TableRuns::outcomes() const {
  const std::lock_guard lock(mutex_);
  std::vector<TableOutcome> outcomes;
  for (const auto& run : runs_) {
    if (run->ended) {
      outcomes.push_back(run->ended->outcome);
      continue;
    }
    TableOutcome& outcome = outcomes.emplace_back();
    outcome.source = run->table.source;
    outcome.target = run->table.target;
  }
  return outcomes;
}

}  // namespace messina::jobs
