#include <algorithm>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/migrations.h"
#include "cli/named_migrations.h"
#include "cli/steer_run.h"
#include "console/control.h"
#include "plan/text.h"
#include "plan/units.h"

namespace messina::cli {
namespace {

using console::ControlRequest;
using console::NewValue;

/// The words of `messina set` are settings, but for addresses.
bool is_address(const std::string& word) { return word.find("://") != std::string::npos; }

Result<void> take_setting(const std::string& word, ControlRequest& request) {
  static const std::vector<std::string> kSettings{"rcu", "concurrency"};
  const std::size_t equals = word.find('=');
  const std::string name = word.substr(0, equals);
  const bool known = std::ranges::find(kSettings, name) != kSettings.end();
  if (known && equals == std::string::npos)
    return fail(ErrorKind::usage, fmt::format("{0} needs a value, as {0}=64 or {0}=auto", name));
  if (!known)
    return fail(ErrorKind::usage,
                fmt::format("{} is no setting{}: there are rcu=RATE and concurrency=N, or auto for either",
                            plan::shown(word), plan::did_you_mean(name, kSettings)));
  const std::string value = word.substr(equals + 1);
  const auto refuse = [&name](const Error& why) {
    return fail(ErrorKind::usage, fmt::format("{}: {}, nor auto", name, why.message));
  };
  if (name == "rcu") {
    if (request.rcu) return fail(ErrorKind::usage, "rcu is set twice: leave one out");
    request.rcu.emplace();
    if (value == "auto") return {};
    const auto rate = plan::parse_rate(value);
    if (!rate) return refuse(rate.error());
    *request.rcu = *rate;
    return {};
  }
  if (request.concurrency) return fail(ErrorKind::usage, "concurrency is set twice: leave one out");
  request.concurrency.emplace();
  if (value == "auto") return {};
  const auto batches = plan::parse_whole(value, 1, console::kMostWriteConcurrency);
  if (!batches) return refuse(batches.error());
  *request.concurrency = static_cast<std::uint32_t>(*batches);
  return {};
}

/// Takes the addresses out of the words of `messina set`.
Result<ControlRequest> request_of(Flags& flags) {
  ControlRequest request{ControlRequest::Verb::set, {}, {}};
  for (const std::string& word : flags.set_words) {
    if (is_address(word)) {
      std::string& side = flags.source.empty() ? flags.source : flags.target;
      if (!side.empty()) return fail(ErrorKind::usage, plan::shown(word) + " is one address too many");
      side = word;
    } else if (auto taken = take_setting(word, request); !taken) {
      return fail(taken.error());
    }
  }
  if (!request.rcu && !request.concurrency)
    return fail(ErrorKind::usage,
                "set what? Give rcu=RATE, concurrency=N or both (see `messina set --help`)");
  return request;
}

/// One table, named by its addresses or its folder.
ExitCode steer_one(Session& session, const std::filesystem::path& folder, const ControlRequest& request,
                   const std::string& state_flag) {
  auto status = read_status(folder);
  if (!status) return session.failed(status.error());
  if (!status->running) return session.failed(not_running(*status));
  auto answered = ask_running(folder, *status, request);
  if (!answered) return session.failed(answered.error());
  status->progress = std::move(answered->snapshot);
  status->run = std::move(answered->run);
  status->live = true;
  return say_steered(session, request, *status, state_flag);
}

ExitCode steer(Session& session, Flags& flags, const ControlRequest& request) {
  SteerAim aim;
  if (flags.draft.state_dir) aim.state_flag = " --state " + *flags.draft.state_dir;
  if (!names_migrations(flags)) {
    auto folders = only_running(state_dir(flags));
    if (!folders) return session.failed(folders.error());
    aim.folders = *std::move(folders);
    return steer_run(session, aim, request);
  }
  auto named = find_migrations(session, flags);
  if (!named) return session.failed(named.error());
  if (!named->choice) return steer_one(session, named->folders.front(), request, aim.state_flag);
  aim.folders = std::move(named->folders);
  aim.choice = std::move(named->choice);
  return steer_run(session, aim, request);
}

}  // namespace

ExitCode run_pause(Session& session, Flags& flags) {
  return steer(session, flags, {ControlRequest::Verb::pause, {}, {}});
}

ExitCode run_resume(Session& session, Flags& flags) {
  return steer(session, flags, {ControlRequest::Verb::resume, {}, {}});
}

ExitCode run_set(Session& session, Flags& flags) {
  const auto request = request_of(flags);
  if (!request) return session.failed(request.error());
  return steer(session, flags, *request);
}

}  // namespace messina::cli
