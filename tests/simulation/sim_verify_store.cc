#include "sim_verify_store.h"

#include <chrono>
#include <utility>

namespace messina::simulation {

using namespace std::chrono_literals;

state::NoteCounts VerifyDisk::apply(const Change& change) {
  if (change.begin) model.begin(*change.begin);
  if (!change.commit) return {};
  const state::NoteCounts counts = model.commit(*change.commit);
  for (const state::KeyNote& note : change.commit->notes)
    if (on_note) on_note(note);
  return counts;
}

void VerifyDisk::crash(Random& random) {
  const std::optional<Change> last = std::exchange(on_the_way, std::nullopt);
  if (last && random.chance(0.5)) apply(*last);
}

bool SimVerifyStore::chance(double probability) {
  return loop_.now() < faults_.until && random_.chance(probability);
}

Task<void> SimVerifyStore::latency() {
  const bool slow = chance(faults_.slow);
  const std::uint64_t most_us = slow ? 10'000'000 : 20'000;
  const Duration time = std::chrono::microseconds(200 + random_.below(most_us));
  co_await loop_.sleep_for(time, nullptr);
}

Task<state::NoteCounts> SimVerifyStore::write(VerifyDisk::Change change) {
  disk_.on_the_way = std::move(change);
  co_await latency();
  const VerifyDisk::Change made = *std::exchange(disk_.on_the_way, std::nullopt);
  co_return disk_.apply(made);
}

Task<Result<std::optional<state::VerifyState>>> SimVerifyStore::load() {
  const AsyncSemaphore::Lease alone = co_await one_.acquire(1);
  co_await latency();
  co_return disk_.model.state();
}

Task<Result<void>> SimVerifyStore::begin(const state::VerifyState& fresh) {
  const AsyncSemaphore::Lease alone = co_await one_.acquire(1);
  VerifyDisk::Change change{.begin = fresh, .commit = {}};
  co_await write(std::move(change));
  co_return Result<void>();
}

Task<Result<state::NoteCounts>> SimVerifyStore::commit(const state::VerifyCommit& step) {
  const AsyncSemaphore::Lease alone = co_await one_.acquire(1);
  if (chance(faults_.busy)) {
    co_await latency();
    co_return fail(ErrorKind::busy, "the ledger is busy");
  }
  VerifyDisk::Change change{.begin = {}, .commit = step};
  const state::NoteCounts counts = co_await write(std::move(change));
  co_return counts;
}

Task<Result<std::vector<state::KeyNote>>> SimVerifyStore::notes(const state::NoteFilter& filter) {
  const AsyncSemaphore::Lease alone = co_await one_.acquire(1);
  co_await latency();
  co_return disk_.model.notes(filter);
}

Task<Result<std::optional<state::KeyNote>>> SimVerifyStore::note(const std::string& key) {
  const AsyncSemaphore::Lease alone = co_await one_.acquire(1);
  co_await latency();
  co_return disk_.model.note(key);
}

Task<Result<std::vector<state::NoteGroup>>> SimVerifyStore::groups() {
  const AsyncSemaphore::Lease alone = co_await one_.acquire(1);
  co_await latency();
  co_return disk_.model.groups();
}

}  // namespace messina::simulation
