// A table is verified, and repaired, beside its live migration: while writers write, requests are lost and
// land late, shards split, and processes crash and are stopped in mid-pass. Somebody may damage the target.
//   verify_test              half of MESSINA_SIM_SEEDS seeds (2,000) from MESSINA_SIM_BASE (drawn)
//   verify_test --seed=N     that seed alone, with what it went through
// With a rule of verifying taken away, the stories must end wrong.
#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "jobs/verify_record.h"
#include "live_process.h"
#include "seeds.h"

namespace messina::simulation {
namespace {

using namespace std::chrono_literals;
using jobs::VerifyPhase;
using state::Verdict;

constexpr Duration kLongestStory = std::chrono::hours(2);
constexpr std::uint64_t kMostSteps = 3'000'000;
/// Verifications that may end without a claim when nothing happens any more: one goes on from before.
constexpr int kMostLastTries = 3;
/// Keys from here on are nobody's: only damage puts them on the target.
constexpr KeyId kExtraKeys = 3;

/// What somebody does to the target behind messina's back.
enum class Damage : std::uint8_t {
  none,
  before,       ///< before anything is verified, to keys that nobody writes to any more
  in_mid_pass,  ///< to keys that were written to since the pass began, and are not any more
};

struct VerifyStory {
  std::vector<Violation> violations;
  std::map<std::string, std::uint64_t> plots;
  std::string course;
  std::uint64_t lives = 0, crashes = 0, written = 0, judged = 0, steps = 0, trace_hash = 0;

