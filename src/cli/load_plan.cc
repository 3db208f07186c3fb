#include "cli/load_plan.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include <fmt/format.h>

#include "aws/endpoint_resolve.h"
#include "aws/profile.h"
#include "net/proxy.h"
#include "plan/plan_file.h"
#include "plan/text.h"
#include "plan/uri.h"

namespace messina::cli {
namespace {

Result<void> add_addresses(Flags& flags) {
  if (!flags.source.empty() && flags.target.empty() && flags.plan_file.empty())
    return fail(ErrorKind::usage, "there is a source and no target: write SOURCE TARGET");
  const auto add = [](const std::string& text, plan::SideDraft& side, std::string_view name) -> Result<void> {
    if (text.empty()) return {};
    auto spec = plan::parse_uri(text, name);
    if (!spec) return fail(spec.error());
    side.address = std::move(*spec);
    side.address_from = "the command line";
    return {};
  };
  if (auto added = add(flags.source, flags.draft.source, "source"); !added) return added;
  return add(flags.target, flags.draft.target, "target");
}

std::string without_prefix(std::string message, std::string_view side) {
  return fmt::format("the {}: {}", side, message);
}

}  // namespace

plan::Environment process_environment() {
  return [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

Result<std::string> read_file(const std::string& path) {
  static constexpr std::size_t kMaxBytes = 64u << 20;
  const auto refuse = [&](const char* why) {
    return fail(ErrorKind::config, fmt::format("the file {} cannot be read: {}", plan::shown(path), why));
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) return refuse(std::strerror(errno));
  std::string content;
  char buffer[65'536];
  while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, file.get())) {
    content.append(buffer, n);
    if (content.size() > kMaxBytes) return refuse("it is larger than 64 MiB");
  }
  if (std::ferror(file.get()) != 0) return refuse(std::strerror(errno));
  return content;
}

Result<void> resolve_aws(plan::EndpointSpec& spec, const std::string& side) {
  if (spec.kind != plan::EndpointKind::dynamodb) return {};
  const net::Environment environment = net::process_environment();
  const auto profiles = aws::load_profiles(environment, aws::process_files(), spec.profile);
  if (!profiles) return fail(ErrorKind::config, without_prefix(profiles.error().message, side));
  const std::optional<std::string> given = spec.region.empty() ? std::nullopt : std::optional(spec.region);
  const auto region = aws::resolve_region(given, environment, *profiles);
  if (!region)
    return fail(ErrorKind::config,
                fmt::format("the {0}: {1} (or write dynamodb://REGION/TABLE, or give --{0}-region)", side,
                            region.error().message));
  spec.region = *region;
  const auto endpoint =
      aws::resolve_dynamodb_endpoint(spec.endpoint_url, spec.region, environment, *profiles);
  if (!endpoint) return fail(ErrorKind::config, without_prefix(endpoint.error().message, side));
  if (!endpoint->is_aws && !spec.endpoint_url) {
    const bool brackets = endpoint->origin.host.find(':') != std::string::npos;
    spec.endpoint_url =
        fmt::format("{}://{}{}{}:{}", endpoint->origin.tls ? "https" : "http", brackets ? "[" : "",
                    endpoint->origin.host, brackets ? "]" : "", endpoint->origin.port);
  }
  if (spec.ca_file.empty()) spec.ca_file = aws::resolve_ca_bundle(environment, *profiles);
  return {};
}

namespace {

/// The plan file's draft, empty without one. Says its notices.
Result<plan::Draft> file_draft(Session& session, const Flags& flags, const plan::Environment& environment) {
  if (flags.plan_file.empty()) return plan::Draft();
  const auto yaml = read_file(flags.plan_file);
  if (!yaml) return fail(yaml.error());
  auto parsed = plan::parse_plan_file(*yaml, flags.plan_file, environment);
  if (!parsed) return parsed;
  for (const std::string& notice : parsed->notices) session.notice("info", notice);
  return parsed;
}

Result<void> resolve_sides(plan::CopyPlan& plan) {
  if (auto resolved = resolve_aws(plan.source, "source"); !resolved) return resolved;
  return resolve_aws(plan.target, "target");
}

}  // namespace

Result<std::variant<plan::CopyPlan, plan::ManyTables>> load_plans(Session& session, Flags& flags,
                                                                  Writes writes) {
  if (auto added = add_addresses(flags); !added) return fail(added.error());
  const plan::Environment environment = process_environment();
  const auto file = file_draft(session, flags, environment);
  if (!file) return fail(file.error());
  if (plan::names_many_tables(flags.draft, *file)) {
    auto many = plan::make_many_tables(flags.draft, *file, environment, read_file);
    if (!many) return fail(many.error());
    if (auto resolved = resolve_sides(many->common); !resolved) return fail(resolved.error());
    return *std::move(many);
  }
  auto plan = plan::make_plan(flags.draft, *file, environment, read_file);
  if (!plan) return fail(plan.error());
  if (auto resolved = resolve_sides(*plan); !resolved) return fail(resolved.error());
  if (writes == Writes::yes)
    if (auto checked = plan::check_addresses(*plan); !checked) return fail(checked.error());
  return *std::move(plan);
}

Result<plan::CopyPlan> load_plan(Session& session, Flags& flags, Writes writes) {
  auto loaded = load_plans(session, flags, writes);
  if (!loaded) return fail(loaded.error());
  if (std::holds_alternative<plan::ManyTables>(*loaded))
    return fail(ErrorKind::usage,
                "the plan names many tables, and this command works on one: name it by SOURCE "
                "TARGET, or by --migration NAME (`messina status` lists them)");
  return std::get<plan::CopyPlan>(*std::move(loaded));
}

Result<void> complete_plan(plan::CopyPlan& plan, const Flags& flags) {
  const plan::Environment environment = process_environment();
  const auto complete = [&](plan::EndpointSpec& spec, const plan::SideDraft& given,
                            const std::string& side) -> Result<void> {
    plan::SideDraft kept;
    kept.address = spec;
    kept.credentials.profile = spec.profile;
    kept.credentials.access_key = spec.access_key;
    kept.credentials.secret_key_env = spec.secret_key_env;
    kept.credentials.secret_key_file = spec.secret_key_file;
    kept.credentials.role_arn = spec.role_arn;
    kept.credentials.role_session_name = spec.role_session_name;
    kept.credentials.role_external_id = spec.role_external_id;
    plan::SideDraft over = given;
    over.address.reset();
    auto made = plan::make_side(over, kept, side, environment, read_file);
    if (!made) return fail(made.error());
    spec = std::move(*made);
    return resolve_aws(spec, side);
  };
  if (auto done = complete(plan.source, flags.draft.source, "source"); !done) return done;
  if (auto done = complete(plan.target, flags.draft.target, "target"); !done) return done;
  if (flags.draft.allow_write_aws) plan.allow_write_aws = *flags.draft.allow_write_aws;
  if (auto checked = plan::check_plan(plan); !checked) return checked;
  return plan::check_addresses(plan);
}

state::MigrationName migration_name(const plan::CopyPlan& plan) {
  return {plan::canonical_uri(plan.source), plan::canonical_uri(plan.target)};
}

}  // namespace messina::cli
