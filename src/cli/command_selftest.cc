#include <algorithm>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/lanes.h"
#include "cli/load_plan.h"
#include "console/events.h"
#include "console/summary.h"
#include "jobs/selftest.h"
#include "plan/text.h"
#include "plan/uri.h"

namespace messina::cli {
namespace {

/// The address has no table: selftest makes its own, and touches no other.
Result<plan::EndpointSpec> selftest_side(Flags& flags, const std::string& table) {
  const std::string& given = flags.source;
  if (given.empty())
    return fail(ErrorKind::usage,
                "selftest needs an address without a table, as alternator://HOST:PORT or dynamodb://REGION");
  const std::size_t authority = given.find("://");
  const std::size_t slash = authority == std::string::npos ? authority : given.find('/', authority + 3);
  if (slash != std::string::npos && slash + 1 < given.size())
    return fail(ErrorKind::usage,
                fmt::format("selftest makes a table of its own: leave {} out of the address",
                            plan::shown(given.substr(slash))));
  auto address = plan::parse_uri(given.substr(0, slash) + "/" + table, "target");
  if (!address) return fail(address.error());
  flags.draft.target.address = std::move(*address);
  flags.draft.target.address_from = "the command line";
  auto spec = plan::make_side(flags.draft.target, {}, "target", process_environment(), read_file);
  if (!spec) return spec;
  if (auto resolved = resolve_aws(*spec, "target"); !resolved) return fail(resolved.error());
  if (plan::is_real_aws(*spec) && !flags.draft.allow_write_aws.value_or(false))
    return fail(
        ErrorKind::usage,
        "this makes a temporary table on AWS, writes about 4 MB into it and deletes it, for a few cents: add "
        "--allow-write-aws if you mean it");
  return spec;
}

/// Whether the server can be talked to at all: one sentence instead of a row of failures.
Task<Result<void>> check_contact_once(Session* session, Lanes* lanes) {
  const Result<endpoints::TableDescription> there =
      co_await first_contact(lanes->first_loop(), lanes->first().source, &session->stop());
  if (there || there.error().kind == ErrorKind::not_found) co_return Result<void>();
  co_return fail(there.error());
}

}  // namespace

ExitCode run_selftest(Session& session, Flags& flags) {
  Random random(entropy_seed());
  const std::string table = jobs::selftest_table_name(random);
  const auto spec = selftest_side(flags, table);
  if (!spec) return session.failed(spec.error());
  plan::CopyPlan plan;
  plan.source = plan.target = *spec;
  auto lanes = Lanes::open(plan, 1, &session.stop());
  if (!lanes) return session.failed(lanes.error());
  Loop& loop = (*lanes)->first_loop();
  if (auto contact = net::run_on(loop, check_contact_once(&session, lanes->get())); !contact)
    return session.failed(contact.error());

  jobs::SelftestContext context;
  context.loop = &loop;
  context.stop = &session.stop();
  context.random = random.fork();
  context.table = &(*lanes)->first().source;
  context.again = &(*lanes)->first().target;
  jobs::SelftestOptions options;
  options.alternator = spec->kind == plan::EndpointKind::alternator;
  const auto say = [&session](const jobs::SelftestCheck& check) {
    session.result(console::selftest_text(check), console::selftest_event(session.clock().wall(), check));
  };
  const auto checks = net::run_on(loop, jobs::selftest(context, options, say));
  const auto failures =
      std::ranges::count(checks, jobs::SelftestCheck::State::failed, &jobs::SelftestCheck::state);
  if (session.stop().requested())
    return session.failed({ErrorKind::stopped, "stopped before all was tried; the temporary table is gone"});
  return failures == 0 ? ExitCode::done : ExitCode::done_with_rejects;
}

}  // namespace messina::cli
