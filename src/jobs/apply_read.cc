// Marks: only the source knows what these keys are.
//
// A read discharges the generations that were taken before it was sent, and what it saw may be written once
// the watermark has passed the time of its sending (PROTOCOL rules 8 and 11). Only an answer that names a key
// neither among the items nor among the unprocessed keys says that it is absent (rule 6).
#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <utility>

#include "jobs/apply_run.h"
#include "jobs/retry.h"

namespace messina::jobs {

namespace {

/// Lookups under way at once.
constexpr std::size_t kMostReading = 4;
/// Marks that wait for their lookup.
constexpr std::size_t kMostMarks = 1000;
/// What was read waits for the watermark no longer than this; by PROTOCOL rule 12 no page holds it longer.
constexpr Duration kLongestHold = std::chrono::seconds(60);

}  // namespace

struct ApplyReader::Reading {
  struct Answer {
    bool seen = false, unprocessed = false;
    std::string image;
  };
  std::vector<std::string> keys;
  std::vector<Answer> answers;  ///< of each key
  std::optional<Error> error;
  MonoTime sent_at{};
  double rcu = 0;
};

ApplyReader::ApplyReader(ApplyRun& run)
    : run_(run),
      own_budget_(run.home.now()),
      budget_(run.context.reads != nullptr ? *run.context.reads : own_budget_) {
  own_budget_.set_rate(run.home.now(), run.options.read_rcu_per_s);
}

bool ApplyReader::wants_left_over() {
  return marks_.size() <= kMostMarks / 2 && std::exchange(left_over_, false);
}

bool ApplyReader::add(std::vector<Change> marks) {
  std::vector<Change> left_over;
  for (Change& mark : marks) {
    if (marks_.size() < kMostMarks)
      marks_.push_back(std::move(mark));
    else
      left_over.push_back(std::move(mark));
  }
  const bool all = left_over.empty();
  if (!all) {
    left_over_ = true;
    run_.keeper.leave_over(std::move(left_over));
  }
  start();
  return all;
}

/// Bytes of what was read, and of what may come beside it.
bool ApplyReader::memory_allows() const {
  const auto most = static_cast<std::int64_t>(run_.options.memory_bytes / 2);
  const bool nothing_else = reading_ == 0 && read_bytes_ == 0;
  return nothing_else || read_bytes_ + static_cast<std::int64_t>(reading_ + 1) * lookup_bytes_ <= most;
}

void ApplyReader::start() {
  while (!marks_.empty() && reading_ < kMostReading && memory_allows()) {
    if (run_.halt.requested() || run_.paused) return;
    if (watermark() <= watermark_wanted_) return;
    std::vector<Lane>& lanes = *run_.context.lanes;
    Lane& lane = lanes[next_lane_++ % lanes.size()];
    const std::size_t count =
        std::min(marks_.size(), std::max<std::size_t>(lanes.front().source.get->max_keys(), 1));
    const auto end = marks_.begin() + static_cast<std::ptrdiff_t>(count);
    std::vector<Change> marks(std::move_iterator(marks_.begin()), std::move_iterator(end));
    marks_.erase(marks_.begin(), end);
    ++reading_;
    run_.requests.spawn(run_.home.executor(), read_marks(run_.shared_from_this(), &lane, std::move(marks)));
  }
}

MonoTime ApplyReader::watermark() const {
  return run_.options.faults.no_watermark ? MonoTime::max() : run_.context.watermark->value(run_.home.now());
}

/// A table that was deleted and made again lacks everything.
bool ApplyReader::same_source_since(const Held& held) const {
  Sight* const source = run_.context.source;
  if (source == nullptr || std::ranges::none_of(held.changes, &Change::remove)) return true;
  if (source->seen_at() > held.sent_at) return true;
  source->want();
  return false;
}

void ApplyReader::let_through() {
  const MonoTime watermark_now = watermark();
  const MonoTime now = run_.home.now();
  std::deque<Held> still;
  for (Held& held : std::exchange(held_, {})) {
    const bool passed = held.sent_at < watermark_now && same_source_since(held);
    if (!passed && now - held.sent_at <= kLongestHold) {
      still.push_back(std::move(held));
      continue;
    }
    for (const Change& change : held.changes) read_bytes_ -= static_cast<std::int64_t>(change.image.size());
    if (passed) {
      run_.writer.admit(std::move(held.changes));
    } else {
      watermark_wanted_ = std::max(watermark_wanted_, held.sent_at);
      run_.keeper.release(std::move(held.changes));
    }
  }
  held_ = std::move(still);
}

/// On the lane's loop.
Task<void> ApplyReader::look_up(std::shared_ptr<ApplyRun> run, Lane* lane, std::shared_ptr<Reading> reading) {
  const item::KeySchema& schema = run->context.source_key;
  std::unordered_map<std::string, std::size_t> asked;
  std::vector<std::string_view> keys;
  for (const std::string& text : reading->keys) {
    const Result<item::Key> key = item::find_key(text, schema);
    if (!key) {
      reading->error = key.error();
      co_return;
    }
    // Answers name keys by value: of two that are written differently, none could be told from the other.
    if (!asked.emplace(item::key_bytes(*key), keys.size()).second) {
      reading->error = Error{ErrorKind::refused, "a key is written in two ways"};
      co_return;
    }
    keys.push_back(text);
  }
  const std::span<const std::string_view> to_ask = keys;
  Result<endpoints::LookupPage> page = co_await lane->source.get->get(to_ask, nullptr);
  if (!page) {
    reading->error = page.error();
    co_return;
  }
  reading->answers.resize(keys.size());
  reading->sent_at = page->sent_at;
  reading->rcu = page->cost_rcu;
  const auto answer_for = [&](std::string_view raw) -> Reading::Answer* {
    const Result<item::Key> key = item::find_key(raw, schema);
    const auto found = key ? asked.find(item::key_bytes(*key)) : asked.end();
    return found == asked.end() ? nullptr : &reading->answers[found->second];
  };
  bool understood = true;
  for (const std::string_view raw : page->items) {
    Reading::Answer* const answer = answer_for(raw);
    understood = understood && answer != nullptr;
    if (answer == nullptr) continue;
    answer->seen = true;
    answer->image = raw;
  }
  for (const std::string_view raw : page->unprocessed_keys) {
    Reading::Answer* const answer = answer_for(raw);
    understood = understood && answer != nullptr;
    if (answer != nullptr) answer->unprocessed = true;
  }
  // Where something is not understood, nothing is known to be absent.
  if (!understood) {
    reading->error =
        Error{ErrorKind::corrupt,
              lane->source.display + ": the answer of BatchGetItem names keys that were not asked for"};
  }
  lane->source.get->recycle(std::move(*page));
}

Task<bool> ApplyReader::wait_for_budget(std::shared_ptr<ApplyRun> run, ReadCharge& charge, std::size_t keys) {
  const double units = std::max(rcu_per_key_ * static_cast<double>(keys), 0.5);
  while (!run->halt.requested()) {
    const std::optional<Duration> nap = charge.ask_units(run->home.now(), units);
    if (!nap) co_return true;
    co_await run->home.sleep_for(*nap, &run->halt);
  }
  charge.give_up(run->home.now());
  co_return false;
}

/// Those that are answered wait for the watermark; `marks` keeps the others.
void ApplyReader::answered(Reading& reading, std::vector<Change>& marks) {
  rcu_per_key_ = 0.9 * rcu_per_key_ + 0.1 * reading.rcu / static_cast<double>(marks.size());
  run_.totals.rcu += reading.rcu;
  Held held;
  held.sent_at = reading.sent_at;
  std::vector<Change> unprocessed;
  std::int64_t bytes = 0;
  for (std::size_t i = 0; i < marks.size(); ++i) {
    Reading::Answer& answer = reading.answers[i];
    if (answer.unprocessed && !run_.options.faults.unprocessed_is_absent) {
      unprocessed.push_back(std::move(marks[i]));
      continue;
    }
    marks[i].remove = !answer.seen;
    marks[i].image = std::move(answer.image);
    bytes += static_cast<std::int64_t>(marks[i].image.size());
    held.changes.push_back(std::move(marks[i]));
  }
  marks = std::move(unprocessed);
  run_.image_bytes += bytes;
  read_bytes_ += bytes;
  lookup_bytes_ = std::max(bytes, lookup_bytes_ - lookup_bytes_ / 8);
  run_.totals.reread += held.changes.size();
  if (!held.changes.empty()) held_.push_back(std::move(held));
  let_through();
}

/// True if the rest of the marks is to be asked for again.
Task<bool> ApplyReader::after_read(std::shared_ptr<ApplyRun> run, Reading& reading,
                                   std::vector<Change>& marks, Retry& retry) {
  Error error{ErrorKind::throttled, "the source left keys of a read unprocessed"};
  if (!reading.error) {
    const std::size_t asked = marks.size();
    answered(reading, marks);
    if (marks.empty()) co_return false;
    if (marks.size() < asked) retry = Retry();
  } else {
    error = std::move(*reading.error);
  }
  Duration pause{};
  if (!retry.again(error, run->context.random, pause)) {
    if (error.kind == ErrorKind::refused && marks.size() == 1) {
      run->keeper.reject(std::move(marks.front()), error);
    } else if (error.kind == ErrorKind::refused) {
      const auto middle = marks.begin() + static_cast<std::ptrdiff_t>(marks.size() / 2);
      run->reader.ask_apart(std::vector<Change>(std::move_iterator(middle), std::move_iterator(marks.end())));
      marks.erase(middle, marks.end());
      co_return true;
    } else {
      run->fail_with(std::move(error));
    }
    co_return false;
  }
  ++run->totals.retries;
  if (error.kind == ErrorKind::throttled) {
    ++run->totals.throttles;
    if (run->context.source_throttles != nullptr && error.scope != ThrottleScope::key_range)
      ++*run->context.source_throttles;
  }
  run->trouble.note(error, run->home.now());
  co_await run->home.sleep_for(pause, &run->halt);
  co_return true;
}

/// A part of a read that was refused as a whole.
void ApplyReader::ask_apart(std::vector<Change> marks) {
  ++reading_;
  Lane& lane = run_.context.lanes->front();
  run_.requests.spawn(run_.home.executor(), read_marks(run_.shared_from_this(), &lane, std::move(marks)));
}

Task<void> ApplyReader::read_marks(std::shared_ptr<ApplyRun> run, Lane* lane, std::vector<Change> marks) {
  Retry retry;
  bool again = true;
  while (again && !run->halt.requested()) {
    ReadCharge charge(budget_, run->context.shared);
    const bool granted = co_await wait_for_budget(run, charge, marks.size());
    if (!granted) break;
    const auto reading = std::make_shared<Reading>();
    for (const Change& mark : marks) reading->keys.push_back(mark.key);
    co_await run->on_lane(*lane, look_up(run, lane, reading));
    charge.answered_units(run->home.now(), reading->rcu);
    again = co_await after_read(run, *reading, marks, retry);
  }
  --reading_;
  start();
}

}  // namespace messina::jobs
