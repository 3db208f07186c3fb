// Repair: what was found different becomes re-read marks in the spool, the one road by which anything is
// written late. So a newer write is never overtaken, and what only the target has is deleted only when the
// source says that it is absent (PROTOCOL rule 6).
#include <utility>

#include <fmt/format.h>

#include "jobs/reread_rejects.h"
#include "jobs/verify_run.h"

namespace messina::jobs {

namespace {

using state::Verdict;

/// Keys that are marked at once.
constexpr std::size_t kMarkedAtOnce = 1'000;

/// needs_person where more would be deleted than anybody expects.
Result<void> check_deletes(const VerifyFigures& figures, const RepairOptions& options) {
  if (!options.delete_extra) return {};
  const std::uint64_t extra = figures.notes_of(Verdict::extra);
  const std::uint64_t compared = std::max(figures.forward.items, figures.record.target_keys);
  const auto share = static_cast<std::uint64_t>(kMostDeletedShare * static_cast<double>(compared));
  const std::uint64_t most = options.max_deletes.value_or(share);
  if (extra <= most) return {};
  return fail(
      ErrorKind::needs_person,
      fmt::format(
          "{} keys are only on the target, and repair deletes {} at most{}: look at them with "
          "`messina diff`, then give --max-deletes {}",
          extra, most,
          options.max_deletes ? "" : fmt::format(" ({:g} % of {})", kMostDeletedShare * 100, compared),
          extra));
}

}  // namespace

Task<Result<void>> mark_differences(std::shared_ptr<VerifyRun> run) {
  const RepairOptions& options = *run->options.repair;
  VerifyFigures figures;
  run->show([&](VerifyFigures& shown) { figures = shown; });
  const Result<void> few = check_deletes(figures, options);
  if (!few) co_return fail(few.error());
  const Result<bool> kept = co_await run->context.live->spool->keeps_touches();
  if (!kept) co_return fail(kept.error());
  if (!*kept) {
    // A key that is written to while it is judged must be known.
    const Result<void> keeps = co_await run->context.live->spool->keep_touches();
    if (!keeps) co_return fail(keeps.error());
  }
  run->record.repaired_unix_ms = unix_ms(run->home.wall());
  run->record.repaired_keys = 0;
  state::NoteFilter filter;
  filter.limit = kMarkedAtOnce;
  // What the target refused may be taken by now, and what could not be judged is tried anew.
  filter.verdicts = {Verdict::missing, Verdict::differs, Verdict::unsettled};
  if (options.delete_extra) filter.verdicts.push_back(Verdict::extra);
  while (!run->halt.requested()) {
    const Result<std::vector<state::KeyNote>> some = co_await run->context.store->notes(filter);
    if (!some) co_return fail(some.error());
    if (some->empty()) co_return Result<void>();
    filter.after_key = some->back().key;
    std::vector<std::string> keys;
    std::vector<state::KeyNote> suspects;
    for (const state::KeyNote& note : *some) {
      keys.push_back(note.key);
      suspects.push_back({.key = note.key});
    }
    // The marks first: a suspect without one would be judged as it was.
    const Result<void> marked =
        co_await put_marks(run->home, *run->context.live->spool, std::move(keys), &run->halt);
    if (!marked) co_return fail(marked.error());
    run->record.repaired_keys += suspects.size();
    run->note_record();
    co_await run->add(std::move(suspects));
  }
  co_return fail(ErrorKind::stopped, "stopped while differences were marked");
}

}  // namespace messina::jobs
