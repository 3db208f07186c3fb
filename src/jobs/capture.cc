#include "jobs/capture.h"

#include <algorithm>

#include "jobs/capture_internal.h"

namespace messina::jobs {

namespace {

constexpr std::chrono::hours kNeverTrimmed{24 * 365 * 100};

std::chrono::seconds retention_of(const endpoints::FeedLimits& limits, const CaptureOptions& options) {
  return options.retention.value_or(limits.retention);
}

std::chrono::seconds margin_of(const endpoints::FeedLimits& limits, const CaptureOptions& options) {
  return std::min(options.retention_margin, retention_of(limits, options) / 4);
}

ShardMapOptions map_options(const endpoints::FeedLimits& limits, const CaptureOptions& options) {
  return {.retention = options.faults.no_gap_by_age ? kNeverTrimmed : retention_of(limits, options),
          .margin = margin_of(limits, options),
          .lateness = limits.lateness};
}

}  // namespace

Capture::State::State(const Context& of, const CaptureOptions& wanted)
    : context(of),
      options(wanted),
      feed(of.source->feed.get()),
      limits(feed->limits()),
      margin(margin_of(limits, wanted)),
      random(of.random),
      memory(static_cast<std::int64_t>(wanted.memory_bytes)),
      map(map_options(limits, wanted)) {}

void Capture::State::failed_once(const std::string& who, const Error& error) {
  const std::lock_guard lock(mutex);
  ++(error.kind == ErrorKind::throttled ? seen.throttles : seen.retries);
  failing.insert(who);
  seen.trouble = error.message;
}

void Capture::State::succeeded(const std::string& who) {
  const std::lock_guard lock(mutex);
  failing.erase(who);
  if (failing.empty()) seen.trouble.clear();
}

void Capture::State::heard_from_server(WallTime answered_at) {
  const std::lock_guard lock(mutex);
  server_ahead = std::chrono::duration_cast<Duration>(answered_at - context.loop->wall());
}

Capture::Capture(const Context& context, const CaptureOptions& options)
    : state_(std::make_unique<State>(context, options)) {}

Capture::~Capture() = default;

Task<Result<void>> Capture::begin() {
  auto begun = co_await state_->begin();
  co_return begun;
}

Task<Result<void>> Capture::follow() {
  auto ended = co_await state_->follow();
  co_return ended;
}

CaptureFigures Capture::figures() const {
  const State& state = *state_;
  const std::lock_guard lock(state.mutex);
  CaptureFigures figures = state.seen;
  const state::Counts counts{.read_items = figures.events, .read_bytes = figures.bytes};
  figures.events_per_s = state.rate.add(state.context.loop->now(), counts).items_per_s;
  for (const ShardRow& row : state.map.rows()) {
    ++(row.state == ShardState::reading   ? figures.shards_reading
       : row.state == ShardState::waiting ? figures.shards_waiting
                                          : figures.shards_drained);
  }
  figures.until_trimmed = state.map.until_trimmed(state.server_now());
  return figures;
}

WallTime Capture::server_now() const {
  const std::lock_guard lock(state_->mutex);
  return state_->server_now();
}

CaptureClaim Capture::claim() const {
  const State& state = *state_;
  const std::lock_guard lock(state.mutex);
  CaptureClaim claim;
  claim.following = state.seen.running;
  if (!state.listing) return claim;
  claim.listed_at = state.listing->asked_at;
  claim.closed_drained = !state.losing_a_shard && state.map.closed_are_drained(*state.listing);
  std::set<endpoints::ShardId> open;
  MonoTime oldest = MonoTime::max(), whole_until = MonoTime::max();
  for (const endpoints::ShardInfo& shard : state.listing->shards) {
    if (shard.closed) continue;
    open.insert(shard.id);
    const auto polled = state.polled.find(shard.id);
    oldest = polled == state.polled.end() ? MonoTime::min() : std::min(oldest, polled->second.sent_at);
    if (polled != state.polled.end()) {
      claim.behind = std::max(claim.behind, polled->second.behind);
      whole_until = std::min(whole_until, polled->second.whole_until);
    }
    if (oldest == MonoTime::min()) break;
  }
  if (!open.empty() && oldest != MonoTime::min()) {
    claim.polled_at = oldest;
    claim.whole_until = whole_until;
  }
  // What is not listed any more may have been read to its end all the same, or not.
  for (const ShardRow& row : state.map.rows()) {
    if (row.state != ShardState::drained && !open.contains(row.id)) claim.closed_drained = false;
  }
  return claim;
}

bool Capture::polled_since(MonoTime since) const {
  const State& state = *state_;
  const std::lock_guard lock(state.mutex);
  if (!state.seen.running || !state.listing || state.listing->asked_at <= since) return false;
  std::set<endpoints::ShardId> listed;
  for (const endpoints::ShardInfo& shard : state.listing->shards) {
    listed.insert(shard.id);
    const ShardRow* const row = state.map.find(shard.id);
    if (row != nullptr && row->state == ShardState::drained) continue;
    const auto polled = state.polled.find(shard.id);
    if (shard.closed || polled == state.polled.end() || polled->second.whole_until <= since) return false;
  }
  return std::ranges::all_of(state.map.rows(), [&](const ShardRow& row) {
    return row.state == ShardState::drained || listed.contains(row.id);
  });
}

}  // namespace messina::jobs
