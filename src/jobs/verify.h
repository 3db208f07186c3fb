// Verify: proves that the target has what the source has, while both are written to (PROTOCOL rules 17, 18).
//
// Forward, each page of the source is looked up on the target and compared. Backward, the keys of both sides
// are added up in buckets (item/key_digest.h): the source's while its pages are read, the target's by a scan
// of its keys. Where a bucket differs, and keys that were written meanwhile cannot explain it, the target's
// keys of it are looked up in the source. Whatever disagrees is a suspect; only the judge (verify_judge.cc)
// makes a difference of it. Beside a live migration it waits until the changes of the time are applied, and
// reads source, target and source again; and it judges each key that was put into the spool since the
// verification began.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/async.h"
#include "base/error.h"
#include "base/random.h"
#include "item/transform.h"
#include "jobs/budgets.h"
#include "jobs/copy.h"
#include "jobs/live_ledger.h"
#include "jobs/progress_board.h"
#include "jobs/shared_budgets.h"
#include "jobs/steering.h"
#include "jobs/verify_record.h"
#include "pace/capacity_share.h"
#include "state/spool_store.h"
#include "state/verify_store.h"

namespace messina::jobs {

struct VerifyRun;  // jobs/verify_run.h

/// PROTOCOL rule 17: what was read of the source at `t` is judged when everything that was written before `t`
/// and this much was captured. What an Alternator's streams are late by is counted in by whoever tells.
inline constexpr Duration kCapturedAfter = std::chrono::seconds(5);
/// How often a key is judged that is written to each time, before it counts as unsettled.
inline constexpr std::uint32_t kMostJudgements = 5;
/// Raw items that a process keeps for `diff`, together; of differences beyond that, the keys and places are
/// kept.
inline constexpr std::uint64_t kMostKeptItemBytes = 256u << 20;

/// Rules that a mutation test removes.
struct VerifyFaults {
  bool judge_at_once = false;            ///< without rule 17: what disagrees is different
  bool judge_unapplied = false;          ///< without rule 17's wait for the key's entry
  bool judge_once_read = false;          ///< without rule 17's second read of the source, and its generation
  bool touched_not_judged = false;       ///< without rule 18: what was written meanwhile is not judged
  bool touched_explain_nothing = false;  ///< with them in the digests
  bool touched_uncaptured = false;       ///< with what is not captured yet left out
  bool touch_forgotten_unseen = false;   ///< without a word to the judge, who then takes the key for unmoved
};

/// What was found different is made equal: each key becomes a re-read mark for the applier, and is then
/// judged again.
struct RepairOptions {
  bool delete_extra = false;  ///< keys that only the target has, too
  /// More deletes than that are for a person; absent: kMostDeletedShare of the keys that were compared.
  std::optional<std::uint64_t> max_deletes;
  bool operator==(const RepairOptions&) const = default;
};
inline constexpr double kMostDeletedShare = 0.01;

/// Only tests set other values.
struct VerifyTuning {
  Duration commit_period = std::chrono::milliseconds(200);
  /// Hashes of a side's keys that may wait for a commit as they are. More are added up: their digest is no
  /// longer however many they are, and is written as a whole, which is the cheaper the more went into it.
  std::size_t waiting_hashes = (4u << 20) / sizeof(Uint128);
};

struct VerifyOptions {
  item::TransformRules transform;
  VerifyScope scope;
  std::vector<std::string> keys;  ///< with scope.keys_alone: item::key_text of the source's keys
  bool restart = false;           ///< forget the former verification's place
  /// Of what the former verification found; nothing else is compared. Only beside something that applies.
  std::optional<RepairOptions> repair;
  /// RCU of source and target that it may use, where there is no live migration's budget.
  pace::Wish read;
  std::optional<double> read_rcu_per_s;     ///< beside that: at most so many of the source
  std::uint32_t units_per_lane = 8;         ///< at work at once; >= 1
  std::optional<std::uint32_t> segments;    ///< of either side; absent: by its table's size
  std::uint64_t memory_bytes = 256u << 20;  ///< of pages and lookups in flight
  /// Goes on when the pass is done, judging each key that changes, until it is stopped.
  bool stays = false;
  VerifyTuning tuning;
  VerifyFaults faults;
};

/// The live migration beside it. All of it outlives the verification.
struct LiveBeside {
  state::SpoolStore* spool = nullptr;
  const LiveRejects* rejects = nullptr;
  /// See Capture::polled_since(); false where nothing is captured now.
  std::function<bool(MonoTime)> captured_since;
  /// What stands against calling anything verified: gaps, as it is now.
  std::function<std::vector<std::string>()> against;
};

/// All of it outlives the job.
struct VerifyContext {
  std::vector<Lane>* lanes = nullptr;  ///< at least one; the job itself runs on the first
  state::VerifyStore* store = nullptr;
  Stop* stop = nullptr;
  const Steering* steering = nullptr;                      ///< may be null: nobody pauses it
  SharedBudgets* shared = nullptr;                         ///< may be null
  ReadBudget* source_reads = nullptr;                      ///< a live migration's; null: one of its own
  std::atomic<std::uint64_t>* source_throttles = nullptr;  ///< counted for whoever sets that budget's rate
  const LiveBeside* live = nullptr;                        ///< null: nothing applies changes
  ProgressBoard* board = nullptr;                          ///< may be null: somebody else publishes figures()
  Random random{0};
};

/// How it stands; the counts are of the whole verification, former runs included.
struct VerifyFigures {
  VerifyRecord record;
  state::NoteCounts notes{};
  state::VerifyCounts forward, backward;    ///< backward: scans of keys, and lookups of listed buckets
  std::uint64_t units = 0, units_done = 0;  ///< of the present phase
  double items_per_s = 0;
  std::uint64_t retries = 0, throttles = 0;
  std::string waits_for;  ///< what holds it up, in words; empty: nothing
  bool staying = false;   ///< the pass is done, and it goes on judging

  std::uint64_t notes_of(state::Verdict verdict) const { return notes[static_cast<std::size_t>(verdict)]; }
  std::uint64_t differences() const;
  double source_rcu() const { return forward.source_rcu + backward.source_rcu + record.judging_source_rcu; }
  double target_rcu() const { return forward.target_rcu + backward.target_rcu + record.judging_target_rcu; }
};

VerifyProgress progress_of(const VerifyFigures& figures, bool running);
/// Of the part that is compared, as far as the source tells.
std::optional<std::uint64_t> expected_items(const VerifyRecord& record);
/// What is kept of a verification. Errors: corrupt.
Result<VerifyFigures> figures_of(const state::VerifyState& state);

/// What the target's indexes have against it, in words for people.
std::vector<std::string> against_indexes(const VerifyRecord& record);
/// What stands against "verified" now, in words for people; empty: it is.
std::vector<std::string> not_verified_because(const VerifyFigures& figures);

class Verify {
 public:
  Verify(VerifyContext context, VerifyOptions options);
  ~Verify();

  /// Until the pass is done, or the stop. Goes on where a former run of the same scope stopped. Errors:
  /// stopped, needs_person (a table was made again, too many deletes), config (nothing to repair was found
  /// yet), disk, and what a side answered for good.
  Task<Result<VerifyFigures>> run();

  /// Thread-safe.
  VerifyFigures figures() const;

 private:
  std::shared_ptr<VerifyRun> run_;
};

}  // namespace messina::jobs
