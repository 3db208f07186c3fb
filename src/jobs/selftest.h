// What messina relies on in a server of DynamoDB's API, tried on a temporary table.
//
// The same checks run in the project's own tests against messina-sim, dynalite and moto, and by
// `messina selftest` against a real DynamoDB or ScyllaDB.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/async.h"
#include "base/random.h"
#include "endpoints/endpoint.h"

namespace messina::jobs {

struct SelftestOptions {
  bool alternator = false;  ///< Alternator's limits: batches of 100, no limit of 400 KB an item
  Duration wait_for_table = std::chrono::minutes(5);  ///< for it to become active, and to be gone
};

/// Both endpoints are of the temporary table, which must not exist; the second one is another client of it,
/// as a process that goes on where one ended.
struct SelftestContext {
  Loop* loop = nullptr;
  Stop* stop = nullptr;
  Random random{0};
  endpoints::Endpoint* table = nullptr;
  endpoints::Endpoint* again = nullptr;
};

struct SelftestCheck {
  enum class State : std::uint8_t { passed, failed, skipped } state = State::passed;
  std::string name;  ///< "all types come back equal"
  std::string why;   ///< of a failure or a skip
};

/// "passed", "failed", "skipped".
std::string_view to_string(SelftestCheck::State state);

/// Names a table that nobody else has: "messina_selftest_1f0c…".
std::string selftest_table_name(Random& random);

/// Makes the table, tries everything (about 4 MB are written and read five times), and deletes the table
/// again, also after failures and a stop. `said` hears of each check as it ends. Where the table cannot be
/// made, everything after it is skipped. The last check is the table's end: if that failed, a table is left
/// behind.
Task<std::vector<SelftestCheck>> selftest(SelftestContext& context, const SelftestOptions& options,
                                          const std::function<void(const SelftestCheck&)>& said);

}  // namespace messina::jobs
