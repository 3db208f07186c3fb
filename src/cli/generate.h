// The manual page and the shells' completions, made from the flags themselves, so that they are always true.
#pragma once
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/error.h"

namespace messina::cli {

struct OptionDoc {
  std::vector<std::string> names;  ///< "--state", "-q"; empty for a positional argument
  std::string value;               ///< "DIR"; empty: takes none. A positional's name
  std::string help;
  bool positional() const { return names.empty(); }
};

struct CommandDoc {
  std::string name;  ///< "rejects list"; empty for messina itself
  std::string summary, footer;
  std::vector<OptionDoc> options;
};

/// messina itself first, then every command that can be typed, hidden ones left out.
std::vector<CommandDoc> describe_commands(const CLI::App& app);

/// What can be made: "man", "bash", "zsh", "fish".
std::vector<std::string> generated_kinds();
/// Errors: usage, naming the kinds.
Result<std::string> generate(std::string_view kind, const std::vector<CommandDoc>& commands);

}  // namespace messina::cli
