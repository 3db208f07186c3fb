#include "cli/generate.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "plan/text.h"

namespace messina::cli {
namespace {

OptionDoc describe_option(const CLI::Option& option) {
  OptionDoc doc;
  for (const std::string& name : option.get_lnames()) doc.names.push_back("--" + name);
  for (const std::string& name : option.get_snames()) doc.names.push_back("-" + name);
  doc.help = option.get_description();
  if (doc.names.empty())
    doc.value = option.get_name();
  else if (option.get_expected_max() > 0)
    doc.value = option.get_type_name();
  return doc;
}

void add_commands(const CLI::App& app, const std::string& name, std::vector<CommandDoc>& docs) {
  CommandDoc doc{name, app.get_description(), app.get_footer(), {}};
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_group().empty()) doc.options.push_back(describe_option(*option));
  }
  docs.push_back(std::move(doc));
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_group().empty()) continue;
    add_commands(*command, name.empty() ? command->get_name() : name + " " + command->get_name(), docs);
  }
}

// ---------------------------------------------------------------------------------------------- man

/// Text that roff takes for nothing but text.
std::string roff(std::string_view text) {
  std::string out;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
    line_start = c == '\n';
  }
  return out;
}

std::string as_it_stands(std::string_view text) {
  while (!text.empty() && text.front() == '\n') text.remove_prefix(1);
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  return text.empty() ? "" : fmt::format(".nf\n{}\n.fi\n", roff(text));
}

std::string man_options(const CommandDoc& command) {
  std::string out;
  for (const OptionDoc& option : command.options) {
    out += ".TP\n";
    if (option.positional())
      out += fmt::format(".I {}\n", roff(option.value));
    else
      out += fmt::format(".BR {}{}\n", roff(fmt::format("{}", fmt::join(option.names, ", "))),
                         option.value.empty() ? "" : " \" \" " + roff(option.value));
    out += roff(option.help) + "\n";
  }
  return out;
}

std::string man_page(const std::vector<CommandDoc>& commands) {
  const CommandDoc& messina = commands.front();
  std::string out = fmt::format(
      ".TH MESSINA 1 \"\" \"messina {0}\" \"User Commands\"\n.SH NAME\nmessina \\- {1}\n.SH SYNOPSIS\n.B "
      "messina\n.I command\n[arguments]\n.SH DESCRIPTION\n{2}",
      MESSINA_VERSION, roff(messina.summary), as_it_stands(messina.footer));
  out += ".SH COMMANDS\n";
  for (const CommandDoc& command : commands) {
    if (command.name.empty()) continue;
    out += fmt::format(".SS messina {}\n{}.\n", roff(command.name), roff(command.summary));
    out += man_options(command);
    if (!command.footer.empty()) out += ".PP\n" + as_it_stands(command.footer);
  }
  return out;
}

// ---------------------------------------------------------------------------------------------- shells

/// What follows `name` as its next word: "list" for "rejects".
std::set<std::string> next_words(const std::vector<CommandDoc>& commands, const std::string& name) {
  std::set<std::string> words;
  const std::string prefix = name.empty() ? "" : name + " ";
  for (const CommandDoc& command : commands) {
    if (command.name.size() <= prefix.size() || !command.name.starts_with(prefix)) continue;
    words.insert(command.name.substr(prefix.size(), command.name.find(' ', prefix.size()) - prefix.size()));
  }
  return words;
}

std::vector<std::string> long_names(const CommandDoc& command, bool with_value) {
  std::vector<std::string> names;
  for (const OptionDoc& option : command.options) {
    if (option.positional() || option.value.empty() == with_value) continue;
    names.push_back(option.names.front());
  }
  return names;
}

bool takes_path(const OptionDoc& option) { return option.value == "FILE" || option.value == "DIR"; }

std::string bash_completion(const std::vector<CommandDoc>& commands) {
  std::set<std::string> paths, values;
  std::string cases;
  for (const CommandDoc& command : commands) {
    std::vector<std::string> words = long_names(command, true);
    for (const OptionDoc& option : command.options) {
      if (!option.positional() && !option.value.empty())
        (takes_path(option) ? paths : values).insert(option.names.front());
    }
    std::ranges::copy(long_names(command, false), std::back_inserter(words));
    std::ranges::copy(next_words(commands, command.name), std::back_inserter(words));
    cases += fmt::format("    \"{}\") words=\"{}\" ;;\n", command.name, fmt::join(words, " "));
  }
  return fmt::format(
      R"(# bash completion for messina; made by `messina generate bash`
_messina() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} command="" words="" i
  case "$before" in
    {}) COMPREPLY=($(compgen -f -- "$word")); return ;;
    {}) COMPREPLY=(); return ;;
  esac
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case "${{COMP_WORDS[i]}}" in
      -*|*:*) ;;
      *) case " {} " in *" ${{command:+$command/}}${{COMP_WORDS[i]}} "*) command="${{command:+$command }}${{COMP_WORDS[i]}}" ;; esac ;;
    esac
  done
  case "$command" in
{}  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _messina messina
)",
      fmt::join(paths, "|"), fmt::join(values, "|"),
      [&] {
        std::string names;
        for (const CommandDoc& command : commands) {
          std::string name = command.name;
          std::ranges::replace(name, ' ', '/');
          names += (names.empty() ? "" : " ") + name;
        }
        return names;
      }(),
      cases);
}

