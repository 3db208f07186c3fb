// Who of many tables runs when, and what became of each. Thread-safe; does no I/O and waits for nothing but a
// turn.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "jobs/progress_board.h"
#include "jobs/rate_window.h"
#include "jobs/steering.h"
#include "jobs/table_outcome.h"
#include "jobs/tables_progress.h"

namespace messina::jobs {

/// Hands the tables out in their order to the threads that prepare them, lets `parallel` of them copy at
/// once, and keeps their progress, their settings and their ends.
class TableRuns {
 public:
  struct Table {
    std::string source, target;
    double weight = 1;                                     ///< see table_weights()
    std::string source_address = {}, target_address = {};  ///< canonical
  };
  /// `clock` outlives it.
  TableRuns(std::vector<Table> tables, std::uint32_t parallel, const Clock& clock);

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

  /// What a person changes on table `index`; may be set before it is begun.
  Steering& steering(std::size_t index) { return runs_.at(index)->steering; }
  /// For every table that has not ended: those that run, and those that will.
  void steer_all(const std::function<void(Steering&)>& change);

  /// Table `index`, with its settings as they are now, which its job may not have looked at yet.
  Progress snapshot(std::size_t index) const;
  /// All but the limits of all tables together, which are not known here.
  TablesProgress progress();
  /// When all have ended; those that were never handed out are not_begun.
  std::vector<TableOutcome> outcomes() const;

 private:
  struct Run {
    explicit Run(const Clock& clock) : board(clock) {}
    Table table;
    ProgressBoard board;
    Steering steering;
    bool running = false;
    state::Counts before;
    std::shared_ptr<const EndedTable> ended;
  };
  static Progress snapshot(const Run& run);
  void give_back_turn();

  const Clock& clock_;
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
