// Flags with a value that is checked, for whoever adds flags to commands.
#pragma once
#include <optional>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/flags.h"
#include "plan/text.h"
#include "plan/units.h"

namespace messina::cli {

/// An option with one value that `parse` turns into a Result.
template <class T, class Parse>
CLI::Option* add_parsed(CLI::App& command, const std::string& name, std::optional<T>& to, Parse parse,
                        const std::string& type, const std::string& help) {
  return command
      .add_option_function<std::string>(
          name,
          [name, &to, parse, &command](const std::string& text) {
            if (text.starts_with("--") &&
                command.get_option_no_throw(text.substr(0, text.find('='))) != nullptr)
              throw FlagError{{ErrorKind::usage,
                               fmt::format("{} lacks its value: {} is a flag", name, plan::shown(text))}};
            auto value = parse(text);
            if (!value) throw FlagError{{value.error().kind, name + ": " + value.error().message}};
            to = T(*std::move(value));
          },
          help)
      ->type_name(type);
}

template <class T>
CLI::Option* add_whole(CLI::App& command, const std::string& name, std::optional<T>& to, std::uint64_t low,
                       std::uint64_t high, const std::string& help) {
  return add_parsed(
      command, name, to, [low, high](const std::string& text) { return plan::parse_whole(text, low, high); },
      "N", help);
}

inline CLI::Option* add_text(CLI::App& command, const std::string& name, std::optional<std::string>& to,
                             const std::string& type, const std::string& help) {
  return add_parsed(
      command, name, to,
      [](const std::string& text) -> Result<std::string> {
        if (text.empty()) return fail(ErrorKind::usage, "the value is empty");
        return text;
      },
      type, help);
}

inline CLI::Option* add_flag(CLI::App& command, const std::string& name, std::optional<bool>& to,
                             const std::string& help) {
  return command.add_flag_callback(name, [&to] { to = true; }, help);
}

}  // namespace messina::cli
