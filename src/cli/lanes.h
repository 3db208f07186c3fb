// The event loops of a job and the endpoints on them.
#pragma once
#include <memory>
#include <vector>

#include "base/async.h"
#include "base/error.h"
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

/// Loops with their endpoints. Destroyed in the right order: endpoints before the loops they live on.
class Lanes {
 public:
  /// Errors: config (credentials, CA file), and what fetching temporary credentials may bring.
  static Result<std::unique_ptr<Lanes>> open(const plan::CopyPlan& plan, std::size_t loops);
  ~Lanes();

  std::vector<jobs::Lane>& lanes() { return lanes_; }
  net::EventLoop& first_loop() { return *loops_.front(); }
  jobs::Lane& first() { return lanes_.front(); }

 private:
  std::vector<std::unique_ptr<net::EventLoop>> loops_;
  std::vector<jobs::Lane> lanes_;
};

/// Describes a side with a few attempts only. A running job waits out an outage; a job that starts should say
/// at once that nobody answers.
Task<Result<endpoints::TableDescription>> first_contact(Loop& loop, endpoints::Endpoint& side, Stop* stop);

/// Both sides answer (the target may lack the table), they are not one table under two addresses, and the
/// renames and drops leave the source's key whole.
Task<Result<void>> check_contact(Loop& loop, jobs::Lane& lane, const item::TransformRules& rules, Stop* stop);

}  // namespace messina::cli
