// One run over many tables: threads that take one table after the other from start to end. Private to
// many_*.cc.
#pragma once
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <semaphore>
#include <string>
#include <vector>

#include "cli/choose_tables.h"
#include "cli/copy_job.h"
#include "cli/flags.h"
#include "cli/session.h"
#include "cli/watch.h"
#include "console/control.h"
#include "jobs/live_tables.h"
#include "jobs/migrate.h"
#include "jobs/reread_rejects.h"
#include "jobs/shared_budgets.h"
#include "jobs/table_runs.h"
#include "plan/draft.h"
#include "state/spool.h"

namespace messina::cli {

/// Tables that are prepared (state opened, tables described and made) beside those that copy, so that one is
/// ready whenever a turn is free. Small tables take longer to prepare than to copy.
inline constexpr std::size_t kPreparedAhead = 12;

/// What the tables of a live run share beside the budgets.
struct LiveRun {
  LiveRun(const LiveFlags& live_flags, const jobs::Roles& live_roles, const plan::LivePlan& plan,
          std::size_t tables, std::size_t at_once);

  LiveFlags flags;
  jobs::Roles roles;
  std::size_t tables;
  std::shared_ptr<state::SpoolMemory> spool_memory;
  // By table; those that are joined belong to the loop that answers the sockets.
  std::deque<jobs::RejectRetries> retries;
  std::deque<jobs::VerifyDesk> verify_desks;
  std::vector<console::Joinable> joinables;
  jobs::CopyTurns turns;
  jobs::InStepTogether together;
  std::counting_semaphore<> preparing;  ///< all run at once, but not all may ask and make at once
};

class ManyRuns {
 public:
  using Work = jobs::TableOutcome (ManyRuns::*)(std::size_t);

  ManyRuns(Session& session, const plan::ManyTables& many, Sides& sides, TablesToRun tables,
           std::size_t loops);

  /// Serves --listen's pages from now on. Errors: config (the port cannot be had).
  Result<void> listen(const ListenAt& at, std::chrono::milliseconds stalled_after);

  /// Before run(migrate_table).
  void go_live(const LiveFlags& flags, const jobs::Roles& roles);

  /// `work` does one table and never throws away what it began.
  void run(Work work);

  jobs::TableOutcome copy_table(std::size_t index);
  jobs::TableOutcome migrate_table(std::size_t index);
  jobs::TableOutcome make_table(std::size_t index);
  std::vector<jobs::TableOutcome> outcomes() const { return runs_.outcomes(); }

 private:
  void serve(Work work);
  jobs::TablesProgress progress();
  /// What the socket of table `index` is asked.
  Result<console::ControlAnswer> obey(std::size_t index, const console::ControlRequest& request,
                                      const std::string& by);
  /// Runs `work` under the lock of the table's migration, and keeps how it ended for `status`.
  jobs::TableOutcome in_state(std::size_t index,
                              jobs::TableOutcome (ManyRuns::*work)(std::size_t, OpenedState&));
  jobs::TableOutcome copy_in(std::size_t index, OpenedState& opened);
  jobs::TableOutcome migrate_in(std::size_t index, OpenedState& opened);

  /// A table that is begun: it shows, and can be steered.
  struct Begun {
    jobs::ProgressBoard* board = nullptr;
    jobs::Progress preparing;
    std::unique_ptr<net::LocalServer> socket;
    bool unclean = false;  ///< the former process left requests behind, maybe

    void publish(const char* phase) {
      preparing.phase = phase;
      board->publish(preparing);
    }
  };
  /// Errors: of the ledger and the folder.
  Result<Begun> begin(std::size_t index, const OpenedState& opened, const char* job);

  static jobs::TableOutcome failed(const Error& error);
  /// At once, since the end of the others may be hours away.
  void say_failure(const jobs::TableOutcome& outcome);
  void say_schema(const jobs::SchemaReport& report);

  Session& session_;
  const std::vector<plan::CopyPlan> plans_;
  const state::MigrationName places_;  ///< without tables
  Sides& sides_;
  const std::size_t loops_;
  const std::size_t parallel_;
  jobs::SharedBudgets budgets_;
  jobs::TableRuns runs_;
  std::unique_ptr<LiveRun> live_;
  net::EventLoop watch_loop_{"watch"};
  std::unique_ptr<net::HttpServer> pages_;
};

}  // namespace messina::cli
