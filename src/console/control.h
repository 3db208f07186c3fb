// What commands say to a running job and what it answers: one JSON object a line, through the socket in the
// migration's folder. docs/operate/control-socket.md describes it for others. Pure.
//
//   {"v":1,"do":"status"}                            {"v":1,"ok":true,"snapshot":{…}}
//   {"v":1,"do":"pause"}   {"v":1,"do":"resume"}     {"v":1,"ok":false,"message":"…"}
//   {"v":1,"do":"set","rcu":8000,"concurrency":"auto"}
//   {"v":1,"do":"retry-rejects"}                     {"v":1,"ok":true,"snapshot":{…},"retry":{…}}
//   {"v":1,"do":"join","roles":["copy"],"intoExisting":true}
//                                                    {"v":1,"ok":true,"snapshot":{…},"wish":1}
//   {"v":1,"do":"verify","sample":0.01}              {"v":1,"ok":true,"snapshot":{…},"verify":{…}}
//   {"v":1,"do":"pause","tables":"all"}              {"v":1,"ok":true,"snapshot":{…},"run":{…}}
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "jobs/progress.h"
#include "jobs/reread_rejects.h"
#include "jobs/shared_budgets.h"
#include "jobs/steering.h"
#include "jobs/tables_progress.h"
#include "jobs/verify_desk.h"

namespace messina::console {

/// Of the protocol. A request of another version is refused.
inline constexpr int kControlVersion = 1;
/// The socket's file in the migration's folder.
inline constexpr const char* kControlSocket = "control.sock";

inline constexpr double kMostReadRcu = 1e9;
inline constexpr std::uint32_t kMostWriteConcurrency = 1'000'000;

/// A setting's new value; nullopt: "auto", back to what the process was started with.
template <class T>
using NewValue = std::optional<T>;

struct ControlRequest {
  enum class Verb : std::uint8_t { status, pause, resume, set, retry_rejects, join, verify, cancel_verify };
  Verb verb = Verb::status;
  std::optional<NewValue<double>> rcu;                 ///< with `set`: > 0, at most kMostReadRcu
  std::optional<NewValue<std::uint32_t>> concurrency;  ///< with `set`: 1 to kMostWriteConcurrency
  /// For all tables of the process, those that will begin, too; `set` then sets what they may take together.
  /// A process with one table takes it for that one.
  bool all_tables = false;
  jobs::RoleWish wish = {};  ///< with `join`: at least one role; its number is the process's to give
  /// With `verify`; its keys are in a file, since a line of the protocol is short.
  jobs::VerifyWish verify = {};
  std::string keys_file = {};  ///< absolute path of what the process reads itself; empty: none
};

std::string control_request(const ControlRequest& request);
/// ErrorKind::usage, saying what is wrong: no JSON object, another version, an unknown member, a value out of
/// range, a `set` that sets nothing.
Result<ControlRequest> parse_control_request(std::string_view line);

/// "rcu=8000, concurrency=auto"; "paused", "resumed"; "asked for copy, apply"; empty for `status`.
std::string describe(const ControlRequest& request);
/// What pause, resume and set say.
void apply(const ControlRequest& request, jobs::Steering& steering, const jobs::Hand& hand);
/// What a live migration knows for those who join it. Of its control loop.
struct Joinable {
  bool skips_expired = false;  ///< its capture leaves deletes by TTL out
};
/// A `join` for a process that stands as `now`; `joinable`: null where it only copies. Returns the wish's
/// number (of a former wish where nothing is new), 0 if the process does all of that already. needs_person,
/// saying why, where it cannot do that.
Result<std::uint64_t> join(const ControlRequest& request, jobs::Steering& steering, const jobs::Progress& now,
                           Joinable* joinable, const jobs::Hand& hand);
/// What a request for all tables sets for them together; each table's own settings are set beside it.
void apply(const ControlRequest& request, jobs::SharedBudgets& budgets, MonoTime now);
/// "anna (uid 1000, pid 4711)", or "uid 1000, pid 4711" where the uid has no name.
std::string asker(const std::optional<std::string>& user, std::uint32_t uid, std::int64_t pid);

/// The run over many tables that the asked table belongs to.
struct RunOfTables {
  std::uint64_t tables = 0, done = 0, failed = 0, running = 0, waiting = 0;
  std::optional<double> read_budget_rcu_per_s;  ///< of all together; absent: no limit
  std::uint64_t write_concurrency = 0;          ///< of all together
  /// Source tables, in answers to requests for all tables only.
  std::vector<std::string> running_names, waiting_names;
  bool operator==(const RunOfTables&) const = default;
};
RunOfTables run_of(const jobs::TablesProgress& progress, bool with_names);

struct ControlAnswer {
  jobs::Progress snapshot;         ///< of the table whose socket was asked
  std::optional<RunOfTables> run;  ///< absent: the process copies one table
  std::uint64_t wish = 0;          ///< of a `join`: see join()
  /// Of `retry_rejects`: absent where the process does not do that. A client asks for the status until
  /// `done` has reached the `asked` of its own request.
  std::optional<jobs::RejectRetries::Answer> retry = {};
  /// The same of `verify`, which is numbered by its `asked`.
  std::optional<jobs::VerifyDesk::Answer> verify = {};
};
/// What an error is here that a process of its own would have ended with so.
ErrorKind kind_of(ExitCode exit);

std::string control_answer(const ControlAnswer& answer);
std::string control_refusal(std::string_view message);
/// Errors: usage (it was refused, with its message), corrupt (no such answer).
Result<ControlAnswer> parse_control_answer(std::string_view line);

}  // namespace messina::console
