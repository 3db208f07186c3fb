// What live migrations of one run share beside budgets: whose turn it is to copy, and whether all are in
// step.
#pragma once
#include <cstddef>
#include <mutex>
#include <set>
#include <vector>

namespace messina::jobs {

/// Of many tables that capture at once only some copy at once: those of the smallest index that wait go
/// first. Asked again and again, since a table that waits for its turn must be able to stop. Thread-safe.
class CopyTurns {
 public:
  /// `at_once`: at least 1.
  explicit CopyTurns(std::size_t at_once) : free_(at_once) {}

  /// True: it has the turn until give_back(). False: it waits, and is to ask again.
  bool ask(std::size_t index);
  /// It waits no more, without having had its turn.
  void leave(std::size_t index);
  void give_back();

 private:
  std::mutex mutex_;
  std::size_t free_;
  std::set<std::size_t> waiting_;
};

/// Ends a run over many tables when all of them are in step at one time, not each when it is: the first would
/// have fallen behind before the last arrives. Thread-safe.
class InStepTogether {
 public:
  explicit InStepTogether(std::size_t tables) : ready_(tables, false), missing_(tables) {}

  /// What table `index` finds of itself. True once all have been ready at one time: then each may end as soon
  /// as it is ready itself.
  bool report(std::size_t index, bool ready);
  /// It has ended; the others no longer wait for it.
  void left(std::size_t index) { report(index, true); }

 private:
  std::mutex mutex_;
  std::vector<bool> ready_;
  std::size_t missing_;
  bool met_ = false;
};

}  // namespace messina::jobs
