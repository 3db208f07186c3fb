#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/load_plan.h"
#include "cli/many_tables.h"
#include "cli/migrations.h"
#include "cli/verify_job.h"
#include "console/diff_text.h"
#include "console/events.h"
#include "console/numbers.h"
#include "console/output_queue.h"
#include "console/verify_page.h"
#include "item/key.h"
#include "plan/text.h"
#include "state/verify_ledger.h"

namespace messina::cli {
namespace {

using state::Verdict;

/// Notes that are read at once; of those with items fewer, which may have 800 KB each.
constexpr std::size_t kNotesAtOnce = 1'000, kNotesWithItemsAtOnce = 20;
/// Differences that are listed on a terminal, unless --limit says otherwise.
constexpr std::uint64_t kListed = 20;
constexpr std::size_t kColumns = 120;

/// What is done for one table, or for one of many.
using ForTable = std::function<ExitCode(const plan::CopyPlan&, bool of_many)>;

/// One table, or each of many: the gravest exit status of all.
ExitCode for_tables(Session& session, Flags& flags, Writes writes, const ForTable& each) {
  const auto loaded = load_plans(session, flags, writes);
  if (!loaded) return session.failed(loaded.error());
  const auto* many = std::get_if<plan::ManyTables>(&*loaded);
  if (many == nullptr) return each(std::get<plan::CopyPlan>(*loaded), false);
  if (!flags.verify.keys_file.empty())
    return session.failed({ErrorKind::usage, "--keys names keys of one table: name that table alone"});
  ExitCode worst = ExitCode::done;
  const ExitCode ended = for_each_table(session, *many, [&](const plan::CopyPlan& plan) {
    if (!session.json()) session.display().result(fmt::format("{}:\n", plan.source.table));
    worst = std::max(worst, each(plan, true));
    return ExitCode::done;
  });
  return std::max(worst, ended);
}

/// Each of many tables has a page of its own: of "orders", report.html is report-orders.html.
std::string report_file_of(const std::string& file, const plan::CopyPlan& plan, bool of_many) {
  if (!of_many) return file;
  std::filesystem::path path(file);
  path.replace_filename(
      fmt::format("{}-{}{}", path.stem().string(), plan.source.table, path.extension().string()));
  return path.string();
}

Result<void> write_report(const std::string& file, const console::VerifyOutcome& outcome) {
  const bool markdown = file.ends_with(".md");
  std::ofstream out(file, std::ios::trunc);
  out << (markdown ? console::verify_report_markdown(outcome, MESSINA_VERSION)
                   : console::verify_report_html(outcome, MESSINA_VERSION));
  out.close();
  if (out) return {};
  return fail(ErrorKind::disk, fmt::format("--report: {} cannot be written", plan::shown(file)));
}

ExitCode report(Session& session, const plan::CopyPlan& plan, const std::optional<std::string>& file,
                const VerifyEnd& end) {
  if (end.left_running) return ExitCode::done;
  if (!end.result) return session.failed(end.result.error(), Left::place);
  auto outcome = kept_verification(end.folder, plan);
  if (!outcome) return session.failed(outcome.error());
  outcome->elapsed = end.elapsed;
  session.result(console::verify_summary_text(*outcome),
                 console::verify_summary_event(session.clock().wall(), *outcome));
  if (file) {
    if (auto written = write_report(*file, *outcome); !written) return session.failed(written.error());
  }
  return outcome->exit;
}

Result<jobs::VerifyWish> wish_of(const Flags& flags) {
  jobs::VerifyWish wish;
  wish.scope = flags.verify.scope;
  wish.restart = flags.draft.restart.value_or(false);
  if (wish.scope.indexes && (!wish.scope.whole() || !flags.verify.keys_file.empty()))
    return fail(ErrorKind::usage, "--indexes compares all of them: leave --sample, --segment and --keys out");
  if (flags.verify.keys_file.empty()) return wish;
  if (wish.scope.segment || wish.scope.sample || wish.scope.exhaustive)
    return fail(ErrorKind::usage,
                "--keys names what is compared: leave --sample, --segment and --exhaustive out");
  auto keys = read_keys(flags.verify.keys_file);
  if (!keys) return fail(keys.error());
  wish.keys = std::move(*keys);
  wish.scope.keys_alone = true;
  return wish;
}

Result<void> check_report_file(const Flags& flags) {
  const auto& file = flags.verify.report_file;
  if (!file || file->ends_with(".html") || file->ends_with(".md")) return {};
  return fail(ErrorKind::usage,
              fmt::format("--report: {} ends neither in .html nor in .md", plan::shown(*file)));
}

// ------------------------------------------------------------------------------------------- diff

std::size_t terminal_columns() {
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : kColumns;
}

state::NoteFilter filter_of(const Flags& flags) {
  state::NoteFilter filter;
  if (flags.verify.only)
    filter.verdicts = {*flags.verify.only};
  else
    filter.verdicts = {Verdict::missing, Verdict::extra, Verdict::differs, Verdict::unsettled,
                       Verdict::rejected};
  return filter;
}

/// Hands up to `most` notes to `show`; how many there were.
Result<std::uint64_t> for_each_note(Session& session, state::VerifyLedger& ledger, state::NoteFilter filter,
                                    std::uint64_t most,
                                    const std::function<void(const state::KeyNote&)>& show) {
  filter.limit = filter.items ? kNotesWithItemsAtOnce : kNotesAtOnce;
  std::uint64_t shown = 0;
  while (shown < most) {
    const auto notes = ledger.notes(filter);
    if (!notes) return fail(notes.error());
    if (notes->empty()) break;
    for (const state::KeyNote& note : *notes) {
      if (session.stop().requested()) return fail(ErrorKind::stopped, "stopped in the middle of the list");
      if (console::stdout_failed()) return fail(ErrorKind::disk, "stdout takes no more: the list is cut");
      if (shown++ == most) return most;
      show(note);
    }
    filter.after_key = notes->back().key;
  }
  return shown;
}

ExitCode show_item(Session& session, state::VerifyLedger& ledger, const std::string& key,
                   HmacKey* redaction) {
  const auto note = ledger.note(key);
  if (!note) return session.failed(note.error());
  if (!*note)
    return session.failed(
        {ErrorKind::not_found,
         fmt::format("nothing is known of the key {}: `messina diff` lists those that differ, "
                     "as they are to be written here",
                     plan::shown(key))});
  session.result(redaction != nullptr ? console::diff_line(**note, redaction)
                                      : console::diff_item_text(**note, terminal_columns()),
                 console::diff_event(session.clock().wall(), **note, redaction));
  return ExitCode::done;
}

ExitCode list(Session& session, state::VerifyLedger& ledger, const Flags& flags,
              const std::vector<console::IndexDifference>& of_indexes, HmacKey* redaction) {
  const auto groups = ledger.groups();
  if (!groups) return session.failed(groups.error());
  if (!session.json() && groups->empty() && of_indexes.empty())
    session.display().say("no difference is known\n");
  if (!session.json()) session.display().result(console::diff_groups_text(*groups, redaction));
  if (flags.verify.groups && !session.json()) return ExitCode::done;
  state::NoteFilter filter = filter_of(flags);
  filter.items = session.json() && redaction == nullptr;
  const std::uint64_t most = flags.verify.most.value_or(session.json() ? UINT64_MAX - 1 : kListed);
  bool more = false;
  std::uint64_t told = 0;
  const auto shown = for_each_note(session, ledger, filter, most + 1, [&](const state::KeyNote& note) {
    more = told++ == most;
    if (more) return;
    session.result(console::diff_line(note, redaction),
                   console::diff_event(session.clock().wall(), note, redaction));
  });
  if (!shown) return session.failed(shown.error());
  if (!session.json() && more)
    session.display().say(
        fmt::format("the first {}; --limit shows more, --json all\n", console::grouped(most)));
  if (flags.verify.only) return ExitCode::done;
  for (const console::IndexDifference& difference : of_indexes)
    session.result(console::index_difference_line(difference, redaction),
                   console::index_difference_event(session.clock().wall(), difference, redaction));
  return ExitCode::done;
}

// ----------------------------------------------------------------------------------------- repair

ExitCode say_what_repair_does(Session& session, const plan::CopyPlan& plan, const Flags& flags) {
  const auto folder = folder_of(plan);
  if (!folder) return session.failed(folder.error());
  const auto outcome = kept_verification(*folder, plan);
  if (!outcome) return session.failed(outcome.error());
  const jobs::VerifyFigures& found = outcome->figures;
  const std::uint64_t read = found.notes_of(Verdict::missing) + found.notes_of(Verdict::differs) +
                             found.notes_of(Verdict::unsettled);
  const std::uint64_t extra = found.notes_of(Verdict::extra);
  const bool deletes = flags.verify.repair.delete_extra;
  std::string text =
      fmt::format("{} would be read from the source again, and written\n", console::counted(read, "key"));
  if (extra > 0 && deletes)
    text += fmt::format(
        "{} only on the target would be deleted, as far as the source says that they are "
        "absent\n",
        console::counted(extra, "key"));
  else if (extra > 0)
    text += fmt::format("{} only on the target would stay: --delete-extra deletes them\n",
                        console::counted(extra, "key"));
  session.result(text, console::repair_plan_event(session.clock().wall(), read, extra, deletes));
  return ExitCode::done;
}

}  // namespace

ExitCode run_verify(Session& session, Flags& flags) {
  if (auto good = check_report_file(flags); !good) return session.failed(good.error());
  const auto wish = wish_of(flags);
  if (!wish) return session.failed(wish.error());
  return for_tables(session, flags, Writes::no, [&](const plan::CopyPlan& plan, bool of_many) {
    if (flags.verify.cancel) return cancel_verification(session, plan);
    const auto file = flags.verify.report_file.transform(
        [&](const std::string& named) { return report_file_of(named, plan, of_many); });
    return report(session, plan, file, verify_table(session, plan, flags, *wish));
  });
}

ExitCode run_repair(Session& session, Flags& flags) {
  jobs::VerifyWish wish;
  wish.repair = flags.verify.repair;
  return for_tables(session, flags, flags.verify.dry_run ? Writes::no : Writes::yes,
                    [&](const plan::CopyPlan& plan, bool) {
                      if (flags.verify.dry_run) return say_what_repair_does(session, plan, flags);
                      return report(session, plan, std::nullopt, verify_table(session, plan, flags, wish));
                    });
}

ExitCode run_diff(Session& session, Flags& flags) {
  const auto folder = find_migration(session, flags);
  if (!folder) return session.failed(folder.error());
  auto ledger = state::VerifyLedger::open(*folder, {.access = state::Access::read_only});
  if (!ledger) return session.failed(ledger.error());
  const auto state = (*ledger)->load();
  if (!state) return session.failed(state.error());
  if (!*state && flags.verify.redact)
    return session.failed({ErrorKind::not_found, "nothing was verified here yet"});
  jobs::VerifyRecord record;
  if (*state) {
    const auto figures = jobs::figures_of(**state);
    if (!figures) return session.failed(figures.error());
    record = figures->record;
  }
  std::optional<HmacKey> redaction;
  if (flags.verify.redact)
    redaction.emplace(
        std::string_view(reinterpret_cast<const char*>(record.secret.data()), record.secret.size()));
  HmacKey* const by = redaction ? &*redaction : nullptr;
  if (flags.verify.key) return show_item(session, **ledger, *flags.verify.key, by);
  return list(session, **ledger, flags, console::index_differences(record), by);
}

}  // namespace messina::cli
