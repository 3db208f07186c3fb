#include "cli/app.h"

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/generate.h"
#include "cli/help.h"
#include "console/events.h"
#include "console/progress_text.h"
#include "plan/text.h"

namespace messina::cli {
namespace {

struct Command {
  CLI::App* app;
  ExitCode (*run)(Session&, Flags&);
};

CLI::App* add_command(CLI::App& parent, const std::string& name, const Page& page) {
  CLI::App* command = parent.add_subcommand(name, page.summary);
  command->footer(page.footer);
  // Unknown flags come out in remaining(), so that they get an answer of our own.
  command->allow_extras();
  command->set_help_flag("-h,--help", "this page");
  return command;
}

/// Commands to a running job.
void add_steering(CLI::App& app, Flags& flags, std::vector<Command>& commands) {
  CLI::App* pause = add_command(app, "pause", pause_page());
  CLI::App* resume = add_command(app, "resume", resume_page());
  for (CLI::App* command : {pause, resume}) add_sides(*command, flags);
  CLI::App* set = add_command(app, "set", set_page());
  set->add_option("SETTING", flags.set_words,
                  "rcu=RATE, concurrency=N; auto for either; SOURCE TARGET if need be")
      ->type_name("");
  set->add_option("--plan", flags.plan_file, "read source and target from a YAML file")
      ->type_name("FILE")
      ->group("Plan");
  for (CLI::App* command : {pause, resume, set}) {
    add_migration_flag(*command, flags);
    add_table_choice_flags(*command, flags);
  }
  commands.push_back({pause, &run_pause});
  commands.push_back({resume, &run_resume});
  commands.push_back({set, &run_set});
}

/// The commands that move changes.
void add_live_commands(CLI::App& app, Flags& flags, std::vector<Command>& commands) {
  CLI::App* migrate = add_command(app, "migrate", migrate_page());
  migrate->alias("run");
  CLI::App* capture = add_command(app, "capture", capture_page());
  CLI::App* apply = add_command(app, "apply", apply_page());
  for (CLI::App* command : {migrate, capture, apply}) {
    add_sides(*command, flags);
    add_copy_flags(*command, flags);
    add_rename_flags(*command, flags);
    add_schema_flags(*command, flags);
    add_live_flags(*command, flags);
    add_tables_flags(*command, flags);
    add_listen_flags(*command, flags);
  }
  add_migrate_flags(*migrate, flags);
  commands.push_back({migrate, &run_migrate});
  commands.push_back({capture, &run_capture});
  commands.push_back({apply, &run_apply});
}

/// The commands that compare.
void add_verify_commands(CLI::App& app, Flags& flags, std::vector<Command>& commands) {
  CLI::App* verify = add_command(app, "verify", verify_page());
  CLI::App* repair = add_command(app, "repair", repair_page());
  for (CLI::App* command : {verify, repair}) {
    add_sides(*command, flags);
    add_rename_flags(*command, flags);
    add_read_pace_flags(*command, flags);
    add_size_flags(*command, flags);
    add_tables_flags(*command, flags);
    add_listen_flags(*command, flags);
  }
  add_verify_flags(*verify, flags);
  add_repair_flags(*repair, flags);
  add_writer_flags(*repair, flags);
  CLI::App* diff = add_command(app, "diff", diff_page());
  add_sides(*diff, flags);
  add_migration_flag(*diff, flags);
  add_diff_flags(*diff, flags);
  commands.push_back({verify, &run_verify});
  commands.push_back({diff, &run_diff});
  commands.push_back({repair, &run_repair});
}

std::vector<Command> add_commands(CLI::App& app, Flags& flags) {
  std::vector<Command> commands;
  add_live_commands(app, flags, commands);
  add_verify_commands(app, flags, commands);
  CLI::App* copy = add_command(app, "copy", copy_page());
  add_sides(*copy, flags);
  add_copy_flags(*copy, flags);
  add_tables_flags(*copy, flags);
  add_rename_flags(*copy, flags);
  add_schema_flags(*copy, flags);
  add_listen_flags(*copy, flags);
  copy->add_flag("--print-units", flags.print_units,
                 "print the units of work as JSON lines, and copy nothing")
      ->group("Plan");
  commands.push_back({copy, &run_copy});

  CLI::App* unit = add_command(app, "copy-unit", copy_unit_page());
  unit->add_option("FILE", flags.unit_file,
                   "a line of `messina copy … --print-units`; - for stdin (the default)")
      ->type_name("");
  unit->add_flag_callback(
          "--restart", [&flags] { flags.draft.restart = true; }, "begin the unit again")
      ->group("State");
  unit->add_flag_callback(
          "--allow-write-aws", [&flags] { flags.draft.allow_write_aws = true; },
          "allow the target to be a real AWS table")
      ->group("Safety");
  commands.push_back({unit, &run_copy_unit});

  CLI::App* schema = add_command(app, "schema", schema_page());
  add_sides(*schema, flags);
  add_schema_flags(*schema, flags);
  add_tables_flags(*schema, flags);
  add_rename_flags(*schema, flags);
  schema->add_flag("--print", flags.print_table, "print the CreateTable request, and make nothing")
      ->group("Plan");
  schema
      ->add_flag_callback(
          "--allow-write-aws", [&flags] { flags.draft.allow_write_aws = true; },
          "allow the target to be a real AWS table")
      ->group("Safety");
  commands.push_back({schema, &run_schema});

  CLI::App* check = add_command(app, "check", check_page());
  add_sides(*check, flags);
  add_copy_flags(*check, flags);
  add_rename_flags(*check, flags);
  add_schema_flags(*check, flags);
  add_check_flags(*check, flags);
  add_tables_flags(*check, flags);
  commands.push_back({check, &run_check});

  CLI::App* policy = add_command(app, "policy", policy_page());
  add_sides(*policy, flags);
  add_policy_flags(*policy, flags);
  add_tables_flags(*policy, flags);
  add_pace_flags(*policy, flags);
  commands.push_back({policy, &run_policy});

  CLI::App* status = add_command(app, "status", status_page());
  add_sides(*status, flags);
  add_migration_flag(*status, flags);
  add_table_choice_flags(*status, flags);
  status->add_flag("--check", flags.check, "one line for cron: the exit status says whether all is well")
      ->group("Watching");
  add_stalled_flag(*status, flags);
  commands.push_back({status, &run_status});
  add_steering(app, flags, commands);

  CLI::App* rejects = add_command(app, "rejects", rejects_page());
  rejects->require_subcommand(0, 1);
  CLI::App* list = add_command(*rejects, "list", rejects_list_page());
  CLI::App* exported = add_command(*rejects, "export", rejects_export_page());
  for (CLI::App* command : {list, exported}) {
    add_sides(*command, flags);
    add_migration_flag(*command, flags);
    command->add_flag("--all", flags.all_rejects, "settled ones too")->group("Output");
  }
  commands.push_back({list, &run_rejects_list});
  commands.push_back({exported, &run_rejects_export});
  CLI::App* retry = add_command(*rejects, "retry", rejects_retry_page());
  add_sides(*retry, flags);
  add_migration_flag(*retry, flags);
  add_copy_flags(*retry, flags);
  add_rename_flags(*retry, flags);
  commands.push_back({retry, &run_rejects_retry});

  CLI::App* selftest = add_command(app, "selftest", selftest_page());
  selftest
      ->add_option("ADDRESS", flags.source, "dynamodb://REGION or alternator://HOST:PORT, without a table")
      ->type_name("");
  selftest
      ->add_flag_callback(
          "--allow-write-aws", [&flags] { flags.draft.allow_write_aws = true; },
          "allow the temporary table to be made on AWS")
      ->group("Safety");
  commands.push_back({selftest, &run_selftest});

  commands.push_back({add_command(app, "version", version_page()),
                      [](Session& session, Flags&) { return run_version(session); }});
  for (const Command& command : commands) {
    const std::string name = command.app->get_name();
    add_output_flags(*command.app, flags);
    if (name == "version") continue;
    if (name == "selftest") {
      add_target_flags(*command.app, flags);
      continue;
    }
    add_state_flag(*command.app, flags);
    add_side_flags(*command.app, flags);
  }
  return commands;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    if (!command->get_group().empty()) names.push_back(command->get_name());
  return names;
}

/// "messina rejects list".
std::string full_name(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  return parent == nullptr ? "messina" : full_name(*parent) + " " + command.get_name();
}

/// What stands on the command line and means nothing.
std::optional<std::string> unknown_word(const CLI::App& command) {
  const std::vector<std::string> rest = command.remaining();
  if (rest.empty()) return std::nullopt;
  const std::string& word = rest.front();
  const std::string help = fmt::format("(see `{} --help`)", full_name(command));
  if (word.starts_with("-")) {
    const std::string flag = word.substr(0, word.find('='));
    const std::string guess = plan::did_you_mean(flag, flag_names(command));
    if (flag == "--source-secret-key" || flag == "--target-secret-key")
      return fmt::format(
          "{0} is not offered, since `ps` would show the key: use {0}-env NAME or {0}-file FILE", flag);
    return fmt::format("unknown flag {}{} {}", plan::shown(flag), guess, help);
  }
  return fmt::format("{} is one word too many {}", plan::shown(word), help);
}

/// An answer for a line that names no command.
std::string no_command(const CLI::App& app) {
  const std::vector<std::string> rest = app.remaining();
  const std::string help = fmt::format("(see `{} --help`)", full_name(app));
  if (rest.empty())
    return fmt::format("which command? There are {} {}", fmt::join(command_names(app), ", "), help);
  if (rest.front().starts_with("-"))
    return fmt::format("unknown flag {} before the command: flags come after it {}",
                       plan::shown(rest.front()), help);
  const auto names = command_names(app);
  return fmt::format("unknown command {}{} {}", plan::shown(rest.front()),
                     plan::did_you_mean(rest.front(), names), help);
}

bool wants_json(int argc, char** argv) {
  for (int i = 1; i < argc; ++i)
    if (std::string_view(argv[i]) == "--json") return true;
  return false;
}

/// For errors before there is a session.
int refuse(const Error& error, bool json) {
  const ExitCode exit = exit_code(error.kind);
  const std::string text =
      json ? console::error_event(SystemClock().wall(), error, exit) + "\n" : error_text(error);
  std::fputs(text.c_str(), stderr);
  return static_cast<int>(exit);
}

int dispatch(CLI::App& app, const std::vector<Command>& commands, Flags& flags, bool json) {
  if (app.get_subcommands().empty()) return refuse({ErrorKind::usage, no_command(app)}, json);
  for (const Command& command : commands) {
    if (!command.app->parsed()) continue;
    if (const auto before = unknown_word(app))
      return refuse({ErrorKind::usage, *before + ": flags come after the command"}, json);
    if (const auto unknown = unknown_word(*command.app)) return refuse({ErrorKind::usage, *unknown}, json);
    Session session(flags.output);
    const ExitCode exit = command.run(session, flags);
    session.display().stop();
    if (console::stdout_failed()) {
      std::fputs("messina: stdout takes no more: the results are cut\n", stderr);
      return static_cast<int>(exit == ExitCode::done ? ExitCode::stopped : exit);
    }
    return static_cast<int>(exit);
  }
  // A command that has only commands below it.
  return refuse({ErrorKind::usage, no_command(*app.get_subcommands().front())}, json);
}

}  // namespace

ExitCode run_version(Session& session) {
  session.result(std::string("messina ") + MESSINA_VERSION + "\n",
                 console::version_event(session.clock().wall(), MESSINA_VERSION));
  return ExitCode::done;
}

int run(int argc, char** argv) {
  const bool json = wants_json(argc, argv);
  try {
    Flags flags;
    CLI::App app(main_page().summary, "messina");
    app.footer(main_page().footer);
    app.set_help_flag("-h,--help", "this page");
    app.set_version_flag("--version", std::string("messina ") + MESSINA_VERSION, "print the version");
    app.allow_extras();
    app.get_formatter()->column_width(38);
    const std::vector<Command> commands = add_commands(app, flags);
    std::string kind;
    CLI::App* made = app.add_subcommand("generate", "Print the manual page or a shell's completion");
    made->group("");  // for packagers; nobody needs it in the list
    made->add_option("KIND", kind, "man, bash, zsh or fish")->required();
    try {
      app.parse(argc, argv);
    } catch (const CLI::Success& asked) {
      return app.exit(asked);
    } catch (const CLI::ParseError& error) {
      return refuse({ErrorKind::usage, std::string(error.what()) + " (see `messina --help`)"}, json);
    } catch (const FlagError& error) {
      return refuse(error.error, json);
    }
    if (made->parsed()) {
      const Result<std::string> text = generate(kind, describe_commands(app));
      if (!text) return refuse(text.error(), json);
      return std::fputs(text->c_str(), stdout) < 0 ? static_cast<int>(ExitCode::stopped) : 0;
    }
    return dispatch(app, commands, flags, json);
  } catch (const std::exception& error) {
    return refuse({ErrorKind::internal, error.what()}, json);
  }
}

}  // namespace messina::cli
