// Environments and files as tests of credentials write them down.
#pragma once
#include <map>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "aws/profile.h"

namespace messina::aws {

using Variables = std::map<std::string, std::string, std::less<>>;

inline net::Environment environment_of(Variables variables) {
  variables.try_emplace("HOME", "/home/ann");
  return [variables](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

inline FileReader files_of(Variables files) {
  return [files](const std::string& path) -> std::optional<std::string> {
    const auto found = files.find(path);
    return found == files.end() ? std::nullopt : std::optional(found->second);
  };
}

inline Profiles profiles_of(const Variables& variables, const Variables& files,
                            std::optional<std::string> profile = {}) {
  auto loaded = load_profiles(environment_of(variables), files_of(files), profile);
  EXPECT_TRUE(loaded.has_value()) << loaded.error().message;
  return loaded.value_or(Profiles{});
}

inline constexpr const char* kConfigFile = "/home/ann/.aws/config";
inline constexpr const char* kCredentialsFile = "/home/ann/.aws/credentials";

}  // namespace messina::aws
