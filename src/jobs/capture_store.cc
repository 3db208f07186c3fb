#include <algorithm>

#include "jobs/capture_internal.h"
#include "jobs/copy_start.h"

namespace messina::jobs {

Task<Result<void>> Capture::State::put(const state::SpoolBatch& batch) {
  state::SpoolStore* const spool = context.spool;
  const state::SpoolBatch* const what = &batch;
  const auto call = [spool, what] { return spool->put(*what); };
  auto answer = co_await with_room<state::PutAnswer>(call);
  if (!answer) co_return fail(std::move(answer.error()));
  co_return Result<void>();
}

Task<Result<void>> Capture::State::declare(std::vector<state::GapRecord> gaps) {
  auto recorded = co_await context.ledger->record_gaps(std::move(gaps));
  if (!recorded) co_return recorded;
  state::SpoolStore* const spool = context.spool;
  const auto call = [spool] { return spool->declare_gap(); };
  auto marked = co_await with_room<void>(call);
  co_return marked;
}

Task<Result<void>> Capture::State::store(ShardMap::Step step, state::SpoolBatch& batch) {
  if (!step.gaps.empty()) {
    std::vector<state::GapRecord> gaps;
    gaps.reserve(step.gaps.size());
    for (const Gap& gap : step.gaps) {
      gaps.push_back({.cause = std::string(to_string(gap.cause)),
                      .detail = gap.shard.value,
                      .since_unix_ms = unix_ms(gap.since),
                      .noticed_unix_ms = unix_ms(gap.noticed)});
    }
    auto declared = co_await declare(std::move(gaps));
    if (!declared) co_return declared;
  }
  for (const ShardRow& row : step.rows) batch.positions.push_back(to_position(row, epoch));
  for (const endpoints::ShardId& shard : step.forgotten) batch.forgotten_shards.push_back(shard.value);
  if (batch.puts.empty() && batch.positions.empty() && batch.forgotten_shards.empty())
    co_return Result<void>();
  if (options.faults.positions_apart) {
    state::SpoolBatch positions;
    positions.positions.swap(batch.positions);
    positions.forgotten_shards.swap(batch.forgotten_shards);
    auto stored = co_await put(positions);
    if (!stored) co_return stored;
  }
  auto stored = co_await put(batch);
  co_return stored;
}

}  // namespace messina::jobs
