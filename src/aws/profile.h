// The AWS CLI's configuration files: ~/.aws/config and ~/.aws/credentials.
// Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files".
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/proxy.h"

namespace messina::aws {

/// Settings of one section. Names are lower case; a setting of a nested block is named "block.name", so the
/// services section's `dynamodb =` / `endpoint_url = …` is "dynamodb.endpoint_url".
using Section = std::map<std::string, std::string, std::less<>>;

/// Both files, merged: where they disagree about a profile, the credentials file wins.
struct Profiles {
  std::map<std::string, Section, std::less<>> profiles;
  std::map<std::string, Section, std::less<>> services;      ///< [services NAME]
  std::map<std::string, Section, std::less<>> sso_sessions;  ///< [sso-session NAME]
  std::string selected = "default";           ///< AWS_PROFILE, AWS_DEFAULT_PROFILE or "default"
  bool selected_by_name = false;              ///< somebody asked for it, so it has to exist
  std::string config_file, credentials_file;  ///< as looked for; for messages

  const Section* find(std::string_view profile) const;
  /// A setting of a profile; nullopt if absent or empty.
  std::optional<std::string> get(std::string_view profile, std::string_view name) const;
};

enum class ProfileFile : bool { config, credentials };

/// Adds the text of one file to `profiles`. Errors (config) name `file_name` and the line, never the line's
/// text.
Result<void> parse_profiles(std::string_view text, ProfileFile kind, const std::string& file_name,
                            Profiles& profiles);

/// Reads a whole file; nullopt if there is none. Handed in so that tests need no real files.
using FileReader = std::function<std::optional<std::string>(const std::string& path)>;
FileReader process_files();

/// Reads both files from where AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE (or HOME) say. Files that are
/// missing count as empty. `profile`: one asked for by a flag; goes before AWS_PROFILE.
Result<Profiles> load_profiles(const net::Environment& environment, const FileReader& read_file,
                               const std::optional<std::string>& profile = {});

}  // namespace messina::aws
