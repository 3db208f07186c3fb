#include "jobs/governor.h"

#include <algorithm>
#include <utility>

namespace messina::jobs {

namespace {

/// All but so many of the workers wait for reads: more reads at once would help.
constexpr double kReading = 0.75;
/// A budget counts as used from this share of it on.
constexpr double kUsed = 0.9;
constexpr Duration kGrowEvery = std::chrono::seconds(1);

/// What the description, hours old, makes one expect.
void expect(ReadBudget& budget, double consistency, const PinnedTables& tables) {
  static constexpr double kBytesPerUnit = 4096;
  const double items = static_cast<double>(tables.expected_items.value_or(0));
  const double bytes = static_cast<double>(tables.expected_bytes.value_or(0));
  if (items <= 0 || bytes <= 0) {
    budget.expect(consistency, std::nullopt, std::nullopt);
  } else {
    budget.expect(consistency, bytes / items / kBytesPerUnit, bytes / kBytesPerUnit);
  }
}

}  // namespace

Governor::Governor(std::shared_ptr<CopyRun> run, const PinnedTables& tables)
    : run_(std::move(run)),
      loop_(*run_->context.lanes->front().loop),
      source_(loop_, run_->context.lanes->front().source, SidePace::Of::reads, run_->options.read,
              tables.source_reads),
      target_(loop_, run_->context.lanes->front().target, SidePace::Of::writes, run_->options.write,
              tables.target_writes) {
  expect(run_->read_budget, run_->context.lanes->front().source.scan->consistency(), tables);
}

Task<void> Governor::begin() {
  co_await source_.begin();
  co_await target_.begin();
  tick();
}

Task<void> Governor::end() {
  co_await source_.end();
  co_await target_.end();
}

void Governor::tick() {
  const MonoTime now = loop_.now();
  steer();
  const Companion* companion = run_->context.companion;
  const std::uint64_t beside = companion != nullptr ? companion->source_throttles.load() : 0;
  const auto& reads = source_.decide(run_->read_budget.total(), run_->source_throttles + beside);
  run_->read_budget.set_rate(now, reads.units_per_s);
  const auto& writes = target_.decide(run_->write_budget.total(), run_->target_throttles);
  run_->write_budget.set_rate(now, writes.units_per_s);
  if (!run_->halt.requested()) {
    source_.look();
    target_.look();
  }
  run_->write_limit.tick(now);
}

void Governor::steer() {
  Steering* steering = run_->context.steering;
  if (steering == nullptr) return;
  const std::uint64_t version = steering->version();
  if (version == steered_version_) return;
  steered_version_ = version;
  steering_ = steering->settings();
  run_->paused = steering_.paused;
  source_.set_by_hand(steering_.read_rcu_per_s);
  run_->write_limit.fix(steering_.write_concurrency ? steering_.write_concurrency
                                                    : run_->options.write_concurrency);
}

std::uint32_t Governor::more_workers(std::uint32_t per_lane) {
  const CopyOptions& options = run_->options;
  const MonoTime now = loop_.now();
  if (per_lane >= options.most_units_per_lane || now - grown_at_ < kGrowEvery || run_->paused) return 0;
  const std::optional<double>& rate = source_.decision().units_per_s;
  if (!rate || source_.used_per_s() >= kUsed * *rate || run_->memory.contended()) return 0;
  const double workers = static_cast<double>(per_lane) * static_cast<double>(run_->context.lanes->size());
  const auto reading = static_cast<double>(run_->waits.of(pace::SpeedHolder::source_latency).load());
  if (reading < kReading * workers) return 0;
  grown_at_ = now;
  return std::min(options.most_units_per_lane - per_lane, std::max(1u, per_lane / 2));
}

void Governor::describe(Progress& progress) const {
  jobs::describe(steering_, progress);
  progress.read_budget_rcu_per_s = source_.decision().units_per_s;
  progress.read_budget_why = source_.decision().why;
  progress.write_budget_wcu_per_s = target_.decision().units_per_s;
  progress.write_budget_why = target_.decision().why;
  progress.application_rcu_per_s = source_.application();
  progress.application_wcu_per_s = target_.application();
  progress.write_concurrency = run_->write_limit.limit();
  progress.write_concurrency_why = steering_.write_concurrency ? "set by hand" : run_->write_limit.why();
}

}  // namespace messina::jobs
