#include "console/control.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "console/json_line.h"
#include "jobs/progress_json.h"

namespace messina::console {
namespace {

namespace json = boost::json;
using Verb = ControlRequest::Verb;

constexpr std::array<std::pair<std::string_view, Verb>, 8> kVerbs{{{"status", Verb::status},
                                                                   {"pause", Verb::pause},
                                                                   {"resume", Verb::resume},
                                                                   {"set", Verb::set},
                                                                   {"retry-rejects", Verb::retry_rejects},
                                                                   {"join", Verb::join},
                                                                   {"verify", Verb::verify},
                                                                   {"cancel-verify", Verb::cancel_verify}}};

std::string_view name_of(Verb verb) {
  for (const auto& [name, value] : kVerbs)
    if (value == verb) return name;
  return "status";
}

std::optional<Verb> verb_of(std::string_view name) {
  for (const auto& [known, verb] : kVerbs)
    if (known == name) return verb;
  return std::nullopt;
}

template <class T>
std::string value_text(const NewValue<T>& value) {
  return value ? fmt::format("{}", *value) : "auto";
}

template <class T>
std::string value_json(const NewValue<T>& value) {
  return value ? fmt::format("{}", *value) : "\"auto\"";
}

bool is_auto(const json::value& value) { return value.is_string() && value.get_string() == "auto"; }

Result<NewValue<double>> rcu_of(const json::value& value) {
  if (is_auto(value)) return NewValue<double>();
  json::error_code error;
  const auto rcu = value.to_number<double>(error);
  if (error || !std::isfinite(rcu) || rcu <= 0 || rcu > kMostReadRcu)
    return fail(ErrorKind::usage,
                fmt::format("rcu is a rate above 0 and at most {:.0f} RCU a second, or auto", kMostReadRcu));
  return NewValue<double>(rcu);
}

Result<NewValue<std::uint32_t>> concurrency_of(const json::value& value) {
  if (is_auto(value)) return NewValue<std::uint32_t>();
  json::error_code error;
  const auto batches = value.to_number<std::uint32_t>(error);
  if (error || batches < 1 || batches > kMostWriteConcurrency)
    return fail(ErrorKind::usage,
                fmt::format("concurrency is a whole number from 1 to {}, or auto", kMostWriteConcurrency));
  return NewValue<std::uint32_t>(batches);
}

Result<jobs::Roles> roles_of(const json::value& value) {
  jobs::Roles roles = jobs::kNoRoles;
  const json::array* names = value.if_array();
  bool good = names != nullptr && !names->empty();
  for (std::size_t i = 0; good && i < names->size(); ++i) {
    const json::string* name = (*names)[i].if_string();
    const auto role = name == nullptr ? std::nullopt : jobs::role_of(*name);
    good = role.has_value();
    if (role) jobs::add(roles, *role);
  }
  if (!good) return fail(ErrorKind::usage, "\"roles\" is a list of capture, copy and apply, at least one");
  return roles;
}

/// A member of `join`; false if it has none of this name.
Result<bool> take_join_member(std::string_view key, const json::value& value, jobs::RoleWish& wish) {
  if (key == "roles") {
    const auto roles = roles_of(value);
    if (!roles) return fail(roles.error());
    wish.roles = *roles;
    return true;
  }
  if (key == "enableStream") {
    if (value.is_string()) wish.enable_stream = endpoints::stream_view(value.get_string());
    if (!wish.enable_stream)
      return fail(ErrorKind::usage, "\"enableStream\" is a stream's view, as NEW_IMAGE");
    return true;
  }
  bool* const flag = key == "skipExpired"    ? &wish.skip_expired
                     : key == "intoExisting" ? &wish.into_existing
                                             : nullptr;
  if (flag == nullptr) return false;
  if (!value.is_bool()) return fail(ErrorKind::usage, fmt::format("\"{}\" is true or false", key));
  *flag = value.get_bool();
  return true;
}

std::string join_members(const jobs::RoleWish& wish) {
  std::string text;
  for (const jobs::Role role : jobs::kAllRoles)
    if (jobs::has(wish.roles, role))
      text += fmt::format("{}\"{}\"", text.empty() ? "" : ",", to_string(role));
  return "[" + text + "]";
}

template <class Number>
bool take_number(const json::value& value, Number& into) {
  json::error_code error;
  into = value.to_number<Number>(error);
  return !error;
}

/// A member of `verify`; nullopt if it has none of this name, false if its value is no good.
std::optional<bool> take_verify_member(std::string_view key, const json::value& value,
                                       ControlRequest& request) {
  jobs::VerifyWish& wish = request.verify;
  const auto repair = [&wish]() -> jobs::RepairOptions& {
    return wish.repair ? *wish.repair : wish.repair.emplace();
  };
  const auto segment = [&wish]() -> jobs::VerifyScope::Segment& {
    if (!wish.scope.segment) wish.scope.segment = jobs::VerifyScope::Segment();
    return *wish.scope.segment;
  };
  const auto flag = [&value](bool& into) {
    into = value.is_bool() && value.get_bool();
    return value.is_bool();
  };
  if (key == "sample") return take_number(value, wish.scope.sample.emplace());
  if (key == "sampleSeed") return take_number(value, wish.scope.sample_seed);
  if (key == "segment") return take_number(value, segment().index);
  if (key == "ofSegments") return take_number(value, segment().total);
  if (key == "exhaustive") return flag(wish.scope.exhaustive);
  if (key == "indexes") return flag(wish.scope.indexes);
  if (key == "restart") return flag(wish.restart);
  if (key == "rcu") return take_number(value, wish.read_rcu_per_s.emplace());
  if (key == "deleteExtra") return flag(repair().delete_extra);
  if (key == "maxDeletes") return take_number(value, repair().max_deletes.emplace());
  if (key == "repair") {
    repair();
    return value == json::value(true);
  }
  if (key == "keysFile") {
    if (!value.is_string()) return false;
    request.keys_file = std::string(value.get_string());
    wish.scope.keys_alone = true;
    return true;
  }
  return std::nullopt;
}

/// Values that are numbers and flags, but mean nothing.
Result<void> check_verify(const jobs::VerifyWish& wish) {
  const jobs::VerifyScope& scope = wish.scope;
  if (scope.sample && (!(*scope.sample > 0) || *scope.sample >= 1))
    return fail(ErrorKind::usage, "\"sample\" is a share above 0 and below 1");
  if (scope.segment && scope.segment->index >= scope.segment->total)
    return fail(ErrorKind::usage, "\"segment\" is one of 0 to \"ofSegments\" less 1");
  if (scope.indexes && !scope.whole())
    return fail(ErrorKind::usage, "\"indexes\" are compared with all of a table");
  if (wish.read_rcu_per_s && !(*wish.read_rcu_per_s > 0 && *wish.read_rcu_per_s <= kMostReadRcu))
    return fail(ErrorKind::usage, "\"rcu\" is a rate above 0");
  return {};
}

void add_verify_members(const ControlRequest& request, JsonLine& line) {
  const jobs::VerifyWish& wish = request.verify;
  const jobs::VerifyScope& scope = wish.scope;
  if (scope.sample) line.number("sample", *scope.sample).whole("sampleSeed", scope.sample_seed);
  if (scope.segment) line.whole("segment", scope.segment->index).whole("ofSegments", scope.segment->total);
  if (scope.exhaustive) line.flag("exhaustive", true);
  if (scope.indexes) line.flag("indexes", true);
  if (wish.restart) line.flag("restart", true);
  if (wish.read_rcu_per_s) line.number("rcu", *wish.read_rcu_per_s);
  if (!request.keys_file.empty()) line.text("keysFile", request.keys_file);
  if (!wish.repair) return;
  line.flag("repair", true);
  if (wish.repair->delete_extra) line.flag("deleteExtra", true);
  if (wish.repair->max_deletes) line.whole("maxDeletes", *wish.repair->max_deletes);
}

Result<json::object> object_of(std::string_view line) {
  json::error_code error;
  json::value value = json::parse(json::string_view(line.data(), line.size()), error);
  if (error || !value.is_object()) return fail(ErrorKind::usage, "a request is one JSON object on one line");
  return std::move(value.get_object());
}

}  // namespace

std::string control_request(const ControlRequest& request) {
  JsonLine line;
  line.whole("v", kControlVersion).text("do", name_of(request.verb));
  if (request.rcu) line.raw("rcu", value_json(*request.rcu));
  if (request.concurrency) line.raw("concurrency", value_json(*request.concurrency));
  if (request.verb == Verb::join) {
    line.raw("roles", join_members(request.wish));
    if (request.wish.enable_stream)
      line.text("enableStream", endpoints::text_of(*request.wish.enable_stream));
    if (request.wish.skip_expired) line.flag("skipExpired", true);
    if (request.wish.into_existing) line.flag("intoExisting", true);
  }
  if (request.verb == Verb::verify) add_verify_members(request, line);
  if (request.all_tables) line.text("tables", "all");
  return line.str();
}

Result<ControlRequest> parse_control_request(std::string_view text) {
  auto object = object_of(text);
  if (!object) return fail(object.error());
  const json::value* version = object->if_contains("v");
  if (version == nullptr || *version != json::value(kControlVersion))
    return fail(ErrorKind::usage,
                fmt::format("this job speaks version {} (\"v\":{}) of the control protocol: "
                            "use the messina that runs it",
                            kControlVersion, kControlVersion));
  const json::value* verb_text = object->if_contains("do");
  const auto verb =
      verb_text != nullptr && verb_text->is_string() ? verb_of(verb_text->get_string()) : std::nullopt;
  if (!verb)
    return fail(ErrorKind::usage,
                "\"do\" is one of status, pause, resume, set, retry-rejects, join, verify and cancel-verify");
  ControlRequest request;
  request.verb = *verb;
  for (const auto& [key, value] : *object) {
    if (key == "v" || key == "do") continue;
    if (*verb == Verb::set && key == "rcu") {
      auto rcu = rcu_of(value);
      if (!rcu) return fail(rcu.error());
      request.rcu = *rcu;
    } else if (*verb == Verb::set && key == "concurrency") {
      auto concurrency = concurrency_of(value);
      if (!concurrency) return fail(concurrency.error());
      request.concurrency = *concurrency;
    } else if (*verb == Verb::join && key != "tables") {
      const auto taken = take_join_member(key, value, request.wish);
      if (!taken) return fail(taken.error());
      if (!*taken)
        return fail(ErrorKind::usage, fmt::format("\"join\" takes no member \"{}\"", std::string(key)));
    } else if (*verb == Verb::verify) {
      const std::optional<bool> good = take_verify_member(key, value, request);
      if (!good.value_or(false))
        return fail(ErrorKind::usage,
                    fmt::format("\"verify\" takes no {} \"{}\"{}", good ? "such value as" : "member",
                                std::string(key), good ? "'s" : ""));
    } else if (key == "tables" && *verb != Verb::join) {
      if (value != json::value("all"))
        return fail(ErrorKind::usage, "\"tables\" is \"all\"; without it the request is for one table");
      request.all_tables = true;
    } else {
      return fail(
          ErrorKind::usage,
          fmt::format(
              "\"{}\" takes no such member: all but join take tables, and set takes rcu and concurrency",
              name_of(*verb)));
    }
  }
  if (*verb == Verb::set && !request.rcu && !request.concurrency)
    return fail(ErrorKind::usage, "set what? It takes rcu and concurrency");
  if (*verb == Verb::join && request.wish.roles == jobs::kNoRoles)
    return fail(ErrorKind::usage, "join as what? It takes roles");
  if (const Result<void> good = check_verify(request.verify); !good) return fail(good.error());
  return request;
}

std::string describe(const ControlRequest& request) {
  switch (request.verb) {
    case Verb::status:
      return "";
    case Verb::pause:
      return "paused";
    case Verb::resume:
      return "resumed";
    case Verb::retry_rejects:
      return "rejects are read again";
    case Verb::join:
      return "asked for " + jobs::text_of(request.wish.roles);
    case Verb::verify:
      return request.verify.repair ? "asked to repair" : "asked to verify";
    case Verb::cancel_verify:
      return "asked to verify no more";
    case Verb::set:
      break;
  }
  std::string text;
  if (request.rcu) text = "rcu=" + value_text(*request.rcu);
  if (request.concurrency)
    text += fmt::format("{}concurrency={}", text.empty() ? "" : ", ", value_text(*request.concurrency));
  return text;
}

void apply(const ControlRequest& request, jobs::Steering& steering, const jobs::Hand& hand) {
  if (request.verb == Verb::pause || request.verb == Verb::resume)
    steering.pause(request.verb == Verb::pause, hand);
  if (request.rcu) steering.set_read_rcu(*request.rcu, value_text(*request.rcu), hand);
  if (request.concurrency)
    steering.set_write_concurrency(*request.concurrency, value_text(*request.concurrency), hand);
}

Result<std::uint64_t> join(const ControlRequest& request, jobs::Steering& steering, const jobs::Progress& now,
                           Joinable* joinable, const jobs::Hand& hand) {
  const jobs::Roles& roles = request.wish.roles;
  if (joinable == nullptr) {
    if (!roles.capture && !roles.apply) return 0;
    return fail(ErrorKind::needs_person,
                "it copies, and no capture of the changes began before it did, so that what it copies counts "
                "for none: stop it, then run `messina migrate`, which captures first");
  }
  const auto fresh = jobs::take_wish(request.wish, now, steering.wished(), joinable->skips_expired);
  if (!fresh) return fail(fresh.error());
  if (*fresh == jobs::kNoRoles) {
    const jobs::Roles pending = steering.wished();
    const bool asked = std::ranges::any_of(
        jobs::kAllRoles, [&](jobs::Role role) { return jobs::has(roles, role) && jobs::has(pending, role); });
    return asked ? steering.wish_number() : 0;
  }
  jobs::RoleWish wish = request.wish;
  wish.roles = *fresh;
  if (wish.roles.capture) joinable->skips_expired = wish.skip_expired;
  return steering.wish(wish, hand);
}

void apply(const ControlRequest& request, jobs::SharedBudgets& budgets, MonoTime now) {
  if (request.rcu) budgets.set_read_rcu(now, *request.rcu);
  if (request.concurrency) budgets.set_write_concurrency(*request.concurrency);
}

std::string asker(const std::optional<std::string>& user, std::uint32_t uid, std::int64_t pid) {
  const std::string ids = fmt::format("uid {}, pid {}", uid, pid);
  return user ? fmt::format("{} ({})", *user, ids) : ids;
}

RunOfTables run_of(const jobs::TablesProgress& progress, bool with_names) {
  RunOfTables run;
  run.tables = progress.tables;
  run.done = progress.tables_done;
  run.failed = progress.tables_failed;
  run.running = progress.running.size();
  run.waiting = progress.waiting.size();
  run.read_budget_rcu_per_s = progress.read_budget_rcu_per_s;
  run.write_concurrency = progress.write_concurrency;
  if (!with_names) return run;
  for (const jobs::TableProgress& table : progress.running) run.running_names.push_back(table.progress.table);
  run.waiting_names = progress.waiting;
  return run;
}

namespace {

std::string names_json(const std::vector<std::string>& names) {
  std::string list = "[";
  for (const std::string& name : names) {
    if (list.size() > 1) list += ',';
    list += JsonLine::quoted(name);
  }
  return list + "]";
}

std::string run_json(const RunOfTables& run) {
  JsonLine line;
  line.whole("tables", run.tables)
      .whole("done", run.done)
      .whole("failed", run.failed)
      .whole("running", run.running)
      .whole("waiting", run.waiting);
  if (run.read_budget_rcu_per_s) line.number("readBudgetRcuPerS", *run.read_budget_rcu_per_s);
  return line.whole("writeConcurrency", run.write_concurrency)
      .raw("runningNames", names_json(run.running_names))
      .raw("waitingNames", names_json(run.waiting_names))
      .str();
}

/// What is missing, or of another type, keeps its default: versions can read each other's.
RunOfTables run_from(const json::object& object) {
  RunOfTables run;
  const auto whole = [&object](const char* key, std::uint64_t& to) {
    const json::value* found = object.if_contains(key);
    json::error_code error;
    const std::uint64_t value = found == nullptr ? 0 : found->to_number<std::uint64_t>(error);
    if (found != nullptr && !error) to = value;
  };
  whole("tables", run.tables);
  whole("done", run.done);
  whole("failed", run.failed);
  whole("running", run.running);
  whole("waiting", run.waiting);
  whole("writeConcurrency", run.write_concurrency);
  if (const json::value* found = object.if_contains("readBudgetRcuPerS")) {
    json::error_code error;
    const auto rate = found->to_number<double>(error);
    if (!error) run.read_budget_rcu_per_s = rate;
  }
  const auto names = [&object](const char* key, std::vector<std::string>& to) {
    const json::value* found = object.if_contains(key);
    if (found == nullptr || !found->is_array()) return;
    for (const json::value& name : found->get_array())
      if (name.is_string()) to.emplace_back(name.get_string());
  };
  names("runningNames", run.running_names);
  names("waitingNames", run.waiting_names);
  return run;
}

std::string retry_json(const jobs::RejectRetries::Answer& retry) {
  JsonLine line;
  line.whole("asked", retry.asked).whole("done", retry.done).whole("keys", retry.keys);
  if (!retry.error.empty()) line.text("error", retry.error);
  return line.str();
}

/// As run_from().
jobs::RejectRetries::Answer retry_from(const json::object& object) {
  jobs::RejectRetries::Answer retry;
  const auto whole = [&object](const char* key, std::uint64_t& to) {
    const json::value* found = object.if_contains(key);
    json::error_code error;
    const std::uint64_t value = found == nullptr ? 0 : found->to_number<std::uint64_t>(error);
    if (found != nullptr && !error) to = value;
  };
  whole("asked", retry.asked);
  whole("done", retry.done);
  whole("keys", retry.keys);
  const json::value* error = object.if_contains("error");
  if (error != nullptr && error->is_string()) retry.error = std::string(error->get_string());
  return retry;
}

std::string verify_json(const jobs::VerifyDesk::Answer& verify) {
  JsonLine line;
  line.whole("asked", verify.asked).whole("done", verify.done);
  if (verify.error)
    line.text("error", verify.error->message)
        .whole("exitCode", static_cast<std::uint64_t>(exit_code(verify.error->kind)));
  return line.str();
}

/// As run_from().
jobs::VerifyDesk::Answer verify_from(const json::object& object) {
  jobs::VerifyDesk::Answer verify;
  std::uint64_t exit = 0;
  const auto whole = [&object](const char* key, std::uint64_t& to) {
    const json::value* found = object.if_contains(key);
    if (found == nullptr || !take_number(*found, to)) to = 0;
  };
  whole("asked", verify.asked);
  whole("done", verify.done);
  whole("exitCode", exit);
  const json::value* error = object.if_contains("error");
  if (error != nullptr && error->is_string())
    verify.error = Error{kind_of(static_cast<ExitCode>(exit)), std::string(error->get_string())};
  return verify;
}

}  // namespace

ErrorKind kind_of(ExitCode exit) {
  if (exit == ExitCode::wrong_usage) return ErrorKind::config;
  return exit == ExitCode::needs_person ? ErrorKind::needs_person : ErrorKind::stopped;
}

std::string control_answer(const ControlAnswer& answer) {
  JsonLine line;
  line.whole("v", kControlVersion).flag("ok", true).raw("snapshot", jobs::progress_to_json(answer.snapshot));
  if (answer.run) line.raw("run", run_json(*answer.run));
  if (answer.retry) line.raw("retry", retry_json(*answer.retry));
  if (answer.verify) line.raw("verify", verify_json(*answer.verify));
  if (answer.wish > 0) line.whole("wish", answer.wish);
  return line.str();
}

std::string control_refusal(std::string_view message) {
  return JsonLine().whole("v", kControlVersion).flag("ok", false).text("message", message).str();
}

Result<ControlAnswer> parse_control_answer(std::string_view line) {
  const auto object = object_of(line);
  const auto member = [&object](const char* key) { return object ? object->if_contains(key) : nullptr; };
  const json::value *ok = member("ok"), *snapshot = member("snapshot"), *message = member("message"),
                    *run = member("run"), *retry = member("retry"), *verify = member("verify"),
                    *wish = member("wish");
  if (ok != nullptr && *ok == json::value(false) && message != nullptr && message->is_string())
    return fail(ErrorKind::usage, std::string(message->get_string()));
  if (ok == nullptr || *ok != json::value(true) || snapshot == nullptr)
    return fail(ErrorKind::corrupt, "the running job's answer is none of the control protocol");
  auto progress = jobs::progress_from_json(json::serialize(*snapshot));
  if (!progress) return fail(progress.error());
  ControlAnswer answer;
  answer.snapshot = std::move(*progress);
  if (retry != nullptr && retry->is_object()) answer.retry = retry_from(retry->get_object());
  if (run != nullptr && run->is_object()) answer.run = run_from(run->get_object());
  if (verify != nullptr && verify->is_object()) answer.verify = verify_from(verify->get_object());
  json::error_code no_number;
  if (wish != nullptr) answer.wish = wish->to_number<std::uint64_t>(no_number);
  return answer;
}

}  // namespace messina::console
