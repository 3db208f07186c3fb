#include "sim_spool.h"

#include <algorithm>
#include <limits>

namespace messina::simulation {

using namespace std::chrono_literals;

void SpoolDisk::crash(Random& random) {
  const std::size_t kept = random.below(unsynced.size() + 1);
  const bool all = kept == unsynced.size();
  if (kept > 0) synced = unsynced[kept - 1];
  // In the order in which they were asked for; the disk got so far.
  std::size_t happened = all ? random.below(on_the_way.size() + 1) : 0;
  for (const Change& change : on_the_way) {
    if (happened-- == 0) break;
    change(synced);
  }
  unsynced.clear();
  on_the_way.clear();
}

SimSpool::SimSpool(SimLoop& loop, SpoolDisk& disk, Random& random, SpoolFaults faults)
    : loop_(loop), disk_(disk), random_(random), faults_(faults), model_(disk.synced) {
  model_.open(loop.now());
  disk_.synced = model_;
}

bool SimSpool::chance(double probability) {
  return loop_.now() < faults_.until && random_.chance(probability);
}

Task<void> SimSpool::latency() {
  const bool slow = chance(faults_.slow);
  const std::uint64_t most_us = slow ? 10'000'000 : 20'000;
  const Duration time = std::chrono::microseconds(200 + random_.below(most_us));
  co_await loop_.sleep_for(time, nullptr);
}

// Calls are made in their order, as by one thread: whichever wakes first makes all that were asked for up to
// its own. So what is on the way is always the newest part.
Task<void> SimSpool::write(SpoolDisk::Change change, bool synced) {
  const auto made = std::make_shared<bool>(false);
  disk_.on_the_way.push_back([change = std::move(change), made](state::SpoolModel& model) {
    *made = true;
    change(model);
  });
  co_await latency();
  while (!*made) {
    const SpoolDisk::Change next = std::move(disk_.on_the_way.front());
    disk_.on_the_way.erase(disk_.on_the_way.begin());
    next(model_);
    disk_.unsynced.push_back(model_);
  }
  if (!synced) co_return;
  disk_.synced = model_;
  disk_.unsynced.clear();
}

Task<Result<std::vector<state::ShardPosition>>> SimSpool::positions() {
  co_await latency();
  co_return model_.positions();
}

Task<Result<std::string>> SimSpool::domain() {
  co_await latency();
  co_return model_.domain();
}

Task<Result<state::PutAnswer>> SimSpool::put(const state::SpoolBatch& batch) {
  full_ = !batch.puts.empty() && chance(faults_.full);
  if (full_) {
    co_await latency();
    co_return fail(ErrorKind::disk, "the spool's disk is full", state::kSpoolFull);
  }
  // A copy: a crash may make the call after its caller is gone.
  const auto answer = std::make_shared<Result<state::PutAnswer>>(state::PutAnswer{});
  SpoolDisk::Change change = [batch, answer](state::SpoolModel& model) { *answer = model.put(batch); };
  co_await write(std::move(change), !batch.lazy || !batch.puts.empty());
  co_return *answer;
}

Task<Result<state::Taken>> SimSpool::take(const state::TakeRequest& request) {
  if (request.images_before != MonoTime::max())
    most_held_back_ = std::max(most_held_back_, loop_.now() - request.images_before);
  co_await latency();
  co_return model_.take(request);
}

Task<Result<void>> SimSpool::settle(const std::vector<state::Settled>& written) {
  const MonoTime now = loop_.now();
  SpoolDisk::Change change = [written, now](state::SpoolModel& model) { model.settle(written, now); };
  co_await write(std::move(change), false);
  co_return Result<void>();
}

Task<Result<void>> SimSpool::declare_gap() {
  SpoolDisk::Change change = [](state::SpoolModel& model) { model.declare_gap(); };
  co_await write(std::move(change), true);
  co_return Result<void>();
}

Task<Result<void>> SimSpool::begin_domain(const std::string& domain) {
  SpoolDisk::Change change = [domain](state::SpoolModel& model) { model.begin_domain(domain); };
  co_await write(std::move(change), true);
  co_return Result<void>();
}

Task<Result<state::Reduced>> SimSpool::reduce_to(std::uint64_t max_bytes) {
  const auto reduced = std::make_shared<state::Reduced>();
  SpoolDisk::Change change = [max_bytes, reduced](state::SpoolModel& model) {
    *reduced = model.reduce_to(max_bytes);
  };
  co_await write(std::move(change), true);
  co_return *reduced;
}

Task<Result<state::SpoolFigures>> SimSpool::figures() {
  co_await latency();
  co_return state::SpoolFigures{.keys_at_most = model_.keys(),
                                .disk_bytes = model_.bytes(),
                                .disk_free_bytes = std::numeric_limits<std::uint64_t>::max(),
                                .oldest_change_unix_ms = model_.oldest_change_unix_ms(),
                                .full = full_,
                                .reducing = false};
}

Task<Result<void>> SimSpool::keep_touches() {
  SpoolDisk::Change change = [](state::SpoolModel& model) { model.keep_touches(); };
  co_await write(std::move(change), true);
  co_return Result<void>();
}

Task<Result<void>> SimSpool::drop_touches() {
  SpoolDisk::Change change = [](state::SpoolModel& model) { model.drop_touches(); };
  co_await write(std::move(change), true);
  co_return Result<void>();
}

Task<Result<bool>> SimSpool::keeps_touches() {
  co_await latency();
  co_return model_.keeps_touches();
}

Task<Result<std::vector<state::Touch>>> SimSpool::touches(const std::string& after, std::size_t most) {
  co_await latency();
  co_return model_.touches(after, most);
}

Task<Result<void>> SimSpool::forget_touches(const std::vector<state::Touch>& judged) {
  SpoolDisk::Change change = [judged](state::SpoolModel& model) { model.forget_touches(judged); };
  co_await write(std::move(change), false);
  co_return Result<void>();
}

Task<Result<std::vector<state::KeyStand>>> SimSpool::look_up(const std::vector<std::string>& keys) {
  co_await latency();
  co_return model_.look_up(keys);
}

}  // namespace messina::simulation
