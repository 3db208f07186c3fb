// Asks both sides everything that `messina check` judges, by real calls that change nothing.
#pragma once
#include "base/async.h"
#include "endpoints/endpoint.h"
#include "jobs/check_facts.h"

namespace messina::jobs {

/// Fills in what was seen of the source and of the target, one after the other; `facts` holds what the plan
/// says, and perhaps what SideFacts::share() took over: that is not asked again. Each call is tried a few
/// times where that may help. When a side does not answer at all, nothing more is asked of it. Ends early
/// after `stop`, with what was seen until then.
Task<void> probe(Loop& loop, endpoints::Endpoint& source, endpoints::Endpoint& target, CheckFacts* facts,
                 Stop* stop);

}  // namespace messina::jobs
