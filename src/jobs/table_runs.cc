#include "jobs/table_runs.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

namespace messina::jobs {

std::string_view to_string(TableEnd end) {
  switch (end) {
    case TableEnd::not_begun:
      return "not begun";
    case TableEnd::done:
      return "done";
    case TableEnd::already_done:
      return "already done";
    case TableEnd::made:
      return "made";
    case TableEnd::was_there:
      return "there already";
    case TableEnd::stopped:
      return "stopped";
    case TableEnd::failed:
      return "failed";
  }
  return "failed";
}

ExitCode TableOutcome::exit() const {
  if (error) return exit_code(error->kind);
  if (end == TableEnd::not_begun || end == TableEnd::stopped) return ExitCode::stopped;
  return live_rejects > 0 ? ExitCode::done_with_rejects : ExitCode::done;
}

ExitCode worse(ExitCode a, ExitCode b) {
  static constexpr ExitCode kWorstFirst[] = {ExitCode::needs_person, ExitCode::wrong_usage, ExitCode::stopped,
                                             ExitCode::done_with_rejects, ExitCode::done};
  return *std::ranges::find_if(kWorstFirst, [&](ExitCode each) { return each == a || each == b; });
}

ExitCode worst(const std::vector<TableOutcome>& outcomes) {
  ExitCode exit = ExitCode::done;
  for (const TableOutcome& outcome : outcomes) exit = worse(exit, outcome.exit());
  return exit;
}

std::vector<double> table_weights(const std::vector<std::optional<std::uint64_t>>& sizes) {
  const bool known = std::ranges::all_of(sizes, [](const auto& size) { return size.has_value(); });
  std::vector<double> weights;
  // A table without bytes is some work, too.
  for (const auto& size : sizes) weights.push_back(known ? 1 + static_cast<double>(*size) : 1);
  return weights;
}

TableRuns::TableRuns(std::vector<Table> tables, std::uint32_t parallel, MonoTime now)
    : turns_(parallel), started_(now) {
  for (Table& table : tables) {
    total_weight_ += table.weight;
    runs_.push_back(std::make_unique<Run>());
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
  run.running = false;
  run.outcome = std::move(outcome);
}

TablesProgress TableRuns::progress(MonoTime now) {
  const std::lock_guard lock(mutex_);
  TablesProgress all;
  all.tables = runs_.size();
  std::multimap<double, Progress, std::greater<>> running;  // biggest first
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
    if (run->outcome) {
      const bool failed = run->outcome->error.has_value() || run->outcome->end == TableEnd::not_begun;
      ++(failed ? all.tables_failed : all.tables_done);
      add(run->outcome->counts, run->before);
      if (!failed) done_weight += run->table.weight;
      continue;
    }
    if (!run->running) continue;
    Progress progress = run->board.snapshot();
    // It has just been handed out.
    if (progress.phase.empty()) continue;
    add(progress.counts, run->before);
    done_weight += progress.share_done * run->table.weight;
    running.emplace(run->table.weight, std::move(progress));
  }
  for (auto& [weight, progress] : running) all.running.push_back(std::move(progress));
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
    if (run->outcome) {
      outcomes.push_back(*run->outcome);
      continue;
    }
    TableOutcome& outcome = outcomes.emplace_back();
    outcome.source = run->table.source;
    outcome.target = run->table.target;
  }
  return outcomes;
}

}  // namespace messina::jobs
