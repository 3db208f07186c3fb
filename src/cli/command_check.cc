#include <algorithm>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/copy_job.h"
#include "cli/load_plan.h"
#include "cli/machine.h"
#include "console/check_text.h"
#include "jobs/probe.h"

namespace messina::cli {
namespace {

/// What a target is taken to take when nobody says: a small cluster's steady rate of writes.
constexpr double kAssumedThroughput = 50e6;

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
  facts.transform = plan.transform;
  facts.schema = schema_options(plan);
  facts.makes_table = plan.schema == plan::SchemaMode::create;
  facts.into_existing = plan.into_existing;
  facts.allow_write_aws = plan.allow_write_aws;
  facts.same_address = plan::same_table(plan.source, plan.target);
  facts.gzip_requests = plan.target.gzip_requests;
  facts.read_rcu_per_s = plan.read_rcu_per_s;
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

/// Everything about one table.
Result<console::CheckReport> check_table(Session& session, const Flags& flags, const plan::CopyPlan& plan,
                                         const jobs::Prices& prices) {
  auto lanes = Lanes::open(plan, 1);
  if (!lanes) return fail(lanes.error());
  jobs::Lane& lane = (*lanes)->first();
  jobs::CheckFacts facts = plan_facts(plan, lane);
  net::run_on((*lanes)->first_loop(),
              jobs::probe((*lanes)->first_loop(), lane.source, lane.target, &facts, &session.stop()));
  if (session.stop().requested()) return fail(ErrorKind::stopped, "stopped; nothing was changed");
  const auto& nodes = facts.target.nodes;
  facts.machine = look_at_machine(plan, nodes && *nodes ? std::max<std::size_t>(1, (*nodes)->size()) : 1);
  console::CheckReport report;
  report.source = migration_name(plan).source;
  report.target = migration_name(plan).target;
  report.findings = jobs::judge(facts);
  report.made = jobs::what_is_made(facts);
  jobs::EstimateQuestion question = jobs::estimate_question(facts);
  set_throughput(question, flags, facts.machine);
  report.estimate = jobs::estimate(question, prices);
  return report;
}

}  // namespace

ExitCode run_check(Session& session, Flags& flags) {
  // It changes nothing: what may not be written to is a finding.
  const auto plan = load_plan(session, flags, Writes::no);
  if (!plan) return session.failed(plan.error());
  const auto prices = prices_of(flags);
  if (!prices) return session.failed(prices.error());
  const auto report = check_table(session, flags, *plan, *prices);
  if (!report) return session.failed(report.error());
  if (session.json()) {
    for (const jobs::Finding& finding : report->findings)
      session.display().result(console::finding_event(session.clock().wall(), finding) + "\n");
  }
  session.result(console::check_text(*report), console::check_event(session.clock().wall(), *report));
  return report->exit();
}

}  // namespace messina::cli
