#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/lanes.h"
#include "cli/load_plan.h"
#include "endpoints/inspect.h"
#include "plan/iam_policy.h"

namespace messina::cli {
namespace {

/// The account of each DynamoDB side, as STS tells it; "*" with a notice where it does not.
void ask_accounts(Session& session, const plan::CopyPlan& plan, plan::PolicyQuestion& question) {
  auto lanes = Lanes::open(plan, 1);
  const auto ask = [&](const plan::EndpointSpec& spec, const char* side, std::string& account) {
    if (spec.kind != plan::EndpointKind::dynamodb) return;
    Result<endpoints::Caller> caller = fail(ErrorKind::config, "there are no credentials");
    if (!lanes) {
      caller = fail(lanes.error());
    } else {
      jobs::Lane& lane = (*lanes)->first();
      endpoints::Inspect& inspect = *(&spec == &plan.source ? lane.source : lane.target).inspect;
      if (inspect.with_credentials()) caller = net::run_on((*lanes)->first_loop(), inspect.caller());
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

}  // namespace

ExitCode run_policy(Session& session, Flags& flags) {
  const auto plan = load_plan(session, flags, Writes::no);
  if (!plan) return session.failed(plan.error());
  plan::PolicyQuestion question;
  if (flags.policy_jobs) question.jobs = *flags.policy_jobs;
  question.key_arn = flags.key_arn;
  question.bucket = flags.bucket;
  if (flags.account) {
    question.source_account = question.target_account = *flags.account;
  } else {
    ask_accounts(session, *plan, question);
  }
  const auto policy = plan::iam_policy(*plan, question);
  if (!policy) return session.failed(policy.error());
  session.display().result(*policy);
  return ExitCode::done;
}

}  // namespace messina::cli
