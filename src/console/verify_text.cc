#include "console/verify_text.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "console/cell_text.h"
#include "console/json_line.h"
#include "console/line_parts.h"
#include "console/numbers.h"
#include "console/progress_text.h"
#include "jobs/estimate.h"

namespace messina::console {
namespace {

using jobs::VerifyFigures;
using jobs::VerifyPhase;
using jobs::VerifyRecord;
using jobs::VerifyScope;
using state::NoteGroup;
using state::Verdict;

constexpr std::size_t kProgressColumns = 120;
/// Of what holds it up: it may be a server's message.
constexpr std::size_t kMostWaitColumns = 60;

void add_line(std::string& text, const char* label, std::string_view what) {
  text += fmt::format("  {:<10}{}\n", label, printable(what));
}

std::string both(const VerifyOutcome& outcome) {
  return fmt::format("{} and {}", one_line(outcome.source), one_line(outcome.target));
}

/// Both digests are complete, and were compared.
bool has_digests(const VerifyRecord& record) { return !record.target_digest.empty(); }

/// What stands against it beside the differences, which are told with their number.
std::vector<std::string> other_reasons(VerifyFigures figures) {
  for (const Verdict verdict : {Verdict::missing, Verdict::extra, Verdict::differs})
    figures.notes[static_cast<std::size_t>(verdict)] = 0;
  return jobs::not_verified_because(figures);
}

std::string compared_text(const VerifyFigures& figures) {
  if (figures.record.scope.keys_alone) return "the keys that were named";
  return fmt::format("{} of the source, {}", counted(figures.forward.items, "item"),
                     bytes(static_cast<double>(figures.forward.bytes)));
}

std::string target_keys_text(const VerifyFigures& figures) {
  const VerifyRecord& record = figures.record;
  if (record.phase == VerifyPhase::forward) return "those of the target are still to be read";
  if (record.scope.exhaustive)
    return fmt::format("{} of the target, each looked up in the source", grouped(figures.backward.items));
  if (!has_digests(record)) return fmt::format("{} of the target so far", grouped(figures.backward.items));
  return fmt::format("{} of the target, {} of the source; {}", grouped(record.target_keys),
                     grouped(record.source_keys), digests_text(record));
}

std::string judged_text(const VerifyRecord& record) {
  std::string text =
      fmt::format("{} that {}", counted(record.keys_judged, "key"),
                  record.scope.keys_alone ? "disagreed once, or were named" : "disagreed once");
  if (record.live) text += fmt::format("; {} written meanwhile", grouped(record.touched_judged));
  return text;
}

/// "1,204 differ, 12 only on source, 3 only on target".
std::string found_text(const VerifyFigures& figures) {
  std::string text;
  for (const auto& [verdict, what] :
       {std::pair(Verdict::differs, "differ"), std::pair(Verdict::missing, "only on source"),
        std::pair(Verdict::extra, "only on target")}) {
    if (const std::uint64_t keys = figures.notes_of(verdict); keys > 0)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", grouped(keys), what);
  }
  return text.empty() ? "no difference" : text;
}

std::string rcu(double units) { return grouped(static_cast<std::uint64_t>(units + 0.5)); }

std::string groups_lines(const std::vector<NoteGroup>& groups) {
  const std::span<const NoteGroup> told = first_groups(groups, kMostGroupsSaid);
  std::size_t width = 0;
  for (const NoteGroup& group : told) width = std::max(width, counted(group.keys, "item").size());
  std::string text;
  for (const NoteGroup& group : told)
    text += fmt::format("  {:>{}}: {}\n", counted(group.keys, "item"), width, group_text(group));
  if (const std::string more = more_groups_text(groups, kMostGroupsSaid); !more.empty())
    text += fmt::format("  {}\n", more);
  return text;
}

std::string next_text(const VerifyOutcome& outcome) {
  const auto command = [&outcome](const char* name) {
    return fmt::format("`messina {} {} {}{}`", name, one_line(outcome.source), one_line(outcome.target),
                       outcome.state_flag);
  };
  std::string text;
  if (!outcome.finished) text += "next: run the same command again, and it goes on\n";
  if (outcome.figures.differences() > 0)
    text += fmt::format("next: {} shows what differs, {} repairs it{}\n", command("diff"), command("repair"),
                        outcome.figures.notes_of(Verdict::extra) > 0
                            ? ", with --delete-extra also what only the target has"
                            : "");
  if (outcome.figures.notes_of(Verdict::rejected) > 0)
    text += fmt::format("next: `messina rejects list{}` shows why the target refused\n", outcome.state_flag);
  const auto wrong = [](const jobs::IndexFindings& index) { return index.missing + index.extra > 0; };
  if (std::ranges::any_of(outcome.figures.record.indexes, wrong))
    text += "next: an index is the target's own work: create anew what lacks entries, or has too many\n";
  return text;
}

struct PhaseWords {
  VerifyPhase phase;
  const char* words;
};
constexpr std::array kPhases{PhaseWords{VerifyPhase::forward, "comparing"},
                             PhaseWords{VerifyPhase::backward, "adding up keys"},
                             PhaseWords{VerifyPhase::buckets, "looking up buckets"},
                             PhaseWords{VerifyPhase::judging, "judging"},
                             PhaseWords{VerifyPhase::indexes, "comparing indexes"},
                             PhaseWords{VerifyPhase::done, "done"}};

std::string phase_words(const jobs::VerifyProgress& progress) {
  if (progress.staying) return "watching";
  for (const PhaseWords& each : kPhases)
    if (jobs::to_string(each.phase) == progress.phase) return each.words;
  return progress.phase;
}

/// Of the phase; nullopt where nobody knows.
std::optional<double> share_done(const jobs::VerifyProgress& progress, bool forward, bool backward) {
  // The source's description is hours old: there may be more.
  constexpr double kMost = 0.999;
  if ((forward || backward) && progress.expected_items.value_or(0) > 0) {
    const std::uint64_t items = forward ? progress.items : progress.target_keys;
    return std::min(static_cast<double>(items) / static_cast<double>(*progress.expected_items), kMost);
  }
  if (progress.phase == jobs::to_string(VerifyPhase::buckets) && progress.units > 0)
    return std::min(static_cast<double>(progress.units_done) / static_cast<double>(progress.units), kMost);
  return std::nullopt;
}

std::string scope_json(const VerifyScope& scope) {
  JsonLine line;
  line.flag("whole", scope.whole())
      .optional("sample", scope.sample)
      .optional("sample_seed", scope.sample ? std::optional(scope.sample_seed) : std::nullopt);
  if (scope.segment)
    line.raw("segment",
             JsonLine().whole("index", scope.segment->index).whole("total", scope.segment->total).str());
  else
    line.null("segment");
  return line.flag("keys_alone", scope.keys_alone)
      .flag("exhaustive", scope.exhaustive)
      .flag("indexes", scope.indexes)
      .str();
}

std::string digests_json(const VerifyRecord& record) {
  return JsonLine()
      .whole("source_keys", record.source_keys)
      .whole("target_keys", record.target_keys)
      .text("source", record.source_digest)
      .text("target", record.target_digest)
      .whole("buckets", std::uint64_t{1} << record.bucket_bits)
      .whole("buckets_differing", record.buckets_differing)
      .whole("buckets_listed", record.buckets_listed)
      .str();
}

std::string indexes_json(const std::vector<jobs::IndexFindings>& indexes) {
  std::string list = "[";
  for (const jobs::IndexFindings& index : indexes) {
    if (list.size() > 1) list += ',';
    list += JsonLine()
                .text("name", index.name)
                .flag("absent", index.absent)
                .whole("entries", index.entries)
                .whole("missing", index.missing)
                .whole("extra", index.extra)
                .whole("unsettled", index.unsettled)
                .str();
  }
  return list + "]";
}

std::string entries_text(std::uint64_t count) {
  return fmt::format("{} {}", grouped(count), count == 1 ? "entry" : "entries");
}

void add_indexes(std::string& text, const VerifyRecord& record) {
  if (!record.scope.indexes) return;
  const char* label = "indexes";
  const auto add = [&](std::string_view line) { add_line(text, std::exchange(label, ""), line); };
  const auto some = [](std::uint64_t entries, std::string_view what) {
    return entries == 0 ? "" : fmt::format("; {} {}", entries_text(entries), what);
  };
  for (const jobs::IndexFindings& index : record.indexes) {
    if (index.absent) {
      add(fmt::format("{}: the target has no such index", index.name));
      continue;
    }
    add(fmt::format("{}: {}{}{}{}{}", index.name, entries_text(index.entries),
                    index.well() ? ", as the items say" : "", some(index.missing, "missing"),
                    some(index.extra, "too many"), some(index.unsettled, "that could not be judged")));
  }
  if (record.indexes.empty())
    add(record.phase == VerifyPhase::done ? "none on either side" : "not reached yet");
}

std::string groups_json(const std::vector<NoteGroup>& groups) {
  std::string list = "[";
  for (const NoteGroup& group : first_groups(groups, kMostGroupsListed)) {
    if (list.size() > 1) list += ',';
    list += JsonLine()
                .text("verdict", state::to_string(group.verdict))
                .text("cause", group.cause)
                .whole("keys", group.keys)
                .str();
  }
  return list + "]";
}

}  // namespace

std::optional<std::string> time_text(std::int64_t unix_ms) {
  if (unix_ms == 0) return std::nullopt;
  return iso_time(WallTime(std::chrono::milliseconds(unix_ms)));
}

std::string digests_text(const VerifyRecord& record) {
  const std::uint64_t buckets = std::uint64_t{1} << record.bucket_bits;
  if (record.buckets_differing == 0) return fmt::format("digests equal in {}", counted(buckets, "bucket"));
  return fmt::format(
      "{} of {} differed, {} listed{}", grouped(record.buckets_differing), counted(buckets, "bucket"),
      record.buckets_listed > 0 ? grouped(record.buckets_listed) : "none",
      record.buckets_listed < record.buckets_differing ? " (judged keys explain the others)" : "");
}

std::vector<std::string> left_out(const VerifyScope& scope) {
  std::vector<std::string> out;
  if (scope.sample)
    out.push_back(fmt::format("keys outside of the sample: {:g} % were drawn, by a hash of the key (seed {})",
                              *scope.sample * 100, scope.sample_seed));
  if (scope.segment)
    out.push_back(fmt::format("segments of the source's scan other than {}/{}", scope.segment->index,
                              scope.segment->total));
  if (scope.keys_alone) out.emplace_back("keys that were not named");
  if (!scope.looks_backward()) out.emplace_back("keys that only the target has");
  return out;
}

std::string group_text(const NoteGroup& group) {
  if (group.verdict == Verdict::suspect) return "to be judged";
  const std::string cause = printable(group.cause);
  const std::string_view verdict = state::to_string(group.verdict);
  if (cause.empty()) return std::string(verdict);
  return state::is_difference(group.verdict) ? cause : fmt::format("{}: {}", verdict, cause);
}

std::span<const NoteGroup> first_groups(const std::vector<NoteGroup>& groups, std::size_t most) {
  return std::span(groups).first(std::min(groups.size(), most));
}

std::string more_groups_text(const std::vector<NoteGroup>& groups, std::size_t most) {
  if (groups.size() <= most) return "";
  std::uint64_t items = 0;
  for (const NoteGroup& group : std::span(groups).subspan(most)) items += group.keys;
  return fmt::format("and {} of {}", counted(groups.size() - most, "more group"), counted(items, "item"));
}

std::string verdict_text(const VerifyOutcome& outcome) {
  const VerifyFigures& figures = outcome.figures;
  const std::vector<std::string> reasons = jobs::not_verified_because(figures);
  if (reasons.empty()) {
    std::string text = fmt::format("verified: {} are equal", both(outcome));
    if (figures.record.live)
      text += fmt::format(" as of {}, and every key written since then was judged",
                          time_text(figures.record.began_unix_ms).value_or("its beginning"));
    return text;
  }
  if (figures.differences() > 0)
    return fmt::format("{}{} between {}", counted(figures.differences(), "difference"),
                       outcome.finished ? "" : " so far", both(outcome));
  return "not verified: " + printable(fmt::format("{}", fmt::join(reasons, "; ")));
}

std::optional<std::string> verify_cost_text(std::optional<std::uint64_t> items,
                                            std::optional<std::uint64_t> size_bytes,
                                            const jobs::VerifyScope& scope) {
  if (!items || !size_bytes || *items == 0 || scope.keys_alone) return std::nullopt;
  const std::uint64_t parts = scope.segment ? scope.segment->total : 1;
  const std::uint64_t read = *items / parts, read_bytes = *size_bytes / parts;
  const double looked_up = static_cast<double>(read) * scope.sample.value_or(1);
  return fmt::format(
      "this reads about {}, {}: some {} RCU of the source; about {} looked up on the target{}",
      counted(read, "item"), bytes(static_cast<double>(read_bytes)),
      grouped((read_bytes + jobs::kReadUnitBytes - 1) / jobs::kReadUnitBytes),
      counted(static_cast<std::uint64_t>(looked_up), "item") + (looked_up < 2 ? " is" : " are"),
      scope.looks_backward() ? ", and its keys are scanned" : "");
}

std::string verify_summary_text(const VerifyOutcome& outcome) {
  const VerifyFigures& figures = outcome.figures;
  const VerifyRecord& record = figures.record;
  const VerifyScope& scope = record.scope;
  std::string text = verdict_text(outcome) + "\n";
  if (figures.differences() > 0) {
    for (const std::string& reason : other_reasons(figures)) add_line(text, "besides", reason);
  } else if (!jobs::not_verified_because(figures).empty()) {
    add_line(text, "tables", both(outcome));
  }
  add_line(text, "compared", compared_text(figures));
  if (scope.looks_backward()) add_line(text, "keys", target_keys_text(figures));
  for (const std::string& part : left_out(scope)) add_line(text, "left out", part);
  add_line(text, "judged", judged_text(record));
  add_line(text, "found", found_text(figures));
  add_line(text, "unsettled", counted(figures.notes_of(Verdict::unsettled), "key"));
  add_line(text, "rejected", counted(figures.notes_of(Verdict::rejected), "key"));
  if (const std::uint64_t suspects = figures.notes_of(Verdict::suspect); suspects > 0)
    add_line(text, "to judge", counted(suspects, "key"));
  add_indexes(text, record);
  if (record.repaired_unix_ms > 0)
    add_line(text, "repaired", counted(record.repaired_keys, "key") + ", judged again since");
  if (figures.source_rcu() + figures.target_rcu() > 0)
    add_line(text, "cost",
             fmt::format("{} RCU of the source, {} RCU of the target", rcu(figures.source_rcu()),
                         rcu(figures.target_rcu())));
  add_line(text, "time", duration(static_cast<double>(outcome.elapsed.count()) / 1000));
  return text + groups_lines(outcome.groups) + next_text(outcome);
}

std::string verify_summary_event(WallTime time, const VerifyOutcome& outcome) {
  const VerifyFigures& figures = outcome.figures;
  const VerifyRecord& record = figures.record;
  const std::vector<std::string> reasons = jobs::not_verified_because(figures);
  const std::size_t told = std::min(outcome.groups.size(), kMostGroupsListed);
  JsonLine line("verify_summary", time);
  line.text("source", outcome.source)
      .text("target", outcome.target)
      .flag("verified", reasons.empty())
      .texts("not_verified", reasons)
      .flag("finished", outcome.finished)
      .text("phase", jobs::to_string(record.phase))
      .flag("live", record.live)
      .optional("began", time_text(record.began_unix_ms))
      .optional("ended", time_text(record.ended_unix_ms))
      .raw("scope", scope_json(record.scope))
      .text("source_table_id", record.identity.source_table_id)
      .text("target_table_id", record.identity.target_table_id)
      .text("plan_fingerprint", record.identity.plan_fingerprint)
      .optional("expected_items", record.expected_items)
      .whole("compared_items", figures.forward.items)
      .whole("compared_bytes", figures.forward.bytes)
      .whole("target_keys_read", figures.backward.items);
  if (has_digests(record))
    line.raw("digests", digests_json(record));
  else
    line.null("digests");
  return line.whole("keys_judged", record.keys_judged)
      .whole("touched_judged", record.touched_judged)
      .whole("differences", figures.differences())
      .whole("missing", figures.notes_of(Verdict::missing))
      .whole("extra", figures.notes_of(Verdict::extra))
      .whole("differs", figures.notes_of(Verdict::differs))
      .whole("unsettled", figures.notes_of(Verdict::unsettled))
      .whole("rejected", figures.notes_of(Verdict::rejected))
      .whole("suspects", figures.notes_of(Verdict::suspect))
      .raw("indexes", record.scope.indexes ? indexes_json(record.indexes) : "null")
      .optional("repaired", time_text(record.repaired_unix_ms))
      .whole("repaired_keys", record.repaired_keys)
      .number("source_rcu", figures.source_rcu())
      .number("target_rcu", figures.target_rcu())
      .whole("retries", figures.retries)
      .whole("throttles", figures.throttles)
      .raw("groups", groups_json(outcome.groups))
      .whole("groups_left_out", outcome.groups.size() - told)
      .number("elapsed_s", static_cast<double>(outcome.elapsed.count()) / 1000)
      .whole("exit_code", static_cast<std::uint64_t>(outcome.exit))
      .str();
}

std::string verify_progress_text(const jobs::VerifyProgress& progress) {
  const bool forward = progress.phase == jobs::to_string(VerifyPhase::forward);
  const bool backward = progress.phase == jobs::to_string(VerifyPhase::backward);
  const bool reads = forward || backward || progress.phase == jobs::to_string(VerifyPhase::buckets);
  const std::uint64_t differences = progress.missing + progress.extra + progress.differs;
  std::vector<LinePart> parts;
  parts.push_back({0, "verify"});
  parts.push_back({0, phase_words(progress)});
  if (const auto share = share_done(progress, forward, backward)) parts.push_back({1, percent(*share)});
  parts.push_back({4, counted(progress.items, "item")});
  if (!forward && progress.target_keys > 0)
    parts.push_back({5, counted(progress.target_keys, "key") + " of the target"});
  if (reads) parts.push_back({3, rate(progress.items_per_s) + " items/s"});
  if (differences > 0) parts.push_back({0, counted(differences, "difference")});
  if (progress.unsettled > 0) parts.push_back({1, grouped(progress.unsettled) + " unsettled"});
  if (progress.rejected > 0) parts.push_back({2, grouped(progress.rejected) + " rejected"});
  if (progress.suspects > 0) parts.push_back({3, grouped(progress.suspects) + " to judge"});
  if (!progress.waits_for.empty())
    parts.push_back({2, "waits: " + clipped(printable(progress.waits_for), kMostWaitColumns)});
  return fitted_line(std::move(parts), kProgressColumns);
}

std::string verify_progress_text(const VerifyFigures& figures) {
  return verify_progress_text(jobs::progress_of(figures, true));
}

}  // namespace messina::console
