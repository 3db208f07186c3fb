#include "capture_process.h"

#include <vector>

namespace messina::simulation {

using namespace std::chrono_literals;

CaptureProcess::CaptureProcess(Universe& in_universe, World& in_world, SimStream& stream, const Setting& with,
                               std::uint64_t seed)
    : universe(in_universe),
      world(in_world),
      setting(with),
      loop(in_universe),
      store(in_world, loop, *with.disk),
      spool(loop, *with.spool_disk, in_universe.random(), with.spool_faults) {
  source.display = "table \"items\" (simulated source)";
  source.table.value = "items";
  source.feed = make_feed(stream, loop);
  ledger.emplace(loop, store, spool, setting.disk->job->live);
  jobs::Capture::Context context;
  context.loop = &loop;
  context.source = &source;
  context.spool = &spool;
  context.ledger = &*ledger;
  context.stop = &stop;
  context.key.partition = {"pk", item::Type::S};
  context.random = Random(seed);
  capture.emplace(context, setting.options);
  asio::co_spawn(loop.executor(), run(*this), [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  });
}

void CaptureProcess::die() {
  loop.destroy_everything();
  // Coroutines that wait for others of the capture go with it.
  capture.reset();
  loop.destroy_everything();
}

void CaptureProcess::read_history() {
  Applied& applied = *setting.applied;
  applied.items.clear();
  for (KeyId key = 0; key < world.plan().keys; ++key) {
    const World::SourceState state = world.source_state(key);
    if (state.there) applied.items[key] = state.version;
  }
  applied.epoch = ledger->record().capture_epoch;
}

Task<void> CaptureProcess::run(CaptureProcess& self) {
  if (self.setting.heals) {
    std::function<void(state::LiveRecord&)> anew = [](state::LiveRecord& record) { record.stream.clear(); };
    auto begun = co_await self.ledger->update(std::move(anew));
    if (!begun) {
      self.result = std::move(begun);
      co_return;
    }
  }
  auto begun = co_await self.capture->begin();
  if (!begun) {
    self.result = std::move(begun);
    co_return;
  }
  // What is read from now on belongs to this epoch.
  if (self.ledger->record().capture_epoch != self.setting.applied->epoch) self.read_history();
  if (self.setting.heals) {
    std::function<void(state::LiveRecord&)> heal = [](state::LiveRecord& record) { record.gaps.clear(); };
    auto healed = co_await self.ledger->update(std::move(heal));
    if (!healed) {
      self.result = std::move(healed);
      co_return;
    }
  }
  asio::co_spawn(self.loop.executor(), apply(self), [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  });
  auto followed = co_await self.capture->follow();
  self.result = std::move(followed);
}

void CaptureProcess::apply_entry(const state::SpoolEntry& entry) {
  const KeyId key = parse_item(entry.key).key;
  std::map<KeyId, Version>& items = setting.applied->items;
  std::optional<Version> version;
  if (entry.kind == state::ChangeKind::image) {
    version = parse_item(entry.image).version;
  } else if (entry.kind == state::ChangeKind::reread) {
    const World::SourceState now = world.source_state(key);
    if (now.there) version = now.version;
  }
  if (version) {
    items[key] = *version;
  } else {
    items.erase(key);
  }
}

Task<void> CaptureProcess::apply(CaptureProcess& self) {
  state::TakeRequest request{.restart = true, .max_entries = 1 + self.universe.random().below(10)};
  bool whole = false, nothing = true;
  while (!self.stop.requested()) {
    if (request.restart) {
      whole = self.quiet_since && self.capture->polled_since(*self.quiet_since);
      nothing = true;
    }
    auto taken = co_await self.spool.take(request);
    if (!taken) co_return;
    std::vector<state::Settled> written;
    for (const state::SpoolEntry& entry : taken->entries) {
      self.apply_entry(entry);
      written.push_back({entry.key, entry.generation});
      nothing = false;
    }
    auto settled = co_await self.spool.settle(written);
    if (!settled) co_return;
    request.restart = taken->end;
    if (!taken->end) continue;
    if (whole && nothing) self.caught_up = true;
    const Duration pause = self.world.between(10ms, 1s);
    co_await self.loop.sleep_for(pause, &self.stop);
  }
}

}  // namespace messina::simulation
