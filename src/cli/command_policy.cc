#include <algorithm>

#include <fmt/format.h>

#include "cli/choose_tables.h"
#include "cli/commands.h"
#include "cli/lanes.h"
#include "cli/load_plan.h"
#include "endpoints/inspect.h"
#include "plan/iam_policy.h"

namespace messina::cli {
namespace {

/// The account of each DynamoDB side, as STS tells it; "*" with a notice where it does not.
void ask_accounts(Session& session, const plan::CopyPlan& plan, const Result<std::unique_ptr<Sides>>& sides,
                  plan::PolicyQuestion& question) {
  const auto ask = [&](const plan::EndpointSpec& spec, const char* side, std::string& account) {
    if (spec.kind != plan::EndpointKind::dynamodb) return;
    Result<endpoints::Caller> caller = fail(ErrorKind::config, "there are no credentials");
    if (!sides) {
      caller = fail(sides.error());
    } else {
      TableLanes lanes = (*sides)->table(plan.source.table, plan.target.table);
      jobs::Lane& lane = lanes.first();
      endpoints::Inspect& inspect = *(&spec == &plan.source ? lane.source : lane.target).inspect;
      if (inspect.with_credentials()) caller = net::run_on((*sides)->first_loop(), inspect.caller());
    }
    if (caller) {
      account = caller->account;
      return;
    }
    session.notice("warning",
                   fmt::format("the {}'s AWS account is unknown, and * stands in its place: {} (or give "
                               "--account ID)",
                               side, caller.error().message));
  };
  ask(plan.source, "source", question.source_account);
  ask(plan.target, "target", question.target_account);
}

plan::PolicyTables names_of(const std::vector<plan::ChosenTable>& chosen, bool listed) {
  plan::PolicyTables tables;
  for (const plan::ChosenTable& table : chosen) {
    tables.sources.push_back(table.source);
    tables.targets.push_back(table.target);
  }
  tables.listed = listed;
  return tables;
}

struct NamedTables {
  plan::PolicyTables tables;
  plan::PolicyTables wider;  ///< patterns as they were given, for the tables that they match
};

/// IAM's wildcards mean what ours mean, so a pattern can stand for itself.
Result<NamedTables> name_tables(Session& session, const plan::ManyTables& many,
                                const Result<std::unique_ptr<Sides>>& sides) {
  std::vector<std::string> patterns;
  for (const plan::TableEntry& entry : many.choice.entries)
    if (plan::is_pattern(entry.table)) patterns.push_back(entry.table);
  const auto wider = plan::choose_tables(many.choice, patterns);
  if (!wider) return fail(wider.error());
  const bool listed = !patterns.empty();
  NamedTables named{{}, names_of(*wider, listed)};
  Result<std::vector<plan::ChosenTable>> chosen = wider;
  if (listed && sides) chosen = chosen_tables(session, many, **sides);
  if (listed && !sides) chosen = fail(sides.error());
  if (!chosen) {
    if (chosen.error().kind == ErrorKind::usage || chosen.error().kind == ErrorKind::stopped)
      return fail(chosen.error());
    session.notice("warning", fmt::format("the source's tables cannot be listed, and the patterns stand for "
                                          "them: {}",
                                          chosen.error().message));
    chosen = wider;
  }
  named.tables = names_of(*chosen, listed);
  return named;
}

void say_form(Session& session, const plan::PolicyDocuments& policy, const NamedTables& named) {
  const auto& names = named.tables.sources;
  switch (policy.form) {
    case plan::PolicyForm::by_job:
      return;
    case plan::PolicyForm::merged:
      session.notice("info",
                     fmt::format("the statements of all jobs are one, to stay under IAM's {} characters",
                                 plan::kPolicyCharacters));
      return;
    case plan::PolicyForm::split:
      session.notice("warning",
                     fmt::format("{} tables are more than IAM's {} characters of a policy hold: here are {} "
                                 "policies, one after the other; attach all of them",
                                 names.size(), plan::kPolicyCharacters, policy.documents.size()));
      return;
    case plan::PolicyForm::widened:
      session.notice(
          "warning",
          fmt::format("{} tables are more than {} policies of IAM's {} characters hold: patterns stand "
                      "for their names, so that other tables that fit them are allowed, too. Move fewer "
                      "tables at once for less",
                      names.size(), plan::kPoliciesPerRole, plan::kPolicyCharacters));
      return;
  }
}

}  // namespace

ExitCode run_policy(Session& session, Flags& flags) {
  const auto loaded = load_plans(session, flags, Writes::no);
  if (!loaded) return session.failed(loaded.error());
  const auto* many = std::get_if<plan::ManyTables>(&*loaded);
  const plan::CopyPlan& plan = many != nullptr ? many->common : std::get<plan::CopyPlan>(*loaded);
  plan::PolicyQuestion question;
  if (flags.policy_jobs) question.jobs = *flags.policy_jobs;
  question.key_arns = flags.key_arns;
  question.bucket = flags.bucket;
  const bool dynamodb =
      plan.source.kind == plan::EndpointKind::dynamodb || plan.target.kind == plan::EndpointKind::dynamodb;
  Result<std::unique_ptr<Sides>> sides = fail(ErrorKind::usage, "nothing is to be asked");
  const bool lists = many != nullptr && many->choice.has_patterns();
  if (dynamodb && (!flags.account || lists)) sides = Sides::open(plan, 1, &session.stop());
  if (flags.account) {
    question.source_account = question.target_account = *flags.account;
  } else if (dynamodb) {
    ask_accounts(session, plan, sides, question);
  }
  NamedTables named{{{plan.source.table}, {plan.target.table}}, {}};
  if (many != nullptr && dynamodb) {
    auto tables = name_tables(session, *many, sides);
    if (!tables) return session.failed(tables.error());
    named = *std::move(tables);
  }
  const bool has_wider = !named.wider.sources.empty();
  const auto policy =
      plan::iam_policy(plan, named.tables, has_wider ? std::optional(named.wider) : std::nullopt, question);
  if (!policy) return session.failed(policy.error());
  say_form(session, *policy, named);
  for (const std::string& document : policy->documents) session.display().result(document);
  return ExitCode::done;
}

}  // namespace messina::cli
