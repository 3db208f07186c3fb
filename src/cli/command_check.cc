#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include <fmt/format.h>

#include "cli/choose_tables.h"
#include "cli/commands.h"
#include "cli/copy_job.h"
#include "cli/load_plan.h"
#include "cli/machine.h"
#include "cli/many_tables.h"
#include "console/check_text.h"
#include "jobs/probe.h"
#include "plan/iam_policy.h"
#include "plan/uri.h"

namespace messina::cli {
namespace {

/// What a target is taken to take when nobody says: a small cluster's steady rate of writes.
constexpr double kAssumedThroughput = 50e6;
/// Tables that are asked about at once: a few, since AWS throttles its control plane by the account.
constexpr std::size_t kTablesAtOnce = 8;

jobs::SideFacts side_facts(const plan::EndpointSpec& spec, const endpoints::Endpoint& endpoint) {
  jobs::SideFacts facts;
  facts.display = endpoint.display;
  facts.table_name = spec.table;
  facts.region = spec.region;
  facts.alternator = spec.kind == plan::EndpointKind::alternator;
  facts.real_aws = plan::is_real_aws(spec);
  const bool https = spec.endpoint_url ? spec.endpoint_url->starts_with("https:") : true;
  facts.tls = facts.alternator ? spec.tls : https;
  facts.insecure_tls = spec.insecure_tls;
  facts.with_credentials = endpoint.inspect->with_credentials();
  return facts;
}

jobs::CheckFacts plan_facts(const plan::CopyPlan& plan, const jobs::Lane& lane) {
  jobs::CheckFacts facts;
  facts.source = side_facts(plan.source, lane.source);
  facts.target = side_facts(plan.target, lane.target);
  facts.source.paced_by_metrics = plan::reads_paced_by_metrics(plan);
  facts.target.paced_by_metrics = plan::writes_paced_by_metrics(plan);
  facts.transform = plan.transform;
  facts.schema = schema_options(plan);
  facts.makes_table = plan.schema == plan::SchemaMode::create;
  facts.into_existing = plan.into_existing;
  facts.allow_write_aws = plan.allow_write_aws;
  facts.same_address = plan::same_table(plan.source, plan.target);
  facts.gzip_requests = plan.target.gzip_requests;
  facts.read_rcu_per_s = plan.read_rcu_per_s;
  facts.read_share = plan.read_share;
  facts.write_wcu_per_s = plan.write_wcu_per_s;
  facts.write_share = plan.write_share;
  facts.eventually_consistent = plan.eventually_consistent;
  facts.clock_error = plan.clock_error;
  return facts;
}

Result<jobs::Prices> prices_of(const Flags& flags) {
  if (flags.prices_file.empty()) return jobs::built_in_prices();
  const auto text = read_file(flags.prices_file);
  if (!text) return fail(text.error());
  return jobs::parse_prices(*text);
}

void set_throughput(jobs::EstimateQuestion& question, const Flags& flags, const jobs::MachineFacts& machine) {
  question.throughput_bytes_per_s = kAssumedThroughput;
  if (flags.throughput_bytes_per_s) {
    question.throughput_bytes_per_s = static_cast<double>(*flags.throughput_bytes_per_s);
    question.throughput = jobs::Throughput::given;
  } else if (machine.measured_bytes_per_s) {
    question.throughput_bytes_per_s = *machine.measured_bytes_per_s;
    question.throughput = jobs::Throughput::measured;
  }
}

/// Asks both sides about one table. `known`: of another table; null: nothing is known yet. Any thread.
jobs::CheckFacts look_at(Session& session, const plan::CopyPlan& plan, jobs::Lane& lane,
                         const jobs::CheckFacts* known, std::size_t tables) {
  jobs::CheckFacts facts = plan_facts(plan, lane);
  if (known != nullptr) {
    facts.source.share(known->source);
    facts.target.share(known->target);
  }
  auto* loop = lane.loop;
  net::run_on(*loop, jobs::probe(*loop, lane.source, lane.target, &facts, &session.stop()));
  const auto& nodes = facts.target.nodes;
  facts.machine =
      look_at_machine(plan, nodes && *nodes ? std::max<std::size_t>(1, (*nodes)->size()) : 1, tables);
  return facts;
}

console::CheckReport report_of(const plan::CopyPlan& plan, const jobs::CheckFacts& facts) {
  console::CheckReport report;
  report.source = migration_name(plan).source;
  report.target = migration_name(plan).target;
  report.source_table = plan.source.table;
  report.target_table = plan.target.table;
  report.findings = jobs::judge(facts);
  report.made = jobs::what_is_made(facts);
  return report;
}

void say_findings(Session& session, const std::vector<jobs::Finding>& findings, const std::string& table) {
  if (!session.json()) return;
  for (const jobs::Finding& finding : findings)
    session.display().result(
        console::finding_event(session.clock().wall(), finding, finding.for_all ? std::string() : table) +
        "\n");
}

std::unexpected<Error> stopped() { return fail(ErrorKind::stopped, "stopped; nothing was changed"); }

ExitCode check_one(Session& session, const Flags& flags, const plan::CopyPlan& plan,
                   const jobs::Prices& prices) {
  auto lanes = Lanes::open(plan, 1, &session.stop());
  if (!lanes) return session.failed(lanes.error());
  const jobs::CheckFacts facts = look_at(session, plan, (*lanes)->first(), nullptr, 1);
  if (session.stop().requested()) return session.failed(stopped().error());
  console::CheckReport report = report_of(plan, facts);
  jobs::EstimateQuestion question = jobs::estimate_question(facts);
  set_throughput(question, flags, facts.machine);
  report.estimate = jobs::estimate(question, prices);
  say_findings(session, report.findings, report.source_table);
  session.result(console::check_text(report), console::check_event(session.clock().wall(), report));
  return report.exit();
}

/// What both sides say of each table. The first one's answers that hold for all are not asked for again.
std::vector<jobs::CheckFacts> look_at_all(Session& session, const std::vector<plan::CopyPlan>& plans,
                                          Sides& sides, const jobs::SideFacts& source_known,
                                          std::size_t open_at_once) {
  std::vector<jobs::CheckFacts> facts(plans.size());
  jobs::CheckFacts known;
  known.source = source_known;
  const auto look = [&](std::size_t i) {
    TableLanes lanes = sides.table(plans[i].source.table, plans[i].target.table);
    facts[i] = look_at(session, plans[i], lanes.first(), &known, open_at_once);
  };
  look(0);
  known = facts[0];
  std::atomic<std::size_t> next{1};
  const auto serve = [&] {
    for (std::size_t i; !session.stop().requested() && (i = next.fetch_add(1)) < plans.size();) look(i);
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < std::min(kTablesAtOnce, plans.size() - 1); ++i) threads.emplace_back(serve);
  for (std::thread& thread : threads) thread.join();
  return facts;
}

/// The tables in the order in which a copy would begin them.
std::vector<std::size_t> order_of(const plan::ManyTables& many, const std::vector<plan::ChosenTable>& chosen,
                                  const std::vector<jobs::CheckFacts>& facts) {
  std::vector<std::optional<std::uint64_t>> sizes;
  for (const jobs::CheckFacts& of : facts) sizes.push_back(jobs::estimate_question(of).bytes);
  return plan::order_tables(chosen, many.choice.order, sizes);
}

console::PlanReport report_all(const Flags& flags, const plan::ManyTables& many,
                               const std::vector<plan::ChosenTable>& chosen,
                               const std::vector<plan::CopyPlan>& plans,
                               const std::vector<jobs::CheckFacts>& facts, const jobs::Prices& prices) {
  console::PlanReport report;
  report.source = plan::canonical_uri(many.common.source);
  report.target = plan::canonical_uri(many.common.target);
  std::vector<jobs::EstimateQuestion> questions;
  std::vector<jobs::Estimate> estimates;
  std::vector<std::vector<jobs::Finding>> findings;
  for (const std::size_t i : order_of(many, chosen, facts)) {
    console::CheckReport table = report_of(plans[i], facts[i]);
    jobs::EstimateQuestion question = jobs::estimate_question(facts[i]);
    // What one table's copy was seen to move is not what the target takes of all.
    set_throughput(question, flags, {});
    table.estimate = jobs::estimate(question, prices);
    questions.push_back(std::move(question));
    estimates.push_back(table.estimate);
    findings.push_back(table.findings);
    jobs::Made counts = table.made;
    counts.lines.clear();
    report.made += counts;
    report.tables.push_back(std::move(table));
  }
  report.for_all = jobs::take_for_all(findings);
  for (std::size_t i = 0; i < findings.size(); ++i) report.tables[i].findings = std::move(findings[i]);
  report.estimate = jobs::estimate_all(questions, estimates, many.choice.parallel);
  return report;
}

ExitCode check_many(Session& session, const Flags& flags, const plan::ManyTables& many,
                    const jobs::Prices& prices) {
  auto sides = Sides::open(many.common, 1, &session.stop());
  if (!sides) return session.failed(sides.error());
  const auto chosen = chosen_tables(session, many, **sides);
  if (!chosen) return session.failed(chosen.error());
  std::vector<plan::CopyPlan> plans;
  for (const plan::ChosenTable& table : *chosen) {
    plans.push_back(plan::plan_for(many.common, many.choice, table));
    if (auto checked = plan::check_plan(plans.back()); !checked) return session.failed(checked.error());
  }
  jobs::SideFacts listing;
  if (many.choice.has_patterns()) listing.listed.emplace(plans.size());
  const auto facts =
      look_at_all(session, plans, **sides, listing, tables_at_once(plans.size(), many.choice.parallel));
  if (session.stop().requested()) return session.failed(stopped().error());
  const console::PlanReport report = report_all(flags, many, *chosen, plans, facts, prices);
  say_findings(session, report.for_all, "");
  for (const console::CheckReport& table : report.tables) {
    say_findings(session, table.findings, table.source_table);
    if (session.json()) session.display().result(console::check_event(session.clock().wall(), table) + "\n");
  }
  session.result(console::check_text(report), console::check_tables_event(session.clock().wall(), report));
  return report.exit();
}

}  // namespace

ExitCode run_check(Session& session, Flags& flags) {
  // It changes nothing: what may not be written to is a finding.
  const auto loaded = load_plans(session, flags, Writes::no);
  if (!loaded) return session.failed(loaded.error());
  if (flags.throughput_bytes_per_s && *flags.throughput_bytes_per_s == 0)
    return session.failed({ErrorKind::usage, "--throughput: nothing would ever arrive at 0 bytes a second"});
  const auto prices = prices_of(flags);
  if (!prices) return session.failed(prices.error());
  if (const auto* many = std::get_if<plan::ManyTables>(&*loaded))
    return check_many(session, flags, *many, *prices);
  return check_one(session, flags, std::get<plan::CopyPlan>(*loaded), *prices);
}

}  // namespace messina::cli
