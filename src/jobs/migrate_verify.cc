// Verifying beside a live migration, in its own process.
#include <utility>

#include "jobs/gap_text.h"
#include "jobs/migrate_run.h"

namespace messina::jobs {

namespace {

/// What a verification needs of the rest.
Result<void> may_verify(const Migration& m, bool repairs) {
  const bool follows = m.ledger->record().capture_epoch > 0;
  if ((follows || m.copying()) && !m.history_done)
    return fail(ErrorKind::config, "history is not all copied yet: verify when it is");
  if (follows && !m.capturing)
    return fail(
        ErrorKind::config,
        "changes are not captured, or not yet, so that what is late cannot be told from what is wrong: "
        "ask again in a moment, or ask it to capture as well (`messina capture`)");
  if ((follows || repairs) && !m.applying)
    return fail(ErrorKind::config,
                "changes are not applied, so that nothing would become equal: ask it to apply them as well "
                "(`messina apply`)");
  return {};
}

/// Held by the coroutine that runs it.
Task<Result<VerifyFigures>> verify(SharedMigration m, VerifyWish wish, bool stays, Stop* stop) {
  const Result<void> may = may_verify(*m, wish.repair.has_value());
  if (!may) co_return fail(may.error());
  m->beside = {
      .spool = m->context.spool,
      .rejects = &m->ledger->rejects(),
      .captured_since =
          [m = m.get()](MonoTime since) { return m->capture == nullptr || m->capture->polled_since(since); },
      .against =
          [m = m.get()] {
            std::vector<std::string> against;
            for (const state::GapRecord& gap : m->ledger->record().gaps)
              against.push_back("changes were missed: " + gap_text(gap));
            return against;
          }};
  VerifyContext context;
  context.lanes = m->context.lanes;
  context.store = m->context.verify_store;
  context.stop = stop;
  context.steering = m->context.steering;
  context.shared = m->context.shared;
  context.source_reads = &m->companion.reads;
  context.source_throttles = &m->companion.source_throttles;
  context.live = &m->beside;
  context.random = m->random.fork();
  VerifyOptions options;
  options.transform = m->options.copy.transform;
  options.scope = wish.scope;
  options.keys = std::move(wish.keys);
  options.restart = wish.restart;
  options.repair = wish.repair;
  options.read_rcu_per_s = wish.read_rcu_per_s;
  options.units_per_lane = m->options.copy.units_per_lane;
  options.segments = m->options.copy.segments;
  options.memory_bytes = m->options.copy.memory_bytes;
  options.stays = stays;
  options.tuning = m->options.verify_tuning;
  options.faults = m->options.verify_faults;
  m->verify = std::make_unique<Verify>(std::move(context), std::move(options));
  m->verifying = true;
  Result<VerifyFigures> figures = co_await m->verify->run();
  m->verifying = false;
  co_return figures;
}

}  // namespace

Task<void> verify_by_wish(SharedMigration m, VerifyWish wish, std::shared_ptr<Stop> cancel) {
  const Stop::Registration on_halt = m->halt.on_request([cancel] { cancel->request(); });
  const Result<VerifyFigures> figures = co_await verify(m, std::move(wish), false, cancel.get());
  std::optional<Error> error;
  if (!figures) error = figures.error();
  // Who cancels may never go on: the spool is not to note each key that is written to for ever.
  if (!figures && cancel->requested() && !m->halt.requested()) {
    const Result<void> dropped = co_await m->context.spool->drop_touches();
    if (!dropped) error = dropped.error();
  }
  m->context.verify_desk->done(std::move(error));
}

Task<void> verify_as_told(SharedMigration m) {
  VerifyWish wish = m->options.verify_and_end.value_or(VerifyWish());
  const bool ends = m->options.verify_and_end.has_value();
  const bool stays = !ends && !m->options.until_in_step;
  const Result<VerifyFigures> figures = co_await verify(m, std::move(wish), stays, &m->halt);
  if (!figures && figures.error().kind != ErrorKind::stopped) m->fail_with(figures.error());
  if (!ends || !figures) co_return;
  m->ended_by_itself = true;
  m->halt.request();
}

}  // namespace messina::jobs
