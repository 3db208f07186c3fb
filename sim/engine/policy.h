// An IAM identity policy, as far as the simulator enforces one: Allow statements with actions, resources and
// StringEquals conditions. Written apart from messina's own policy writer, so that it checks it. Source: AWS
// IAM User Guide, "Policy evaluation logic" and "JSON policy element reference".
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "sim/engine/api.h"

namespace messina::sim {

/// One thing that a request needs leave for.
struct Access {
  std::string action;    ///< "dynamodb:Scan"
  std::string resource;  ///< an ARN, or "*"
  /// Condition keys of the request, in lower case ("kms:viaservice").
  std::map<std::string, std::string> context = {};
};

class Policy {
 public:
  /// Errors: usage, naming what is not understood: what would be ignored could allow too much.
  static Result<Policy> parse(std::string_view json);

  bool allows(const Access& access) const;

 private:
  struct Statement {
    std::vector<std::string> actions;
    std::vector<std::string> resources;
    std::map<std::string, std::vector<std::string>> equals;
  };
  std::vector<Statement> statements_;
};

/// `*` stands for any characters, `?` for one.
bool matches_wildcards(std::string_view pattern, std::string_view text);

/// "dynamodb", "kms", "sts", "monitoring", …: the service that a request is for, as its signature names it.
/// Streams are signed for "dynamodb".
std::string_view service_of(const Request& request);

/// As AWS words it.
ApiError not_allowed(const Access& access);

}  // namespace messina::sim
