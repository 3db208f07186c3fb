// What a job keeps of itself so that it never loses its place: the interface that jobs see.
//
// Contract of crash order: a commit is atomic. When commit() has returned, its contents survive kill -9 and
// power cuts; before that, either all of it or none of it does; commits become durable in the order in which
// they were made.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/async.h"
#include "base/error.h"
#include "state/live_record.h"
#include "state/spool_stamp.h"

namespace messina::state {

/// Counts of a unit or a whole job. read == written + rejected + in flight; equal at the end of each page.
struct Counts {
  std::uint64_t pages = 0;
  std::uint64_t read_items = 0;
  std::uint64_t read_bytes = 0;  ///< bytes of raw records
  std::uint64_t written_items = 0;
  std::uint64_t rejected_items = 0;
  double rcu = 0;
  double wcu = 0;
  Counts& operator+=(const Counts& other);
  bool operator==(const Counts&) const = default;
};

enum class UnitState : std::uint8_t { pending, skipped, done };

/// A unit of work as the ledger has it.
struct UnitRecord {
  std::string id;  ///< unique within the job
  std::string spec;
  UnitState state = UnitState::pending;
  std::string cursor;  ///< where to go on; empty: from the start
  Counts counts;
  bool operator==(const UnitRecord&) const = default;
};

/// An item that the target refused, with its original bytes (PROTOCOL rule 7).
struct Reject {
  std::uint64_t id = 0;  ///< given by the store
  std::string unit;      ///< id of the job's unit that read it; empty: a change, refused when it was applied
  std::string reason;    ///< the server's message
  std::string code;      ///< the server's error code
  std::string item;      ///< raw DynamoDB JSON as it was read from the source (before renames); the key alone
                         ///< where a removal was refused
  std::int64_t at_unix_ms = 0;
  bool live = true;  ///< false once a later write of its key was acknowledged
  /// item::key_bytes of it in the source's table, by which Commit::settled_keys finds it. Kept while it is
  /// live; empty where an older messina recorded it.
  std::string key = {};
  bool operator==(const Reject&) const = default;
};

/// Pinned when the job begins; a later run with another value needs a person.
struct JobIdentity {
  std::string source;  ///< display of the source
  std::string target;
  std::string source_table_id;  ///< a table made again under its old name has another id
  std::string target_table_id;
  std::string plan_fingerprint;  ///< of everything that changes what is written: renames, drops, segments,
                                 ///< skipSegments
  bool operator==(const JobIdentity&) const = default;
};

enum class JobPhase : std::uint8_t {
  planned,  ///< there are no units yet: changes are captured, or will be
  copying,
  done,
};

struct JobState {
  JobIdentity identity;
  JobPhase phase = JobPhase::planned;
  std::vector<UnitRecord> units;  ///< in the order in which they are to run
  /// Units before this index may have requests on the wire after a crash; those at or after it were never
  /// begun. Reserved in blocks ahead of use, so that beginning a unit need not wait for a commit.
  std::uint64_t begun_limit = 0;
  /// Wall time of the last commit of a running process; nullopt after a clean end. A process that finds a
  /// value here follows an unclean end (PROTOCOL rule 3).
  std::optional<std::int64_t> heartbeat_unix_ms;
  std::optional<std::string>
      source_ttl_attribute;  ///< recorded for the cutover, not enabled (PROTOCOL rule 19)
  std::uint64_t live_rejects = 0;
  std::int64_t created_unix_ms = 0;
  std::string snapshot_json;        ///< last progress snapshot, for `status`
  std::optional<SpoolStamp> spool;  ///< the spool as of the last commit that told (PROTOCOL rule 10)
  LiveRecord live;                  ///< changed by commits alone
  bool operator==(const JobState&) const = default;
};

/// One atomic step forward.
struct Commit {
  struct UnitStep {
    std::size_t unit = 0;  ///< index into JobState::units
    std::string cursor;    ///< the newest position
    UnitState state = UnitState::pending;
    Counts delta;
  };
  std::vector<UnitStep> steps;
  std::vector<Reject> rejects;
  /// Keys that were written since: their rejects are live no more. Together with `rejects`: first these.
  std::vector<std::string> settled_keys;
  std::optional<std::uint64_t> begun_limit;
  std::optional<JobPhase> phase;
  std::int64_t heartbeat_unix_ms = 0;  ///< set in every commit of a running job
  bool clean_end = false;     ///< clears the heartbeat: no request of this process is on the wire any more
  std::string snapshot_json;  ///< empty: leave the last one
  std::optional<SpoolStamp>
      spool;  ///< taken from the spool before this commit is made; none: leave the last one
  std::optional<LiveRecord> live;  ///< in place of the last one, but for its history_epoch; none: leave it
};

/// Which rejects, in the order of their ids. Items have up to 400 KB each, so ask for as many as memory
/// allows.
struct RejectFilter {
  bool live_only = true;
  std::optional<std::uint64_t> after_id;
  std::size_t limit = 1000;  ///< 1..100,000
};

/// The job's side of the ledger. Calls run one after another, in the order in which they were made.
class JobStore {
 public:
  virtual ~JobStore() = default;
  /// nullopt when nothing was begun yet.
  virtual Task<Result<std::optional<JobState>>> load() = 0;
  /// Begins a job: replaces whatever was there (the caller has asked for --restart, or load() found nothing
  /// planned), but for the live record and the spool's stamp, which stay; of `fresh.live` the history_epoch
  /// counts. Where units are skipped, rejects stay as well, as kept_by_begin() says.
  virtual Task<Result<void>> begin(const JobState& fresh) = 0;
  virtual Task<Result<void>> commit(const Commit& step) = 0;
  /// Reject::key of all live rejects that have one.
  virtual Task<Result<std::vector<std::string>>> live_reject_keys() = 0;
  virtual Task<Result<std::vector<Reject>>> rejects(const RejectFilter& filter) = 0;
};

/// Of the former job's rejects, those that a begin() keeps: live ones of changes, if units of `fresh` are
/// skipped, since history does not bring all of their keys again. They become its live_rejects.
std::vector<Reject> kept_by_begin(const JobState& fresh, std::vector<Reject> former);
bool skips_units(const JobState& job);

/// Applies a commit to a state in memory, without its settled_keys: a state does not know its rejects. Steps
/// count in their order; several of one unit add up. Throws std::out_of_range if a step names no unit.
void apply(JobState& state, const Commit& step);
/// The whole meaning of commit(); the simulation's store and the ledger's tests share it.
void apply(JobState& state, std::vector<Reject>& rejects, const Commit& step);

}  // namespace messina::state
