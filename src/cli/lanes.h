// The event loops of a job and the endpoints on them.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/async.h"
#include "base/error.h"
#include "endpoints/dynamodb.h"
#include "endpoints/endpoint.h"
#include "item/transform.h"
#include "jobs/copy.h"
#include "net/event_loop.h"
#include "plan/plan.h"

namespace messina::cli {

/// More than these only when the user says so: a machine's cores are rarely ours alone.
inline constexpr std::size_t kMostLoops = 4;

/// 0: one a core, at most kMostLoops.
std::size_t loop_count(std::uint32_t asked);

/// The endpoints of a source's and a target's table on each loop. Gives them back on their loops when it
/// dies, which is on none of them.
class TableLanes {
 public:
  explicit TableLanes(std::vector<jobs::Lane> lanes) : lanes_(std::move(lanes)) {}
  TableLanes(TableLanes&&) = default;
  TableLanes& operator=(TableLanes&&) = delete;
  ~TableLanes();

  std::vector<jobs::Lane>& lanes() { return lanes_; }
  jobs::Lane& first() { return lanes_.front(); }

 private:
  std::vector<jobs::Lane> lanes_;
};

/// The loops, with each side's connections on them. Endpoints of any number of tables share both.
class Sides {
 public:
  /// Errors: config (credentials, CA file), what fetching temporary credentials may bring, and stopped: that
  /// may take a while, and `stop` ends it.
  static Result<std::unique_ptr<Sides>> open(const plan::CopyPlan& plan, std::size_t loops, Stop* stop);
  ~Sides();

  /// Endpoints for one table of each side; dies before this. The first lane is the one of loop `turn` (modulo
  /// their number), where the job itself runs. Any thread may ask.
  TableLanes table(const std::string& source, const std::string& target, std::size_t turn = 0);
  net::EventLoop& first_loop() { return *loops_.front().loop; }
  /// That the loops have used so far, together. Any thread may ask.
  std::chrono::nanoseconds cpu_time() const;

 private:
  /// Makes one side's endpoint for a table on a loop, with the connections that it shares there.
  using Maker =
      std::function<endpoints::Endpoint(net::EventLoop&, const std::string& table, endpoints::SharedPools&)>;
  struct LoopOfSides {
    std::unique_ptr<net::EventLoop> loop;
    endpoints::SharedPools source, target;
  };
  static Task<void> drop_pools(LoopOfSides* of);

  Maker source_, target_;
  std::vector<LoopOfSides> loops_;
};

/// Loops with the endpoints of one table.
class Lanes {
 public:
  /// Errors: as of Sides::open().
  static Result<std::unique_ptr<Lanes>> open(const plan::CopyPlan& plan, std::size_t loops, Stop* stop);
  Lanes(std::unique_ptr<Sides> sides, TableLanes table)
      : sides_(std::move(sides)), table_(std::move(table)) {}

  std::vector<jobs::Lane>& lanes() { return table_.lanes(); }
  net::EventLoop& first_loop() { return sides_->first_loop(); }
  std::chrono::nanoseconds cpu_time() const { return sides_->cpu_time(); }
  jobs::Lane& first() { return table_.first(); }

 private:
  std::unique_ptr<Sides> sides_;
  TableLanes table_;  // dies first
};

/// Describes a side with a few attempts only. A running job waits out an outage; a job that starts should say
/// at once that nobody answers.
Task<Result<endpoints::TableDescription>> first_contact(Loop& loop, endpoints::Endpoint& side, Stop* stop);

/// Both sides answer (the target may lack the table), they are not one table under two addresses, and the
/// renames and drops leave the source's key whole. Says what the source is.
Task<Result<endpoints::TableDescription>> check_contact(Loop& loop, jobs::Lane& lane,
                                                        const item::TransformRules& rules, Stop* stop);

}  // namespace messina::cli
