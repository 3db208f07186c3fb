#include "jobs/side_pace.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/log.h"

namespace messina::jobs {

namespace {

constexpr Duration kMeterWindow = std::chrono::seconds(10);
/// The newest of the known periods that count: of several the busiest, since traffic that fell may rise
/// again.
constexpr std::size_t kPeriods = 3;
/// How far back is asked for: CloudWatch is up to two minutes late.
constexpr auto kLookBack = std::chrono::minutes(6);

pace::CapacityShare share_of(SidePace::Of of, const pace::Wish& wish) {
  if (of == SidePace::Of::reads) return {wish, pace::kDefaultWarmReads, "RCU", "--read-rcu"};
  return {wish, pace::kDefaultWarmWrites, "WCU", "--write-wcu"};
}

}  // namespace

double Meter::add(MonoTime now, double total) {
  samples_.push_back({now, total});
  while (samples_.size() > 2 && samples_[1].at <= now - kMeterWindow) samples_.pop_front();
  const double seconds = std::chrono::duration<double>(now - samples_.front().at).count();
  return seconds > 0 ? (total - samples_.front().total) / seconds : 0;
}

SidePace::SidePace(Loop& loop, endpoints::Endpoint& endpoint, Of of, const pace::Wish& wish,
                   const pace::TableUnits& units)
    : loop_(loop), endpoint_(endpoint), of_(of), share_(share_of(of, wish)) {
  if (endpoint_.capacity) share_.know(units);
}

Task<void> SidePace::begin() {
  describe_at_ = loop_.now() + kDescribeEvery;
  if (share_.needs_application()) co_await look_at_use();
  consumed_at_ = loop_.now() + kConsumedEvery;
}

const pace::CapacityShare::Decision& SidePace::decide(double total, std::uint64_t throttles) {
  const MonoTime now = loop_.now();
  ours_.add(loop_.wall(), total - std::exchange(total_, total));
  used_per_s_ = meter_.add(now, total);
  if (throttles != std::exchange(throttles_, throttles)) share_.throttled(now);
  decision_ = share_.decide(now, used_per_s_);
  return decision_;
}

void SidePace::look() {
  if (!endpoint_.capacity || !looks_.idle()) return;
  const MonoTime now = loop_.now();
  if (now >= describe_at_) {
    describe_at_ = now + kDescribeEvery;
    looks_.spawn(loop_.executor(), look_at_capacity());
  } else if (now >= consumed_at_ && !metrics_off_ && share_.needs_application()) {
    consumed_at_ = now + kConsumedEvery;
    looks_.spawn(loop_.executor(), look_at_use());
  }
}

Task<void> SidePace::look_at_capacity() {
  const Result<endpoints::TableCapacity> capacity = co_await endpoint_.capacity->describe();
  // What goes wrong here the reads and writes will meet, too, or the next look cures it.
  if (capacity) share_.know(of_ == Of::reads ? capacity->reads : capacity->writes);
}

Task<void> SidePace::look_at_use() {
  const WallTime to = std::chrono::floor<std::chrono::minutes>(loop_.wall());
  const WallTime from = to - kLookBack;
  const Result<std::vector<endpoints::Consumption>> consumed =
      co_await endpoint_.capacity->consumed(from, to);
  if (!consumed) {
    const ErrorKind kind = consumed.error().kind;
    // The last figure is too old to go by when metrics stay away.
    share_.application_uses(std::nullopt);
    if (kind != ErrorKind::denied && kind != ErrorKind::config && kind != ErrorKind::expired) co_return;
    metrics_off_ = true;
    if (kind == ErrorKind::config) co_return;
    log::warn(
        "{}: what the application uses is not known, so a part of the capacity is taken that leaves it "
        "half; allow cloudwatch:GetMetricData, or give {}",
        consumed.error().message, of_ == Of::reads ? "--read-rcu" : "--write-wcu");
    co_return;
  }
  double busiest = 0;
  const std::size_t first = consumed->size() > kPeriods ? consumed->size() - kPeriods : 0;
  for (std::size_t i = first; i < consumed->size(); ++i) {
    const endpoints::Consumption& period = (*consumed)[i];
    const WallTime end = period.from + std::chrono::duration_cast<WallTime::duration>(period.period);
    const double others = (of_ == Of::reads ? period.reads : period.writes) - ours_.between(period.from, end);
    busiest = std::max(busiest, others / std::chrono::duration<double>(period.period).count());
  }
  share_.application_uses(busiest);
}

}  // namespace messina::jobs
