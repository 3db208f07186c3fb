#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "cli/rejects_retry.h"
#include "jobs/copy_start.h"
#include "jobs/reread_rejects.h"
#include "net/event_loop.h"
#include "state/disk_spool.h"

namespace messina::cli {
namespace {

/// How often a running process is asked whether it is done, and how long at most: marking costs it a look at
/// its ledger and a put for a hundred rejects.
constexpr auto kAskAgain = std::chrono::milliseconds(100);
constexpr auto kPatience = std::chrono::minutes(2);

Task<Result<std::uint64_t>> mark_all(Loop* loop, state::LedgerStore* store, state::DiskSpool* spool,
                                     const state::JobState* job, item::KeySchema source_key, Stop* stop) {
  const Result<std::uint64_t> keys = co_await jobs::reread_rejects(*loop, *store, *spool, source_key, stop);
  if (!keys) co_return fail(keys.error());
  // The ledger knows the spool as it is now; that requests of the last process may be on the wire stays.
  state::Commit known;
  known.spool = spool->stamp();
  known.clean_end = !job->heartbeat_unix_ms.has_value();
  known.heartbeat_unix_ms = job->heartbeat_unix_ms.value_or(0);
  const Result<void> committed = co_await store->commit(known);
  if (!committed) co_return fail(committed.error());
  co_return *keys;
}

}  // namespace

Result<std::uint64_t> mark_rejects(Session& session, const plan::CopyPlan& plan, OpenedState& opened) {
  const auto job = opened.ledger->load();
  if (!job) return fail(job.error());
  auto lanes = Lanes::open(plan, 1, &session.stop());
  if (!lanes) return fail(lanes.error());
  Loop& loop = (*lanes)->first_loop();
  const auto source = net::run_on(loop, first_contact(loop, (*lanes)->first().source, &session.stop()));
  if (!source) return fail(source.error());
  if (source->id != (*job)->identity.source_table_id)
    return fail(ErrorKind::needs_person,
                fmt::format("{} was deleted and made again since the migration began: start over with "
                            "--restart",
                            (*job)->identity.source));
  Random random(entropy_seed());
  auto files = state::Spool::open(opened.folder / "spool", state::SpoolOptions(), session.clock(), random);
  if (!files) return fail(files.error());
  state::LedgerStore store(std::move(opened.ledger), session.clock());
  state::DiskSpool spool(std::move(*files), session.clock());
  return net::run_on(loop, mark_all(&loop, &store, &spool, &**job, source->key, &session.stop()));
}

Result<std::uint64_t> have_rejects_marked(Session& session, const std::filesystem::path& folder,
                                          const console::MigrationStatus& status) {
  console::ControlRequest request;
  request.verb = console::ControlRequest::Verb::retry_rejects;
  auto answer = ask_running(folder, status, request);
  if (!answer) return fail(answer.error());
  if (!answer->retry)
    return fail(
        ErrorKind::needs_person,
        fmt::format("pid {} on host {}, which runs this migration, only begins yet or does not follow "
                    "changes: try again later",
                    status.holder_pid, status.holder_host));
  const std::uint64_t wish = answer->retry->asked;
  request.verb = console::ControlRequest::Verb::status;
  const MonoTime give_up = session.clock().now() + kPatience;
  while (answer->retry && answer->retry->done < wish) {
    if (session.stop().requested() || session.clock().now() > give_up)
      return fail(ErrorKind::stopped,
                  "the running process was asked to read them again, and has not said yet "
                  "that it will: `messina rejects list` shows what is left of them");
    std::this_thread::sleep_for(kAskAgain);
    answer = ask_running(folder, status, request);
    if (!answer) return fail(answer.error());
  }
  if (!answer->retry) return fail(ErrorKind::stopped, "the process that was asked has ended: run it again");
  if (!answer->retry->error.empty()) return fail(ErrorKind::stopped, answer->retry->error);
  return answer->retry->keys;
}

}  // namespace messina::cli
