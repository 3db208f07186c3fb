#include "aws/profile.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "base/log.h"

namespace messina::aws {
namespace {

constexpr std::string_view kSpace = " \t\r";

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

/// A comment may follow a value after white space.
std::string_view without_comment(std::string_view value) {
  for (std::size_t i = 1; i < value.size(); ++i) {
    if ((value[i] == '#' || value[i] == ';') && kSpace.find(value[i - 1]) != std::string_view::npos) {
      return trim(value.substr(0, i));
    }
  }
  return value;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](unsigned char c) { return std::tolower(c); });
  return result;
}

/// The section that "[…]" opens, or null for one that is of no interest here (plugins, preview…).
Section* open_section(std::string_view header, ProfileFile kind, Profiles& profiles) {
  header = trim(header);
  const auto space = header.find_first_of(" \t");
  if (kind == ProfileFile::credentials) return &profiles.profiles[std::string(header)];
  if (space == std::string_view::npos) return header == "default" ? &profiles.profiles["default"] : nullptr;
  const auto type = header.substr(0, space);
  const std::string name(trim(header.substr(space)));
  if (type == "profile") return &profiles.profiles[name];
  if (type == "services") return &profiles.services[name];
  if (type == "sso-session") return &profiles.sso_sessions[name];
  return nullptr;
}

}  // namespace

const Section* Profiles::find(std::string_view profile) const {
  const auto found = profiles.find(profile);
  return found == profiles.end() ? nullptr : &found->second;
}

std::optional<std::string> Profiles::get(std::string_view profile, std::string_view name) const {
  const auto* section = find(profile);
  if (!section) return std::nullopt;
  const auto found = section->find(name);
  if (found == section->end() || found->second.empty()) return std::nullopt;
  return found->second;
}

Result<void> parse_profiles(std::string_view text, ProfileFile kind, const std::string& file_name,
                            Profiles& profiles) {
  Section* section = nullptr;
  bool in_section = false;
  std::string block;  // the setting that an indented line belongs to
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);

    const auto content = trim(line);
    if (content.empty() || content[0] == '#' || content[0] == ';') continue;
    if (content[0] == '[') {
      const auto close = content.find(']');
      if (close == std::string_view::npos) {
        return fail(ErrorKind::config, fmt::format("{}, line {}: \"[\" without \"]\"", file_name, number));
      }
      section = open_section(content.substr(1, close - 1), kind, profiles);
      in_section = true;
      block.clear();
      continue;
    }
    const auto equals = content.find('=');
    const bool nested = line[0] == ' ' || line[0] == '\t';
    if (equals == std::string_view::npos && nested && !block.empty())
      continue;  // continues a value that we do not use
    if (equals == std::string_view::npos || !in_section) {
      return fail(ErrorKind::config,
                  fmt::format("{}, line {}: expected \"[section]\" or \"name = value\"", file_name, number));
    }
    if (!section) continue;
    const auto name = lower(trim(content.substr(0, equals)));
    const auto value = without_comment(trim(content.substr(equals + 1)));
    if (nested && !block.empty()) {
      (*section)[block + "." + name] = value;
    } else {
      (*section)[name] = value;
      block = name;
    }
  }
  return {};
}

FileReader process_files() {
  return [](const std::string& path) -> std::optional<std::string> {
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::nullopt;
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
}

Result<Profiles> load_profiles(const net::Environment& environment, const FileReader& read_file,
                               const std::optional<std::string>& profile) {
  Profiles profiles;
  const auto home = environment("HOME").value_or("");
  const auto path = [&](std::string_view variable, std::string_view file) {
    auto given = environment(variable);
    if (!given || given->empty()) return fmt::format("{}/.aws/{}", home, file);
    return given->starts_with("~/") ? home + given->substr(1) : *given;
  };
  profiles.config_file = path("AWS_CONFIG_FILE", "config");
  profiles.credentials_file = path("AWS_SHARED_CREDENTIALS_FILE", "credentials");
  for (const auto& candidate : {profile, environment("AWS_PROFILE"), environment("AWS_DEFAULT_PROFILE")}) {
    if (!candidate || candidate->empty()) continue;
    profiles.selected = *candidate;
    profiles.selected_by_name = true;
    break;
  }
  // The credentials file comes second, so that it wins.
  for (const auto kind : {ProfileFile::config, ProfileFile::credentials}) {
    const auto& file = kind == ProfileFile::config ? profiles.config_file : profiles.credentials_file;
    const auto text = read_file(file);
    if (!text) continue;
    if (auto parsed = parse_profiles(*text, kind, file, profiles); !parsed) return fail(parsed.error());
  }
  return profiles;
}

}  // namespace messina::aws
