// Internal to src/plan: typed access to YAML nodes, with errors that name file, line and key.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <yaml-cpp/yaml.h>

#include "base/error.h"
#include "plan/draft.h"

namespace messina::plan {

/// Thrown inside the reading of a plan only; parse_plan_file() turns it into a value.
struct Malformed {
  Error error;
};

/// A value of a plan with the name under which it stands, e.g. "source.endpoint.port".
struct Field {
  YAML::Node node;
  std::string path;
  int line = 1;  ///< of its key, or of the element of a list
};

using Handler = std::function<void(const Field&)>;
/// The keys that a mapping may have, with what each does.
using Keys = std::vector<std::pair<std::string, Handler>>;

class YamlReader {
 public:
  YamlReader(std::string file_name, const Environment& environment)
      : file_name_(std::move(file_name)), environment_(environment) {}

  [[noreturn]] void fail_at(const YAML::Node& node, const std::string& message) const;
  [[noreturn]] void fail_at(const Field& field, const std::string& message) const;
  std::string where(const Field& field) const;

  /// Calls the handler of each key. Unknown, repeated and non-text keys are errors.
  void mapping(const Field& field, const Keys& keys) const;
  /// The values of a mapping whose keys are not looked at.
  std::vector<Field> members(const Field& field) const;
  std::vector<Field> list(const Field& field) const;
  /// Scalars, after ${ENV} substitution.
  std::string text(const Field& field) const;
  bool boolean(const Field& field) const;
  std::uint64_t whole(const Field& field, std::uint64_t low, std::uint64_t high) const;
  double rate(const Field& field) const;
  /// `parse` of the text; its message gets place and key.
  template <class Parse>
  auto parsed(const Field& field, Parse parse) const {
    auto result = parse(text(field));
    if (!result) fail_at(field, result.error().message);
    return *std::move(result);
  }

 private:
  std::string file_name_;
  const Environment& environment_;
};

}  // namespace messina::plan
