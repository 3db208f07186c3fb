// Who of many tables runs when, and what became of each. Thread-safe; does no I/O and waits for nothing but a
// turn.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "jobs/progress_board.h"
#include "jobs/rate_window.h"
#include "jobs/tables_progress.h"

namespace messina::jobs {

enum class TableEnd : std::uint8_t {
  not_begun,     ///< the run was stopped before its turn
  done,          ///< by this run
  already_done,  ///< by a former one
  made,          ///< `schema`: the target's table
  was_there,     ///< `schema`: and nothing had to be done
  stopped,
  failed,
};
std::string_view to_string(TableEnd end);

struct TableOutcome {
  std::string source, target;  ///< tables' names
  TableEnd end = TableEnd::not_begun;
  state::Counts counts;
  std::uint64_t live_rejects = 0;
  double elapsed_s = 0;
  std::optional<Error> error;  ///< when it failed or was stopped

  ExitCode exit() const;
};

/// The worse of two: needs_person, wrong_usage, stopped, done_with_rejects, done. What a person has to see to
/// goes before what the next run cures by itself.
ExitCode worse(ExitCode a, ExitCode b);
/// The worst of all; done when there are none.
ExitCode worst(const std::vector<TableOutcome>& outcomes);

/// Hands the tables out in their order to the threads that prepare them, lets `parallel` of them copy at
/// once, and keeps their progress and their ends.
class TableRuns {
 public:
  struct Table {
    std::string source, target;
    double weight = 1;  ///< see table_weights()
  };
  TableRuns(std::vector<Table> tables, std::uint32_t parallel, MonoTime now);

  /// The next table to prepare; nullopt when none is left.
  std::optional<std::size_t> next();

  /// The right to copy. Ends when it dies.
  class Turn {
   public:
    explicit Turn(TableRuns* runs) : runs_(runs) {}
    Turn(Turn&& other) noexcept : runs_(std::exchange(other.runs_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (runs_ != nullptr) runs_->give_back_turn();
    }

   private:
    TableRuns* runs_;
  };
  /// Waits for a turn: first come, first served. A table `beyond` the count gets one at once: it has to wait
  /// out a former process's requests, and would only keep others from running meanwhile.
  Turn take_turn(bool beyond);

  /// Where table `index` publishes its progress from now on. `before`: what former runs have done of it.
  ProgressBoard& begin(std::size_t index, const state::Counts& before);
  void end(std::size_t index, TableOutcome outcome);

  TablesProgress progress(MonoTime now);
  /// When all have ended; those that were never handed out are not_begun.
  std::vector<TableOutcome> outcomes() const;

 private:
  struct Run {
    Table table;
    ProgressBoard board;
    bool running = false;
    state::Counts before;
    std::optional<TableOutcome> outcome;
  };
  void give_back_turn();

  mutable std::mutex mutex_;
  std::condition_variable turn_free_;
  std::vector<std::unique_ptr<Run>> runs_;
  std::size_t next_ = 0;
  std::int64_t turns_;
  std::uint64_t next_place_ = 0, served_ = 0;
  double total_weight_ = 0;
  const MonoTime started_;
  RateWindow rates_;
  state::Counts newest_;  ///< of this run alone
  std::optional<double> first_share_;
};

}  // namespace messina::jobs
