// The judge: of keys on which the sides disagreed once, which are different (PROTOCOL rule 17).
#include <algorithm>
#include <charconv>
#include <deque>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "item/item_json.h"
#include "jobs/difference_text.h"
#include "jobs/verify_run.h"

namespace messina::jobs {

namespace {

using state::Verdict;

/// Suspects that are judged together: they wait together, too.
constexpr std::size_t kJudgedAtOnce = 10'000;
/// Keys that were written to, and are looked at together.
constexpr std::size_t kTouchesAtOnce = 1'000;
/// Of their items as the source first gave them. Those beyond wait for the next round.
constexpr std::size_t kMostItemBytes = 32u << 20;
/// How often it is looked whether what they wait for has come, or a suspect.
constexpr Duration kLookEvery = std::chrono::milliseconds(200);
constexpr const char* kTwice = "looked at already, by a number that is written otherwise";

struct Suspect {
  std::string key;         ///< by the source's names
  std::string target_key;  ///< the same by the target's
  std::string bytes;
  state::Generation touched = 0;                                    ///< before the source was read
  std::optional<std::string> first = {}, source = {}, target = {};  ///< items; absent: there is none
  /// Put into the spool since: it can be found equal, but not different.
  bool moved = false;
  enum class Stands : std::uint8_t { open, rejected, left } stands = Stands::open;
};

/// Some suspects on their way to a verdict.
struct Round {
  std::deque<Suspect> suspects;  ///< each stays where it is: by_bytes views them
  std::unordered_map<std::string_view, Suspect*> by_bytes;
  /// Of keys that are in it already, by numbers that are written otherwise (1000, 1e3): no server takes both
  /// in one lookup.
  std::vector<state::KeyNote> twice;
  double source_rcu = 0, target_rcu = 0;
};

struct Judge {
  explicit Judge(std::shared_ptr<VerifyRun> of) : run(std::move(of)), random(run->random.fork()) {}
  const std::shared_ptr<VerifyRun> run;
  Random random;
  item::ItemComparer comparer;
  std::map<std::string, std::uint32_t>
      judgements;  ///< of suspects that were written to while they were judged
};
using Shared = std::shared_ptr<Judge>;

Task<Result<std::vector<state::KeyStand>>> stands_of(std::shared_ptr<VerifyRun> run, const Round* round) {
  std::vector<std::string> keys;
  for (const Suspect& suspect : round->suspects) keys.push_back(suspect.key);
  if (!run->live()) co_return std::vector<state::KeyStand>(keys.size());
  Result<std::vector<state::KeyStand>> stands = co_await run->context.live->spool->look_up(keys);
  co_return stands;
}

/// Reads the items of the open suspects into one of their members.
Task<Result<void>> read_items(Shared judge, std::shared_ptr<Round> round, Side side,
                              std::optional<std::string> Suspect::* into) {
  const std::shared_ptr<VerifyRun>& run = judge->run;
  std::vector<std::string_view> keys;
  std::size_t bytes = 0;
  for (Suspect& suspect : round->suspects) {
    (suspect.*into).reset();
    if (suspect.stands == Suspect::Stands::open)
      keys.push_back(side == Side::source ? suspect.key : suspect.target_key);
  }
  const item::KeyReader reader(side == Side::source ? run->sides.source_key : run->sides.target_key);
  std::string key_bytes;
  TakeItems take = [&](std::span<const std::string_view> items) -> Result<void> {
    for (const std::string_view item : items) {
      key_bytes.clear();
      const Result<void> key = reader.append(item, nullptr, &key_bytes);
      const auto found = key ? round->by_bytes.find(key_bytes) : round->by_bytes.end();
      if (found == round->by_bytes.end())
        return fail(ErrorKind::corrupt, "a lookup was answered with an item that was not asked for");
      if (bytes > kMostItemBytes) {
        found->second->stands = Suspect::Stands::left;
        continue;
      }
      bytes += item.size();
      (found->second->*into).emplace(item);
    }
    return {};
  };
  Lane* const lane = &run->context.lanes->front();
  const Result<double> rcu = co_await look_up(run, lane, side, &judge->random, keys, std::move(take));
  if (!rcu) co_return fail(rcu.error());
  (side == Side::source ? round->source_rcu : round->target_rcu) += *rcu;
  co_return Result<void>();
}

/// Whether a suspect was put into the spool since it was read first, or still waits there.
Task<Result<bool>> look_at_spool(std::shared_ptr<VerifyRun> run, std::shared_ptr<Round> round) {
  const Result<std::vector<state::KeyStand>> stands = co_await stands_of(run, round.get());
  if (!stands) co_return fail(stands.error());
  bool waits = false;
  for (std::size_t i = 0; i < stands->size(); ++i) {
    Suspect& suspect = round->suspects[i];
    if (suspect.stands != Suspect::Stands::open) continue;
    const bool touched = (*stands)[i].touched != suspect.touched || run->being_judged[suspect.key];
    suspect.moved = suspect.moved || (touched && !run->options.faults.judge_once_read);
    if (run->live() && run->context.live->rejects->contains(suspect.bytes))
      suspect.stands = Suspect::Stands::rejected;
    else if (!suspect.moved)
      waits = waits || (*stands)[i].waits;
  }
  co_return waits;
}

void waits_for(VerifyRun& run, std::string what) {
  run.show([&](VerifyFigures& figures) { figures.waits_for = std::move(what); });
}

/// What was written before `time` is captured, or the run was halted.
Task<void> wait_until_captured(std::shared_ptr<VerifyRun> run, MonoTime time) {
  while (!run->halt.requested() && !run->context.live->captured_since(time + kCapturedAfter)) {
    waits_for(*run, "the changes of the last seconds to be captured");
    co_await run->home.sleep_for(kLookEvery, &run->halt);
  }
  waits_for(*run, {});
}

/// What was written before `read_at` is captured and, as far as the suspects go, applied.
Task<Result<void>> wait_until_applied(std::shared_ptr<VerifyRun> run, std::shared_ptr<Round> round,
                                      MonoTime read_at) {
  if (!run->live() || run->options.faults.judge_at_once) co_return Result<void>();
  co_await wait_until_captured(run, read_at);
  bool waits = true;
  while (waits && !run->halt.requested()) {
    const Result<bool> looked = co_await look_at_spool(run, round);
    if (!looked) co_return fail(looked.error());
    waits = *looked && !run->options.faults.judge_unapplied;
    if (!waits) break;
    waits_for(*run, "changes of keys that disagreed to be applied");
    co_await run->home.sleep_for(kLookEvery, &run->halt);
  }
  waits_for(*run, {});
  if (run->halt.requested()) co_return fail(ErrorKind::stopped, "stopped while suspects were judged");
  co_return Result<void>();
}

/// A source's item as it would be written; nullopt: it cannot be, and was refused.
std::optional<std::string> as_written(const std::string& item, const item::TransformRules& rules) {
  if (rules.empty()) return item;
  std::string out;
  if (!item::transform_item(item, rules, out)) return std::nullopt;
  return out;
}

/// Only the authority expires items (PROTOCOL rule 19), so the target keeps for a while what the source's TTL
/// took.
bool expired(const std::string& item, const std::string& attribute, std::int64_t now_s) {
  const Result<item::Item> parsed = item::parse_item(item);
  if (!parsed) return false;
  const auto found = parsed->find(attribute);
  if (found == parsed->end() || item::type_of(found->second) != item::Type::N) return false;
  const std::string text = std::get<item::Number>(found->second.data).to_string();
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  return error == std::errc() && seconds <= static_cast<double>(now_s);
}

/// What the last reads of a suspect say.
state::KeyNote judged(Judge& judge, const Suspect& suspect) {
  const VerifyRun& run = *judge.run;
  state::KeyNote note{.key = suspect.key, .judged_unix_ms = unix_ms(run.home.wall())};
  std::optional<std::string> source;
  if (suspect.source) source = as_written(*suspect.source, run.sides.transform);
  if (suspect.source && !source) {
    note.verdict = Verdict::rejected;
    note.cause = "its attributes cannot be renamed";
    return note;
  }
  std::vector<item::Difference> places;
  if (!source && !suspect.target) {
    note.verdict = Verdict::equal;
  } else if (!source) {
    note.verdict = Verdict::extra;
  } else if (!suspect.target) {
    note.verdict = Verdict::missing;
  } else {
    places = judge.comparer.differences(*source, *suspect.target, kMostPlaces);
    note.verdict = places.empty() ? Verdict::equal : Verdict::differs;
  }
  if (note.verdict == Verdict::equal) return note;
  note.cause = cause_of(note.verdict, places);
  if (note.verdict == Verdict::extra && run.ttl_attribute &&
      expired(*suspect.target, *run.ttl_attribute, note.judged_unix_ms / 1000))
    note.cause += ", expired by `" + *run.ttl_attribute + "`";
  if (!places.empty()) note.places = to_json(places);
  const std::size_t bytes = source.value_or("").size() + suspect.target.value_or("").size();
  if (judge.run->kept_item_bytes + bytes > kMostKeptItemBytes) return note;
  judge.run->kept_item_bytes += bytes;
  note.source = source.value_or("");
  note.target = suspect.target.value_or("");
  return note;
}

bool equal(Judge& judge, const Suspect& suspect) {
  if (!suspect.source || !suspect.target) return !suspect.source && !suspect.target;
  std::string scratch;
  return equal_as_written(judge.comparer, judge.run->sides.transform, *suspect.source, *suspect.target,
                          scratch);
}

/// One that could not be judged this time.
std::optional<state::KeyNote> not_judged(Judge& judge, const Suspect& suspect) {
  if (suspect.stands == Suspect::Stands::left) return std::nullopt;
  state::KeyNote note{.key = suspect.key, .judged_unix_ms = unix_ms(judge.run->home.wall())};
  if (suspect.stands == Suspect::Stands::rejected) {
    note.verdict = Verdict::rejected;
    note.cause = "refused by the target";
    return note;
  }
  if (++judge.judgements[suspect.key] < kMostJudgements) return std::nullopt;
  judge.judgements.erase(suspect.key);
  note.verdict = Verdict::unsettled;
  note.cause = "written to each time that it was looked at";
  return note;
}

std::vector<state::KeyNote> verdicts(Judge& judge, const Round& round) {
  const VerifyFaults& faults = judge.run->options.faults;
  std::vector<state::KeyNote> notes = round.twice;
  for (const Suspect& suspect : round.suspects) {
    if (suspect.stands == Suspect::Stands::rejected || suspect.stands == Suspect::Stands::left) {
      if (auto note = not_judged(judge, suspect)) notes.push_back(std::move(*note));
      continue;
    }
    const bool same = suspect.first.has_value() == suspect.source.has_value() &&
                      (!suspect.first || judge.comparer.equal(*suspect.first, *suspect.source));
    const bool settled = !suspect.moved && (same || faults.judge_once_read);
    if (settled || faults.judge_at_once || equal(judge, suspect)) {
      judge.judgements.erase(suspect.key);
      notes.push_back(judged(judge, suspect));
    } else if (auto note = not_judged(judge, suspect)) {
      notes.push_back(std::move(*note));
    }
  }
  return notes;
}

Task<Result<void>> judge_round(Shared judge, std::shared_ptr<Round> round) {
  const std::shared_ptr<VerifyRun>& run = judge->run;
  run->being_judged.clear();
  for (const Suspect& suspect : round->suspects) run->being_judged[suspect.key] = false;
  const Result<std::vector<state::KeyStand>> before = co_await stands_of(run, round.get());
  if (!before) co_return fail(before.error());
  for (std::size_t i = 0; i < before->size(); ++i) round->suspects[i].touched = (*before)[i].touched;

  const Result<void> first = co_await read_items(judge, round, Side::source, &Suspect::first);
  if (!first) co_return first;
  const Result<void> applied = co_await wait_until_applied(run, round, run->home.now());
  if (!applied) co_return applied;
  const Result<void> target = co_await read_items(judge, round, Side::target, &Suspect::target);
  if (!target) co_return target;
  const Result<void> source = co_await read_items(judge, round, Side::source, &Suspect::source);
  if (!source) co_return source;
  const Result<bool> moved = co_await look_at_spool(run, round);
  if (!moved) co_return fail(moved.error());

  run->record.keys_judged += round->suspects.size();
  run->record.judging_source_rcu += round->source_rcu;
  run->record.judging_target_rcu += round->target_rcu;
  run->note_record();
  std::vector<state::KeyNote> notes = verdicts(*judge, *round);
  co_await run->add(std::move(notes));
  const bool flushed = co_await run->flush();
  if (!flushed) co_return fail(ErrorKind::stopped, "stopped while verdicts were kept");
  co_return Result<void>();
}

/// Adds a key, but for one out of the sample (nullptr: all are in it). `reader`: of the source's keys, by the
/// target's names. Errors: config, where it is no key of the source.
Result<void> add(Round& round, const item::KeyReader& reader, KeySample* sample, const std::string& key) {
  Suspect suspect{.key = key, .target_key = {}, .bytes = {}};
  const Result<void> read = reader.append(key, &suspect.target_key, &suspect.bytes);
  if (!read)
    return fail(ErrorKind::config,
                fmt::format("{} is no key of the source's table: {}", key, read.error().message));
  if (sample != nullptr && !sample->has(suspect.bytes)) return {};
  if (round.by_bytes.contains(suspect.bytes)) {
    round.twice.push_back({.key = key, .verdict = Verdict::unsettled, .cause = kTwice});
    return {};
  }
  Suspect& added = round.suspects.emplace_back(std::move(suspect));
  round.by_bytes.emplace(added.bytes, &added);
  return {};
}

/// Which of the keys are equal on both sides as they are read now; the others are put among the suspects.
Task<Result<void>> look_at_keys(Shared judge, std::shared_ptr<Round> round) {
  const std::shared_ptr<VerifyRun>& run = judge->run;
  const Result<void> source = co_await read_items(judge, round, Side::source, &Suspect::source);
  if (!source) co_return source;
  const Result<void> target = co_await read_items(judge, round, Side::target, &Suspect::target);
  if (!target) co_return target;
  run->record.judging_source_rcu += round->source_rcu;
  run->record.judging_target_rcu += round->target_rcu;
  std::vector<state::KeyNote> suspects;
  for (const Suspect& suspect : round->suspects) {
    const bool open = suspect.stands == Suspect::Stands::open;
    if (!open || !equal(*judge, suspect)) suspects.push_back({.key = suspect.key});
  }
  co_await run->add(std::move(suspects));
  const bool flushed = co_await run->flush();
  if (!flushed) co_return fail(ErrorKind::stopped, "stopped while suspects were kept");
  co_return Result<void>();
}

/// Once through the suspects that there are.
Task<Result<void>> judge_all(Shared judge) {
  const std::shared_ptr<VerifyRun>& run = judge->run;
  state::NoteFilter filter;
  filter.verdicts = {Verdict::suspect};
  filter.limit = kJudgedAtOnce;
  const item::KeyReader reader(run->sides.source_key, run->sides.target_key);
  while (!run->halt.requested()) {
    const Result<std::vector<state::KeyNote>> some = co_await run->context.store->notes(filter);
    if (!some) co_return fail(some.error());
    if (some->empty()) co_return Result<void>();
    filter.after_key = some->back().key;
    const std::shared_ptr<Round> round = std::make_shared<Round>();
    for (const state::KeyNote& note : *some) {
      const Result<void> added = add(*round, reader, nullptr, note.key);
      if (!added) co_return added;
    }
    const Result<void> well = co_await judge_round(judge, round);
    if (!well) co_return well;
  }
  co_return Result<void>();
}

}  // namespace

Task<void> judge_suspects(std::shared_ptr<VerifyRun> run, Stop* over) {
  const auto judge = std::make_shared<Judge>(run);
  while (!run->halt.requested()) {
    const bool last = over->requested();
    if (last || run->notes_wait()) {
      const bool flushed = co_await run->flush();
      if (!flushed) co_return;
    }
    if (run->suspects() > 0) {
      const Result<void> judged = co_await judge_all(judge);
      if (!judged && judged.error().kind != ErrorKind::stopped) run->fail_with(judged.error());
      if (!judged) co_return;
      continue;
    }
    if (last) co_return;
    co_await run->home.sleep_for(kLookEvery, over);
  }
}

Task<Result<void>> look_at_all_touched(std::shared_ptr<VerifyRun> run) {
  // A key that was put while the pass went on may have been absent when the source's page was read, and there
  // when the target's keys were looked up: neither pass compared it, and only its change tells of it.
  if (!run->options.faults.touched_uncaptured) co_await wait_until_captured(run, run->home.now());
  Result<void> looked = co_await look_at_touched(run);
  co_return looked;
}

Task<Result<void>> look_at_touched(std::shared_ptr<VerifyRun> run) {
  const auto judge = std::make_shared<Judge>(run);
  state::SpoolStore& spool = *run->context.live->spool;
  KeySample sample(run->options.scope);
  const item::KeyReader reader(run->sides.source_key, run->sides.target_key);
  std::string after;
  while (!run->halt.requested()) {
    const Result<std::vector<state::Touch>> touches = co_await spool.touches(after, kTouchesAtOnce);
    if (!touches) co_return fail(touches.error());
    if (touches->empty()) co_return Result<void>();
    after = touches->back().key;
    const std::shared_ptr<Round> round = std::make_shared<Round>();
    // What is no key of these tables is in neither pass.
    for (const state::Touch& touch : *touches) (void)add(*round, reader, &sample, touch.key);
    const Result<void> looked = co_await look_at_keys(judge, round);
    if (!looked) co_return fail(looked.error());
    for (const state::Touch& touch : *touches) {
      const auto judged = run->being_judged.find(touch.key);
      if (judged != run->being_judged.end() && !run->options.faults.touch_forgotten_unseen)
        judged->second = true;
    }
    // What disagreed is kept as a suspect by now.
    const Result<void> forgotten = co_await spool.forget_touches(*touches);
    if (!forgotten) co_return fail(forgotten.error());
    run->record.touched_judged = run->record.touched_judged + touches->size();
    run->note_record();
  }
  co_return fail(ErrorKind::stopped, "stopped while keys that were written to were looked at");
}

}  // namespace messina::jobs