/// For a text in single quotes.
std::string single_quoted(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out;
}

std::string zsh_completion(const std::vector<CommandDoc>& commands) {
  // Brackets and colons separate the parts of a specification.
  const auto escaped = [](const std::string& text) {
    std::string out;
    for (const char c : text) {
      if (c == '[' || c == ']' || c == ':') out += '\\';
      out += c;
    }
    return single_quoted(out);
  };
  std::string functions, cases, top;
  for (const CommandDoc& command : commands) {
    if (command.name.empty()) continue;
    if (command.name.find(' ') == std::string::npos)
      top += fmt::format("    '{}:{}'\n", command.name, escaped(command.summary));
    std::string specs;
    for (const OptionDoc& option : command.options) {
      if (option.positional()) continue;
      const char* action = takes_path(option) ? ":_files" : ":";
      specs += fmt::format(" \\\n        '{}[{}]{}'", option.names.front(), escaped(option.help),
                           option.value.empty() ? "" : fmt::format(":{}{}", option.value, action));
    }
    const std::set<std::string> next = next_words(commands, command.name);
    if (!next.empty()) specs += fmt::format(" \\\n        '1:command:({})'", fmt::join(next, " "));
    cases += fmt::format("    '{}')\n      _arguments{} \\\n        '*::' ;;\n", command.name, specs);
  }
  return fmt::format(R"(#compdef messina
# zsh completion for messina; made by `messina generate zsh`
_messina() {{
  local -a commands
  commands=(
{}  )
  if (( CURRENT == 2 )); then
    _describe 'command' commands
    return
  fi
  local command=$words[2]
  if [[ $command == rejects && $CURRENT -gt 3 ]]; then
    command="rejects $words[3]"
    shift words; (( CURRENT-- ))
  fi
  shift words; (( CURRENT-- ))
  case $command in
{}  esac
}}
_messina "$@"
)",
                     top, cases);
}

std::string fish_completion(const std::vector<CommandDoc>& commands) {
  std::string out =
      "# fish completion for messina; made by `messina generate fish`\ncomplete -c messina -f\n";
  for (const CommandDoc& command : commands) {
    const std::size_t space = command.name.rfind(' ');
    const std::string parent = space == std::string::npos ? "" : command.name.substr(0, space);
    const std::string last = command.name.substr(space == std::string::npos ? 0 : space + 1);
    if (!command.name.empty()) {
      const std::string when =
          parent.empty() ? "__fish_use_subcommand" : "__fish_seen_subcommand_from " + parent;
      out += fmt::format("complete -c messina -n '{}' -a {} -d '{}'\n", when, last,
                         single_quoted(command.summary));
    }
    const std::string when =
        command.name.empty() ? "__fish_use_subcommand" : "__fish_seen_subcommand_from " + last;
    for (const OptionDoc& option : command.options) {
      if (option.positional()) continue;
      const char* value = option.value.empty() ? "" : takes_path(option) ? " -r -F" : " -x";
      out += fmt::format("complete -c messina -n '{}' -l {}{} -d '{}'\n", when,
                         option.names.front().substr(2), value, single_quoted(option.help));
    }
  }
  return out;
}

}  // namespace

std::vector<CommandDoc> describe_commands(const CLI::App& app) {
  std::vector<CommandDoc> docs;
  add_commands(app, "", docs);
  return docs;
}

std::vector<std::string> generated_kinds() { return {"man", "bash", "zsh", "fish"}; }

Result<std::string> generate(std::string_view kind, const std::vector<CommandDoc>& commands) {
  if (kind == "man") return man_page(commands);
  if (kind == "bash") return bash_completion(commands);
  if (kind == "zsh") return zsh_completion(commands);
  if (kind == "fish") return fish_completion(commands);
  return fail(ErrorKind::usage, fmt::format("generate makes {}, not {}", fmt::join(generated_kinds(), ", "),
                                            plan::shown(kind)));
}

}  // namespace messina::cli