  bool wrong_end() const {
    return std::ranges::any_of(
        violations, [](const Violation& violation) { return violation.kind == Violation::Kind::wrong_end; });
  }
  std::string text() const {
    std::string lines;
    for (const Violation& violation : violations) lines += violation.text + "\n";
    return lines;
  }
};

WorldPlan draw_world(Random& random) {
  const auto sometimes = [&random](double most) { return random.chance(0.5) ? most * random.unit() : 0.0; };
  WorldPlan plan;
  plan.live = true;
  plan.keys = static_cast<std::uint32_t>(10 + random.below(30));
  plan.segments = static_cast<std::uint32_t>(1 + random.below(3));
  plan.page_items = static_cast<std::uint32_t>(1 + random.below(6));
  plan.batch_items = 1 + random.below(5);
  plan.nodes = static_cast<std::uint32_t>(1 + random.below(3));
  plan.clock_error = std::chrono::milliseconds(200 + random.below(800));
  plan.dead_after = std::chrono::milliseconds(500 + random.below(5000));
  plan.lost = sometimes(0.2);
  plan.throttled = sometimes(0.2);
  plan.transient = sometimes(0.2);
  plan.unprocessed = sometimes(0.2);
  plan.slow = sometimes(0.1);
  plan.read_failed = sometimes(0.1);
  plan.writer_changes = static_cast<std::uint32_t>(20 + random.below(200));
  plan.writing = std::chrono::milliseconds(10'000 + random.below(80'000));
  plan.faults_until = plan.writing + std::chrono::milliseconds(random.below(5'000));
  return plan;
}

StreamPlan draw_stream(Random& random, const WorldPlan& world) {
  StreamPlan plan;
  plan.view = random.chance(0.8) ? endpoints::StreamView::new_image : endpoints::StreamView::keys_only;
  plan.in_order = random.chance(0.8);
  if (!plan.in_order) plan.lateness = std::chrono::seconds(3 + random.below(6));
  plan.retention = 7200s;  // gaps are another story
  plan.early_trim = 60s;
  plan.shard_interval = std::chrono::milliseconds(200 + random.below(800));
  plan.shards = static_cast<std::uint32_t>(1 + random.below(3));
  plan.splits = static_cast<std::uint32_t>(random.below(4));
  plan.splitting = world.writing;
  plan.page_records = static_cast<std::uint32_t>(1 + random.below(8));
  plan.throttled = random.chance(0.3) ? 0.2 * random.unit() : 0;
  plan.slow = random.chance(0.3) ? 0.03 * random.unit() : 0;
  return plan;
}

jobs::MigrateOptions draw_options(Random& random, const WorldPlan& plan, const StreamPlan& stream,
                                  const jobs::VerifyFaults& faults) {
  jobs::MigrateOptions options;
  options.copy.clock_error = options.apply.clock_error = plan.clock_error;
  options.copy.dead_after = options.apply.dead_after = plan.dead_after;
  options.copy.write_concurrency = static_cast<std::uint32_t>(1 + random.below(4));
  options.copy.units_per_lane = static_cast<std::uint32_t>(1 + random.below(3));
  options.copy.plan_fingerprint = "simulated";
  options.copy_tuning.reserve_units = static_cast<std::uint32_t>(1 + random.below(4));
  options.capture.list_every = std::chrono::seconds(1 + random.below(10));
  options.capture.idle_poll = std::chrono::milliseconds(500 + random.below(3000));
  options.capture.enable = stream.view;
  options.verify = random.chance(0.2);
  options.verify_tuning.waiting_hashes = random.below(20);
  options.verify_faults = faults;
  return options;
}

/// Who goes on judging finds what changes again, and nobody asks for repairs.
Damage draw_damage(Random& random, bool stays) {
  if (stays || random.chance(0.4)) return Damage::none;
  return random.chance(0.6) ? Damage::before : Damage::in_mid_pass;
}

class Story {
 public:
  Story(std::uint64_t seed, const jobs::VerifyFaults& faults)
      : universe_(seed),
        random_(universe_.random().fork()),
        world_(universe_, draw_world(random_)),
        history_(world_),
        stream_(world_, draw_stream(random_, world_.plan())),
        options_(draw_options(random_, world_.plan(), stream_.plan(), faults)),
        damage_(draw_damage(random_, options_.verify)),
        spool_("spool"),
        watch_(universe_, world_.plan().clock_error, world_.plan().dead_after),
        calm_at_(start_ + std::max<Duration>(world_.plan().faults_until, world_.plan().writing) +
                 stream_.plan().lateness + 1s),
        next_ask_(start_ + world_.between(0s, world_.plan().writing / 2)),
        first_left_(static_cast<KeyId>(random_.below(world_.plan().keys))),
        lives_to_lose_(static_cast<std::uint32_t>(random_.below(6))) {
    world_.source_table.items = world_.plan().keys;  // so that digests are small
    wish_.scope.exhaustive = random_.chance(0.2);
    // In mid-pass something is to happen.
    if (damage_ == Damage::in_mid_pass || random_.chance(0.3))
      wish_.read_rcu_per_s = 0.5 + 10 * random_.unit();
    if (damage_ == Damage::before) leaves_at_ = next_ask_;
    spool_faults_ = {.slow = random_.chance(0.3) ? 0.01 : 0, .full = 0, .until = calm_at_};
    store_faults_ = {
        .slow = random_.chance(0.3) ? 0.03 : 0, .busy = random_.chance(0.3) ? 0.1 : 0, .until = calm_at_};
    verify_disk_.on_note = [this](const state::KeyNote& note) { check_note(note); };
  }

  VerifyStory tell() {
    while (in_time() && !ended_) {
      live();
      const MonoTime until = universe_.now() + world_.between(0s, 3s);
      while (!universe_.idle() && universe_.next_event() <= until) universe_.run_next_event();
      universe_.advance_to(until);
    }
    told_.violations = world_.violations();
    told_.steps = universe_.steps();
    told_.trace_hash = universe_.trace_hash();
    return told_;
  }

 private:
  enum class Stage : std::uint8_t { free, to_damage, finds, repairs };
  using Content = SourceHistory::Content;

  void broken(std::string text) { world_.violate(Violation::Kind::broken_rule, std::move(text)); }
  void wrong(std::string text) { world_.violate(Violation::Kind::wrong_end, std::move(text)); }
  void course(const std::string& text) {
    told_.course +=
        fmt::format("{:9.3f} s  {}\n", std::chrono::duration<double>(universe_.now() - start_).count(), text);
  }

  bool in_time() {
    if (universe_.now() - start_ < kLongestStory && universe_.steps() < kMostSteps) return true;
    if (!late_) broken("the story does not end; the last process stands at: " + stands_);
    late_ = true;
    return false;
  }

  // --------------------------------------------------------------------------------------- processes

  /// One process, to its crash or stop; or to the end of the story.
  void live() {
    ++told_.lives;
    spool_.crash(universe_.random());
    verify_disk_.crash(universe_.random());
    const LiveProcess::Setting with{.world = &world_,
                                    .stream = &stream_,
                                    .history = &history_,
                                    .disk = &disk_,
                                    .spool_disk = &spool_,
                                    .spool_faults = spool_faults_,
                                    .verify_disk = &verify_disk_,
                                    .verify_store_faults = store_faults_,
                                    .watch = &watch_,
                                    .leave = true,
                                    .options = options_};
    LiveProcess process(with, random_.next());
    course("a process");
    asked_.reset();
    const bool ends = lives_to_lose_ > 0;
    const bool dies = random_.chance(0.7);
    // Most ends meet a verification.
    const bool when_asked = random_.chance(0.8);
    std::uint64_t last_step = universe_.steps() + 1 + random_.below(1ull << (5 + random_.below(10)));
    bool was_asked = false;
    while (!process.result && in_time()) {
      if (asked_ && !was_asked && when_asked)
        last_step = universe_.steps() + 1 + random_.below(1ull << (3 + random_.below(10)));
      was_asked = was_asked || asked_;
      if (ends && (was_asked || !when_asked) && universe_.steps() >= last_step) {
        if (dies) {
          --lives_to_lose_;
          crash();
          return;
        }
        process.stop.request();
      }
      direct(process);
      if (ended_) process.stop.request();
      step(process);
    }
    if (ends && !ended_) --lives_to_lose_;
    end(process);
  }

  void crash() {
    ++told_.crashes;
    course("crashes");
    random_.chance(0.5) ? disk_.apply_pending() : disk_.drop_pending();
    world_.sender_died();
    watch_.sender_died();
  }

  void end(const LiveProcess& process) {
    course("ends");
    if (disk_.job && disk_.job->heartbeat_unix_ms) {
      world_.sender_died();
      watch_.sender_died();
    }
    if (!process.result) return;
    if (!*process.result) {
      const Error& error = process.result->error();
      // Servers that fail for long end it before all is calm.
      const bool passing = universe_.now() < calm_at_ &&
                           (error.kind == ErrorKind::throttled || error.kind == ErrorKind::transient);
      if (error.kind != ErrorKind::stopped && !passing)
        broken(fmt::format("it ended with {}: {}", to_string(error.kind), error.message));
      return;
    }
    told_.written += (**process.result).live.applied;
  }

  void step(LiveProcess& process) {
    if (process.loop.run_one()) return;
    if (!process.loop.has_timer()) {
      broken("the process waits for nothing");
      late_ = true;
      process.result = fail(ErrorKind::internal, "it waits for nothing");
      return;
    }
    const MonoTime time = process.loop.next_timer();
    while (!universe_.idle() && universe_.next_event() <= time) universe_.run_next_event();
    universe_.advance_to(time);
    process.loop.fire_due_timers();
  }

  // ----------------------------------------------------------------------------------- what is asked for

  /// What people do, a few times a second.
  void direct(LiveProcess& process) {
    if (universe_.now() < next_look_) return;
    next_look_ = universe_.now() + 50ms;
    const jobs::Progress now = process.board.snapshot();
    stands_ = text_of(now);
    if (options_.verify) return watch_claim(now);
    put_back_what_is_away();
    if (leaves_at_ && !left_ms_ && universe_.now() >= *leaves_at_) leave_keys();
    if (damage_ == Damage::before && stage_ == Stage::free && !damaged_already_) stage_ = Stage::to_damage;
    if (damage_ == Damage::in_mid_pass && !damaged_already_) damage_in_mid_pass(now);
    if (stage_ == Stage::to_damage) {
      if (!all_there(now)) return;
      do_damage(false);
      stage_ = Stage::finds;
    }
    if (asked_) {
      const auto answer = process.verify_desk.answer();
      if (answer->done >= *asked_) return answered(answer->error);
      if (universe_.now() >= calm_at_ || !random_.chance(0.002)) return;
      process.verify_desk.cancel();
      course("it is cancelled");
      ++told_.plots["cancelled"];
    } else if (universe_.now() >= next_ask_ && !process.stop.requested()) {
      ask(process, now);
    }
  }

  /// Of a process that verifies by itself, and goes on judging what changes.
  void watch_claim(const jobs::Progress& now) {
    if (!now.verify || !now.verify->staying) return;
    flicker();
    if (!now.verify->not_verified.empty()) return;
    const Result<jobs::VerifyFigures> figures = jobs::figures_of(*verify_disk_.model.state());
    if (!figures) return broken("its record cannot be read: " + figures.error().message);
    if (universe_.now() < calm_at_) ++told_.plots["claimed beside the writers"];
    check_claim(*figures);
    if (!calm(now)) return;
    compare();
    ended_ = true;
  }

  /// An item that comes and goes: what is read of it twice is often the same, although it was written to.
  void flicker() {
    if (universe_.now() >= calm_at_ || !random_.chance(flickers_)) return;
    const auto key = static_cast<KeyId>(random_.below(3));
    world_.change(key, world_.source_state(key).there);
  }

  bool calm(const jobs::Progress& now) const {
    return universe_.now() >= calm_at_ && now.live && now.live->in_step &&
           now.live->complete_until_unix_ms.value_or(0) > unix_ms(calm_at_);
  }

  void ask(LiveProcess& process, const jobs::Progress& now) {
    jobs::VerifyWish wish = wish_;
    if (stage_ == Stage::repairs)
      wish.repair = jobs::RepairOptions{.delete_extra = true, .max_deletes = 1000};
    // The last one begins when nothing happens any more.
    last_ = stage_ == Stage::free && calm(now);
    if (universe_.now() >= calm_at_ && stage_ == Stage::free && !last_) return;
    if (stage_ == Stage::free && !last_ && random_.chance(0.2)) ask_for_a_part(wish);
    const Result<std::uint64_t> number = process.verify_desk.ask(wish);
    if (!number) {
      next_ask_ = universe_.now() + 1s;
      if (number.error().kind != ErrorKind::config) broken("it cannot be asked: " + number.error().message);
      return;
    }
    asked_ = *number;
    if (universe_.now() < calm_at_ && random_.chance(0.2)) remove_some();
    course(wish.repair ? "repair is asked for" : last_ ? "the last verification is asked for" : "verify");
  }

  void ask_for_a_part(jobs::VerifyWish& wish) {
    wish.scope.exhaustive = false;
    switch (random_.below(3)) {
      case 0:
        wish.scope.sample = 0.1 + 0.8 * random_.unit();
        break;
      case 1: {
        const auto total = static_cast<std::uint32_t>(2 + random_.below(3));
        wish.scope.segment = {.index = static_cast<std::uint32_t>(random_.below(total)), .total = total};
        break;
      }
      default:
        wish.scope.keys_alone = true;
        for (KeyId key = 0; key < world_.plan().keys + kExtraKeys; ++key)
          if (random_.chance(0.3)) wish.keys.push_back(key_json(key));
    }
    ++told_.plots["asked for a part"];
  }

  /// Items that go just before a pass begins, and are back when their place in the source was read.
  void remove_some() {
    for (KeyId key = 0; key < std::max<KeyId>(first_left_, 1); ++key) {
      if (!world_.source_state(key).there || !random_.chance(0.3)) continue;
      world_.change(key, true);
      away_.insert(key);
    }
    away_since_ms_ = unix_ms(universe_.now());
  }
  void put_back_what_is_away() {
    if (away_.empty() || (asked_ && !read_since(away_since_ms_))) return;
    for (const KeyId key : away_) {
      if (!world_.source_state(key).there) world_.change(key, false);
    }
    away_.clear();
    ++told_.plots["put back in mid-pass"];
  }

  void answered(const std::optional<Error>& error) {
    asked_.reset();
    next_ask_ = universe_.now() + 1s;
    course("answer: " + (error ? error->message : "done"));
    if (error) {
      // A process that has just begun refuses for a moment; who refuses for ever does not end the story.
      const bool expected = error->kind == ErrorKind::stopped || error->kind == ErrorKind::config;
      if (!expected) broken(fmt::format("verify ended with {}: {}", to_string(error->kind), error->message));
      return;
    }
    const Result<jobs::VerifyFigures> figures = jobs::figures_of(*verify_disk_.model.state());
    if (!figures) {
      broken("its record cannot be read: " + figures.error().message);
      return;
    }
    told_.judged += figures->record.keys_judged;
    if (universe_.now() < calm_at_) ++told_.plots["done beside the writers"];
    if (figures->record.buckets_listed > 0) ++told_.plots["buckets listed"];
    const std::vector<std::string> against = jobs::not_verified_because(*figures);
    if (stage_ == Stage::repairs) {
      ++told_.plots["repaired"];
      check_repaired();
      damage_stands_.clear();
      stage_ = Stage::free;
      return;
    }
    if (against.empty()) check_claim(*figures);
    if (stage_ == Stage::finds) {
      check_found();
      stage_ = Stage::repairs;
      return;
    }
    next_ask_ = universe_.now() + world_.between(0s, 20s);
    if (!last_) return;
    if (!against.empty()) {
      if (++last_tries_ > kMostLastTries)
        broken(fmt::format("all is quiet, but it is not verified: {}", fmt::join(against, "; ")));
      ended_ = last_tries_ > kMostLastTries;
      return;
    }
    compare();
    ended_ = true;
  }

  // ------------------------------------------------------------------------------------------- damage

  void leave_keys() {
    world_.leave_keys_from(std::max<KeyId>(first_left_, 1));
    left_ms_ = unix_ms(universe_.now());
    course(fmt::format("nobody writes to keys from {} on any more", std::max<KeyId>(first_left_, 1)));
  }

  /// What was written to keys that are left is on the target.
  bool all_there(const jobs::Progress& now) const {
    return left_ms_ && now.live && now.live->in_step &&
           now.live->complete_until_unix_ms.value_or(0) > *left_ms_;
  }

  std::optional<jobs::VerifyRecord> record_on_disk() const {
    const std::optional<state::VerifyState>& kept = verify_disk_.model.state();
    if (!kept) return std::nullopt;
    return *jobs::verify_record(kept->record);
  }
  /// Of one that is to find all.
  bool in_pass() const {
    const auto record = record_on_disk();
    return record && record->scope.whole() && record->phase != VerifyPhase::judging &&
           record->phase != VerifyPhase::done;
  }
  /// A pass that began then or later has read the source.
  bool read_since(std::int64_t since_ms) const {
    const auto record = record_on_disk();
    return record && record->began_unix_ms >= since_ms && record->phase != VerifyPhase::forward;
  }

  void damage_in_mid_pass(const jobs::Progress& now) {
    if (!in_pass()) return;
    if (!leaves_at_) leaves_at_ = universe_.now() + world_.between(0s, 5s);
    if (stage_ != Stage::free || last_ || !all_there(now)) return;
    do_damage(true);
    if (!damage_stands_.empty()) stage_ = Stage::finds;
  }

  /// Nothing that messina knows of will write it again.
  bool settled(KeyId key) const {
    if (world_.on_target(key) != source_of(key) || world_.on_wire(key)) return false;
    return !waits(key);
  }
  bool waits(KeyId key) const {
    const std::string text = key_json(key);
    return spool_.synced.find(text) ||
           std::ranges::any_of(spool_.unsynced,
                               [&](const state::SpoolModel& then) { return then.find(text).has_value(); });
  }
  bool touched(KeyId key) const {
    const std::vector<std::string> keys{key_json(key)};
    return spool_.synced.look_up(keys).front().touched != 0;
  }

  void do_damage(bool touched_alone) {
    damaged_already_ = true;
    const KeyId keys = world_.plan().keys;
    for (KeyId key = std::max<KeyId>(first_left_, 1); key < keys + kExtraKeys; ++key) {
      if (!random_.chance(0.4) || !settled(key) || (touched_alone && !touched(key))) continue;
      const bool there = source_of(key).has_value();
      const bool removed = there && random_.chance(0.5);
      world_.damage(key, removed ? std::nullopt : std::optional(kForeign + key));
      damage_stands_[key] = !there ? Verdict::extra : removed ? Verdict::missing : Verdict::differs;
      course(fmt::format("item {} is damaged: {}", key, to_string(damage_stands_[key])));
      ++told_.plots["damaged: " + std::string(to_string(damage_stands_[key]))];
    }
    if (touched_alone && !damage_stands_.empty()) ++told_.plots["damaged in mid-pass"];
  }

  // ------------------------------------------------------------------------------------------ the truth

  Content source_of(KeyId key) const {
    return key < world_.plan().keys ? SourceHistory::content(world_.source_state(key)) : Content();
  }

  /// Rule 17.
  void check_note(const state::KeyNote& note) {
    if (note.verdict == Verdict::unsettled) ++told_.plots["unsettled"];
    if (!state::is_difference(note.verdict)) return;
    const KeyId key = parse_key(note.key);
    const auto damage = damage_stands_.find(key);
    const bool damaged = damage != damage_stands_.end();
    if (damaged && stage_ != Stage::repairs && damage->second == note.verdict) return;
    wrong(fmt::format("item {} is reported as {}{}", key, to_string(note.verdict),
                      stage_ == Stage::repairs ? " after it was repaired"
                      : damaged                ? fmt::format(", but is {}", to_string(damage->second))
                                               : ", but nobody damaged it"));
  }

  void check_found() {
    for (const auto& [key, verdict] : damage_stands_) {
      if (verify_disk_.model.note(key_json(key))) continue;
      // After a crash the changes of a stream that is not in order are captured again, and written again.
      const bool healed = !stream_.plan().in_order && world_.on_target(key) == source_of(key);
      if (healed)
        ++told_.plots["damage that a change healed"];
      else
        wrong(fmt::format("item {} is {}, and is not reported", key, to_string(verdict)));
    }
  }

  void check_repaired() {
    for (const auto& [key, verdict] : damage_stands_) {
      const Content source = source_of(key), target = world_.on_target(key);
      const std::optional<state::KeyNote> note = verify_disk_.model.note(key_json(key));
      if (note) wrong(fmt::format("item {} is {} after the repair", key, to_string(note->verdict)));
      if (target != source)
        wrong(fmt::format("item {}: {} on the source, {} on the target after the repair", key, text(source),
                          text(target)));
    }
  }

  /// Rule 18: what nothing is known to wait for is as the source was when the pass began, or later.
  void check_claim(const jobs::VerifyFigures& figures) {
    ++told_.plots["verified"];
    const MonoTime began = universe_.now() - (std::chrono::milliseconds(unix_ms(universe_.now())) -
                                              std::chrono::milliseconds(figures.record.began_unix_ms) + 1ms);
    for (KeyId key = 0; key < world_.plan().keys + kExtraKeys; ++key) {
      if (world_.on_wire(key) || waits(key)) continue;
      const Content target = world_.on_target(key);
      const bool right = key < world_.plan().keys ? history_.held_since(key, target, began) : !target;
      if (!right)
        wrong(
            fmt::format("it is verified, but item {} is {} on the target, which the source did not have "
                        "since the pass began",
                        key, text(target)));
    }
  }

  /// I10
  void compare() {
    for (KeyId key = 0; key < world_.plan().keys + kExtraKeys; ++key) {
      const Content source = source_of(key), target = world_.on_target(key);
      if (target != source)
        wrong(fmt::format("item {}: {} on the source, {} on the target", key, text(source), text(target)));
    }
  }

  static std::string text(const Content& content) {
    return content ? std::to_string(*content) : std::string("not there");
  }

  static std::string text_of(const jobs::Progress& now) {
    std::string text = now.phase;
    if (now.live) text += fmt::format(" {}", fmt::join(now.live->not_in_step, "; "));
    if (now.verify)
      text += fmt::format(" verify: {} {} {}", now.verify->running, now.verify->phase, now.verify->waits_for);
    return text;
  }

  std::int64_t unix_ms(MonoTime time) const {
    const WallTime wall =
        universe_.wall() + std::chrono::duration_cast<WallTime::duration>(time - universe_.now());
    return std::chrono::duration_cast<std::chrono::milliseconds>(wall.time_since_epoch()).count();
  }

  Universe universe_;
  Random random_;
  World world_;
  SourceHistory history_;
  SimStream stream_;
  const jobs::MigrateOptions options_;
  const Damage damage_;
  Disk disk_;
  SpoolDisk spool_;
  SpoolFaults spool_faults_;
  VerifyDisk verify_disk_;
  VerifyStoreFaults store_faults_;
  WriteWatch watch_;
  const MonoTime start_ = universe_.now();
  const MonoTime calm_at_;
  MonoTime next_ask_, next_look_{};
  const KeyId first_left_;
  std::uint32_t lives_to_lose_ = 0;
  jobs::VerifyWish wish_;
  Stage stage_ = Stage::free;
  std::optional<std::uint64_t> asked_;  ///< of this process, not answered yet
  std::optional<MonoTime> leaves_at_;   ///< some keys are not written to any more
  std::optional<std::int64_t> left_ms_;
  bool damaged_already_ = false;
  const double flickers_ = random_.chance(0.5) ? 0.1 * random_.unit() : 0;
  std::map<KeyId, Verdict> damage_stands_;
  std::set<KeyId> away_;  ///< of the source, for a while
  std::int64_t away_since_ms_ = 0;
  bool last_ = false, ended_ = false, late_ = false;
  int last_tries_ = 0;
  std::string stands_;
  VerifyStory told_;
};

VerifyStory tell(std::uint64_t seed, const jobs::VerifyFaults& faults = {}) {
  return Story(seed, faults).tell();
}

TEST(VerifySimulation, WhatIsDamagedIsFoundAndNothingElse) {
  const std::uint64_t seeds = seed_count() / 2;
  fmt::print("{} seeds from {}\n", seeds, base_seed());
  VerifyStory all;
  std::uint64_t failed = 0;
  for (std::uint64_t seed = base_seed(); seed < base_seed() + seeds && failed < 10; ++seed) {
    const VerifyStory story = tell(seed);
    all.lives += story.lives;
    all.crashes += story.crashes;
    all.written += story.written;
    all.judged += story.judged;
    all.steps += story.steps;
    for (const auto& [plot, times] : story.plots) all.plots[plot] += times;
    if (story.violations.empty()) continue;
    ++failed;
    ADD_FAILURE() << "replay: verify_test --seed=" << seed << '\n' << story.text();
  }
  fmt::print("{} processes, {} crashes, {} applied, {} judged, {} steps\n", all.lives, all.crashes,
             all.written, all.judged, all.steps);
  for (const auto& [plot, times] : all.plots) fmt::print("  {} {}\n", times, plot);
  // A simulation in which nothing happens would prove nothing.
  if (seeds < 500 || failed > 0) return;
  EXPECT_GT(all.crashes, seeds / 4);
  EXPECT_GT(all.judged, seeds);
  for (const char* plot :
       {"done beside the writers", "buckets listed", "verified", "claimed beside the writers", "repaired",
        "damaged: missing", "damaged: extra", "damaged: differs", "damaged in mid-pass"})
    EXPECT_GT(all.plots[plot], seeds / 50) << plot;
}

TEST(VerifySimulation, ASeedReplaysExactly) {
  for (std::uint64_t seed = base_seed(); seed < base_seed() + 20; ++seed)
    EXPECT_EQ(tell(seed).trace_hash, tell(seed).trace_hash) << seed;
}

// ------------------------------------------------------------------------------------------ mutations

constexpr std::uint64_t kMostSeeds = 10'000;

void expect_wrong_end(const jobs::VerifyFaults& faults) {
  simulation::expect_wrong_end(kMostSeeds, [&](std::uint64_t seed) { return tell(seed, faults); });
}

TEST(VerifyMutation, SoundStoriesEndRight) {
  expect_right_ends(50, [](std::uint64_t seed) { return tell(seed); });
}

// Rule 17.
TEST(VerifyMutation, WhatDisagreesOnceIsNoDifference) { expect_wrong_end({.judge_at_once = true}); }

// Rule 17.
TEST(VerifyMutation, AKeysEntryIsWaitedFor) { expect_wrong_end({.judge_unapplied = true}); }

// Rule 17.
TEST(VerifyMutation, TheSourceIsReadTwice) { expect_wrong_end({.judge_once_read = true}); }

// Rule 18.
TEST(VerifyMutation, WhatIsWrittenMeanwhileIsJudged) { expect_wrong_end({.touched_not_judged = true}); }

// Rule 18.
TEST(VerifyMutation, WhatIsNotCapturedYetIsWaitedFor) { expect_wrong_end({.touched_uncaptured = true}); }

// Rule 17.
TEST(VerifyMutation, WhatIsForgottenIsToldToTheJudge) { expect_wrong_end({.touch_forgotten_unseen = true}); }

int replay(std::uint64_t seed) {
  const VerifyStory story = tell(seed);
  fmt::print("{}seed {}: {} processes, {} crashes, {} steps, trace {:016x}\n", story.course, seed,
             story.lives, story.crashes, story.steps, story.trace_hash);
  for (const auto& [plot, times] : story.plots) fmt::print("  {} {}\n", times, plot);
  fmt::print("{}", story.text());
  return story.violations.empty() ? 0 : 1;
}

}  // namespace
}  // namespace messina::simulation

int main(int argc, char** argv) {
  return messina::simulation::run_or_replay(argc, argv, messina::simulation::replay);
}
