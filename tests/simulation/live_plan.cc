#include "live_plan.h"

#include <algorithm>
#include <chrono>

namespace messina::simulation {

namespace {

using endpoints::StreamView;

std::chrono::seconds seconds(std::uint64_t count) { return std::chrono::seconds(count); }

WorldPlan draw_world(Random& random, const LiveWeather& weather) {
  const auto sometimes = [&random](double most) { return random.chance(0.5) ? most * random.unit() : 0.0; };
  WorldPlan plan;
  plan.live = true;
  plan.keys = static_cast<std::uint32_t>(2 + random.below(weather.few_keys ? 3 : 20));
  plan.segments = static_cast<std::uint32_t>(1 + random.below(3));
  plan.page_items = static_cast<std::uint32_t>(1 + random.below(6));
  plan.batch_items = 1 + random.below(5);
  plan.nodes = static_cast<std::uint32_t>(weather.few_keys ? 2 : 1 + random.below(3));
  plan.clock_error = std::chrono::milliseconds(200 + random.below(800));
  plan.dead_after = std::chrono::milliseconds(500 + random.below(4000));
  plan.lost = weather.lost ? 0.3 : sometimes(0.2);
  plan.failed_500 = sometimes(0.1);
  plan.throttled = sometimes(0.2);
  plan.transient = sometimes(0.2);
  plan.unprocessed = sometimes(0.3);
  plan.slow = weather.slow_pages ? 0.2 : sometimes(0.05);
  plan.read_failed = sometimes(0.1);
  plan.slow_commit = sometimes(0.02);
  plan.broken_commit = random.chance(0.05) ? 0.005 : 0;
  plan.poison_refused = random.chance(0.3) ? static_cast<std::uint32_t>(1 + random.below(2)) : 0;
  plan.poison_500 = random.chance(0.05) ? 1 : 0;
  plan.writer_changes = static_cast<std::uint32_t>(weather.few_keys ? 150 : 10 + random.below(100));
  plan.writing = std::chrono::milliseconds(1000 + random.below(40'000));
  plan.faults_until = plan.writing + std::chrono::milliseconds(random.below(5'000));
  if (weather.poison) plan.poison_refused = 2;
  if (weather.unprocessed) plan.unprocessed = 0.5;
  if (weather.stuck_pages) {
    plan.throttled = 0.9;
    plan.writing = seconds(200);
    plan.faults_until = seconds(250);
  }
  return plan;
}

StreamPlan draw_stream(Random& random, const WorldPlan& world, const LiveWeather& weather) {
  const auto sometimes = [&random](double most) { return random.chance(0.5) ? most * random.unit() : 0.0; };
  StreamPlan plan;
  const StreamView views[] = {StreamView::new_image, StreamView::new_and_old_images, StreamView::keys_only,
                              StreamView::old_image};
  plan.view = views[random.chance(0.8) ? random.below(2) : 2 + random.below(2)];
  plan.in_order = random.chance(0.8);
  if (!plan.in_order) plan.lateness = seconds(3 + random.below(6));
  plan.retention = seconds(40 + random.below(60));
  plan.early_trim = Duration(plan.retention) / (12 + random.below(20));
  plan.shard_interval = std::chrono::milliseconds(200 + random.below(800));
  plan.shards = static_cast<std::uint32_t>(random.chance(0.1) ? 0 : 1 + random.below(3));
  plan.splits = static_cast<std::uint32_t>(random.below(4));
  plan.splitting = world.writing;
  plan.page_records = static_cast<std::uint32_t>(1 + random.below(8));
  // Longer than several idle polls: who cannot poll a shard so often in a row never catches up. (DynamoDB's
  // live for 15 minutes.)
  if (random.chance(0.2)) plan.iterator_life = seconds(30 + random.below(30));
  plan.throttled = sometimes(0.2);
  plan.lost = sometimes(0.1);
  plan.slow = sometimes(0.03);
  plan.by_service = sometimes(0.5);
  if (weather.outage || random.chance(0.2)) {
    plan.outage_after = Duration(world.writing) * (1 + random.below(8)) / 10;
    plan.outage_lasts = plan.retention * (weather.outage ? 6 : 1 + random.below(6)) / 4;
  }
  if (weather.marks) plan.view = StreamView::keys_only;
  if (weather.odd_streams) {
    plan.view = views[random.below(4)];
    plan.splits = static_cast<std::uint32_t>(random.below(8));
  }
  if (random.chance(weather.odd_streams ? 0.5 : 0.05))
    plan.replaced_after = Duration(world.writing) * (1 + random.below(8)) / 10;
  return plan;
}

jobs::MigrateOptions draw_options(Random& random, const WorldPlan& plan, const StreamPlan& stream,
                                  const LiveFaults& faults, const LiveWeather& weather) {
  jobs::MigrateOptions options;
  options.copy.clock_error = options.apply.clock_error = plan.clock_error;
  options.copy.dead_after = options.apply.dead_after = plan.dead_after;
  options.copy.write_concurrency = static_cast<std::uint32_t>(1 + random.below(5));
  options.copy.units_per_lane = static_cast<std::uint32_t>(1 + random.below(4));
  options.copy.plan_fingerprint = "simulated";
  if (random.chance(0.2)) options.copy.memory_bytes = 50 + random.below(2000);
  if (random.chance(0.2)) options.copy.read = {pace::Wish::Kind::fixed, 1 + 20 * random.unit()};
  options.copy_tuning.reserve_units = static_cast<std::uint32_t>(1 + random.below(4));
  options.copy_tuning.faults = faults.copy;

  if (stream.shards == 0 || stream.replaced_after || random.chance(0.5)) options.capture.enable = stream.view;
  options.capture.list_every = seconds(1 + random.below(10));
  options.capture.idle_poll = std::chrono::milliseconds(500 + random.below(4000));
  options.capture.retention_margin = stream.retention / 5;
  if (random.chance(0.2)) options.capture.memory_bytes = 100 + random.below(2000);
  options.capture.faults = faults.capture;

  options.apply.write_concurrency = static_cast<std::uint32_t>(1 + random.below(5));
  if (random.chance(0.3)) options.apply.memory_bytes = 500 + random.below(3000);
  if (random.chance(0.2)) options.apply.read_rcu_per_s = 2 + 20 * random.unit();
  options.apply.faults = faults.apply;

  options.allowed_lag = std::chrono::milliseconds(1000 + random.below(9000));
  if (weather.small_spool || random.chance(0.3))
    options.spool_max_bytes = 100 + random.below(weather.small_spool ? 1 : 1000);
  options.faults = faults.migrate;
  return options;
}

LivePlot draw_plot(Random& random, const LiveWeather& weather) {
  const auto rarely = [&random] { return random.chance(0.07); };
  LivePlot plot;
  plot.into_existing = rarely();
  plot.skips = rarely();
  plot.leave = random.chance(0.5);
  plot.restarted = rarely();
  plot.spool_lost = rarely();
  plot.spool_older = weather.older_spools || (!plot.spool_lost && rarely());
  plot.taken_over = weather.rivals || rarely();
  plot.paused = rarely();
  plot.roles_apart = weather.small_spool || rarely();
  return plot;
}

}  // namespace

LivePlan draw_live(Random& random, const LiveFaults& faults, const LiveWeather& weather) {
  LivePlan plan;
  plan.plot = draw_plot(random, weather);
  plan.world = draw_world(random, weather);
  if (plan.plot.taken_over) {  // which takes a while
    plan.world.writing += seconds(180);
    plan.world.faults_until += seconds(180);
  }
  plan.stream = draw_stream(random, plan.world, weather);
  plan.options = draw_options(random, plan.world, plan.stream, faults, weather);
  if (plan.plot.into_existing) {
    plan.world.foreign_keys = static_cast<std::uint32_t>(1 + random.below(5));
    plan.world.foreign_shared = 0.3;
    plan.options.copy.into_existing = true;
  }
  if (plan.plot.skips) {
    plan.world.segments = std::max(plan.world.segments, 2u);
    plan.options.copy.skip_segments.insert(static_cast<std::uint32_t>(random.below(plan.world.segments)));
  }
  plan.options.delete_extra = plan.plot.leave;
  return plan;
}

}  // namespace messina::simulation
