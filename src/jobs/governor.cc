#include "jobs/governor.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/log.h"

namespace messina::jobs {

namespace {

constexpr Duration kMeterWindow = std::chrono::seconds(10);
/// The newest of the known periods that count: of several the busiest, since traffic that fell may rise
/// again.
constexpr std::size_t kPeriods = 3;
/// How far back is asked for: CloudWatch is up to two minutes late.
constexpr auto kLookBack = std::chrono::minutes(6);
/// All but so many of the workers wait for reads: more reads at once would help.
constexpr double kReading = 0.75;
/// A budget counts as used from this share of it on.
constexpr double kUsed = 0.9;
constexpr Duration kGrowEvery = std::chrono::seconds(1);

pace::CapacityShare reads_share(const CopyOptions& options) {
  return {options.read, pace::kDefaultWarmReads, "RCU", "--read-rcu"};
}
pace::CapacityShare writes_share(const CopyOptions& options) {
  return {options.write, pace::kDefaultWarmWrites, "WCU", "--write-wcu"};
}

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

double Meter::add(MonoTime now, double total) {
  samples_.push_back({now, total});
  while (samples_.size() > 2 && samples_[1].at <= now - kMeterWindow) samples_.pop_front();
  const double seconds = std::chrono::duration<double>(now - samples_.front().at).count();
  return seconds > 0 ? (total - samples_.front().total) / seconds : 0;
}

Governor::Governor(std::shared_ptr<CopyRun> run, const PinnedTables& tables)
    : run_(std::move(run)),
      loop_(*run_->context.lanes->front().loop),
      source_(true, reads_share(run_->options)),
      target_(false, writes_share(run_->options)) {
  Lane& lane = run_->context.lanes->front();
  expect(run_->read_budget, lane.source.scan->consistency(), tables);
  if (lane.source.capacity) source_.share.know(tables.source_reads);
  if (lane.target.capacity) target_.share.know(tables.target_writes);
}

endpoints::Endpoint& Governor::endpoint(const Side& side) const {
  Lane& lane = run_->context.lanes->front();
  return side.reads ? lane.source : lane.target;
}

Task<void> Governor::begin() {
  for (Side* side : {&source_, &target_}) {
    side->describe_at = loop_.now() + kDescribeEvery;
    if (side->share.needs_application()) co_await look_at_use(side);
    side->consumed_at = loop_.now() + kConsumedEvery;
  }
  tick();
}

void Governor::tick() {
  const MonoTime now = loop_.now();
  steer();
  for (Side* side : {&source_, &target_}) {
    decide(*side, now);
    look(*side, now);
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
  source_.share.set_by_hand(steering_.read_rcu_per_s);
  run_->write_limit.fix(steering_.write_concurrency ? steering_.write_concurrency
                                                    : run_->options.write_concurrency);
}

void Governor::decide(Side& side, MonoTime now) {
  const double total = side.reads ? run_->read_budget.total() : run_->write_budget.total();
  side.ours.add(loop_.wall(), total - std::exchange(side.total, total));
  side.used_per_s = side.meter.add(now, total);
  const std::uint64_t throttles = side.reads ? run_->source_throttles : run_->target_throttles;
  if (throttles != std::exchange(side.throttles, throttles)) side.share.throttled(now);
  side.decision = side.share.decide(now, side.used_per_s);
  if (side.reads) {
    run_->read_budget.set_rate(now, side.decision.units_per_s);
  } else {
    run_->write_budget.set_rate(now, side.decision.units_per_s);
  }
}

void Governor::look(Side& side, MonoTime now) {
  if (run_->halt.requested() || !endpoint(side).capacity || !looks_.idle()) return;
  if (now >= side.describe_at) {
    side.describe_at = now + kDescribeEvery;
    looks_.spawn(loop_.executor(), look_at_capacity(&side));
  } else if (now >= side.consumed_at && !side.metrics_off && side.share.needs_application()) {
    side.consumed_at = now + kConsumedEvery;
    looks_.spawn(loop_.executor(), look_at_use(&side));
  }
}

Task<void> Governor::look_at_capacity(Side* side) {
  const Result<endpoints::TableCapacity> capacity = co_await endpoint(*side).capacity->describe();
  // What goes wrong here the reads and writes will meet, too, or the next look cures it.
  if (capacity) side->share.know(side->reads ? capacity->reads : capacity->writes);
}

Task<void> Governor::look_at_use(Side* side) {
  const WallTime to = std::chrono::floor<std::chrono::minutes>(loop_.wall());
  const WallTime from = to - kLookBack;
  const Result<std::vector<endpoints::Consumption>> consumed =
      co_await endpoint(*side).capacity->consumed(from, to);
  if (!consumed) {
    const ErrorKind kind = consumed.error().kind;
    // The last figure is too old to go by when metrics stay away.
    side->share.application_uses(std::nullopt);
    if (kind != ErrorKind::denied && kind != ErrorKind::config && kind != ErrorKind::expired) co_return;
    side->metrics_off = true;
    if (kind == ErrorKind::config) co_return;
    log::warn(
        "{}: what the application uses is not known, so a part of the capacity is taken that leaves it "
        "half; allow cloudwatch:GetMetricData, or give {}",
        consumed.error().message, side->reads ? "--read-rcu" : "--write-wcu");
    co_return;
  }
  double busiest = 0;
  const std::size_t first = consumed->size() > kPeriods ? consumed->size() - kPeriods : 0;
  for (std::size_t i = first; i < consumed->size(); ++i) {
    const endpoints::Consumption& period = (*consumed)[i];
    const WallTime end = period.from + std::chrono::duration_cast<WallTime::duration>(period.period);
    const double others = (side->reads ? period.reads : period.writes) - side->ours.between(period.from, end);
    busiest = std::max(busiest, others / std::chrono::duration<double>(period.period).count());
  }
  side->share.application_uses(busiest);
}

std::uint32_t Governor::more_workers(std::uint32_t per_lane) {
  const CopyOptions& options = run_->options;
  const MonoTime now = loop_.now();
  if (per_lane >= options.most_units_per_lane || now - grown_at_ < kGrowEvery || run_->paused) return 0;
  const std::optional<double>& rate = source_.decision.units_per_s;
  if (!rate || source_.used_per_s >= kUsed * *rate || run_->memory.contended()) return 0;
  const double workers = static_cast<double>(per_lane) * static_cast<double>(run_->context.lanes->size());
  const auto reading = static_cast<double>(run_->waits.of(pace::SpeedHolder::source_latency).load());
  if (reading < kReading * workers) return 0;
  grown_at_ = now;
  return std::min(options.most_units_per_lane - per_lane, std::max(1u, per_lane / 2));
}

void Governor::describe(Progress& progress) const {
  jobs::describe(steering_, progress);
  progress.read_budget_rcu_per_s = source_.decision.units_per_s;
  progress.read_budget_why = source_.decision.why;
  progress.write_budget_wcu_per_s = target_.decision.units_per_s;
  progress.write_budget_why = target_.decision.why;
  progress.application_rcu_per_s = source_.share.application();
  progress.application_wcu_per_s = target_.share.application();
  progress.write_concurrency = run_->write_limit.limit();
  progress.write_concurrency_why = steering_.write_concurrency ? "set by hand" : run_->write_limit.why();
}

}  // namespace messina::jobs
