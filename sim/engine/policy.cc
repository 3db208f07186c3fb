#include "sim/engine/policy.h"

#include <algorithm>
#include <cctype>

#include <boost/json/parse.hpp>
#include <fmt/format.h>

namespace messina::sim {
namespace {

namespace json = boost::json;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

Result<std::vector<std::string>> one_or_more(const json::value& value, std::string_view what) {
  std::vector<std::string> texts;
  const json::array list = value.is_array() ? value.get_array() : json::array{value};
  for (const json::value& element : list) {
    if (!element.is_string())
      return fail(ErrorKind::usage, fmt::format("{} must be a string or a list of strings", what));
    texts.emplace_back(element.get_string());
  }
  if (texts.empty()) return fail(ErrorKind::usage, fmt::format("{} is empty", what));
  return texts;
}

}  // namespace

bool matches_wildcards(std::string_view pattern, std::string_view text) {
  // The last star seen, and where its match began: a mismatch lets it swallow one character more.
  std::size_t p = 0, t = 0, star = std::string_view::npos, swallowed = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      swallowed = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++swallowed;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Result<Policy> Policy::parse(std::string_view text) {
  const auto refuse = [](std::string why) { return fail(ErrorKind::usage, "the policy: " + std::move(why)); };
  boost::system::error_code failure;
  const json::value root = json::parse({text.data(), text.size()}, failure);
  if (failure) return refuse("it is no JSON: " + failure.message());
  const json::value* listed = root.is_object() ? root.get_object().if_contains("Statement") : nullptr;
  if (listed == nullptr) return refuse("it has no \"Statement\"");
  const json::array statements = listed->is_array() ? listed->get_array() : json::array{*listed};
  Policy policy;
  for (const json::value& element : statements) {
    if (!element.is_object()) return refuse("a statement must be an object");
    Statement statement;
    bool allow = false;
    for (const auto& [name, value] : element.get_object()) {
      if (name == "Sid") continue;
      if (name == "Effect") {
        allow = value == "Allow";
      } else if (name == "Action") {
        auto actions = one_or_more(value, "Action");
        if (!actions) return refuse(actions.error().message);
        for (const std::string& action : *actions) statement.actions.push_back(lower(action));
      } else if (name == "Resource") {
        auto resources = one_or_more(value, "Resource");
        if (!resources) return refuse(resources.error().message);
        statement.resources = std::move(*resources);
      } else if (name == "Condition" && value.is_object() && value.get_object().size() == 1 &&
                 value.get_object().contains("StringEquals") &&
                 value.get_object().at("StringEquals").is_object()) {
        for (const auto& [key, wanted] : value.get_object().at("StringEquals").get_object()) {
          auto values = one_or_more(wanted, "StringEquals");
          if (!values) return refuse(values.error().message);
          statement.equals[lower(key)] = std::move(*values);
        }
      } else {
        return refuse(fmt::format("messina-sim does not know \"{}\" of a statement, or this form of it",
                                  std::string_view(name)));
      }
    }
    if (!allow) return refuse("messina-sim knows the Effect \"Allow\" only");
    if (statement.actions.empty() || statement.resources.empty())
      return refuse("a statement needs Action and Resource");
    policy.statements_.push_back(std::move(statement));
  }
  return policy;
}

bool Policy::allows(const Access& access) const {
  const std::string action = lower(access.action);
  return std::ranges::any_of(statements_, [&](const Statement& statement) {
    const auto fits = [](std::string_view text) {
      return [text](const std::string& pattern) { return matches_wildcards(pattern, text); };
    };
    const bool conditions = std::ranges::all_of(statement.equals, [&](const auto& wanted) {
      const auto found = access.context.find(wanted.first);
      return found != access.context.end() &&
             std::ranges::find(wanted.second, found->second) != wanted.second.end();
    });
    return conditions && std::ranges::any_of(statement.actions, fits(action)) &&
           std::ranges::any_of(statement.resources, fits(access.resource));
  });
}

std::string_view service_of(const Request& request) {
  const std::string_view prefix = request.target_prefix();
  if (prefix.starts_with("TrentService")) return "kms";
  if (prefix.starts_with("GraniteServiceVersion")) return "monitoring";
  if (prefix.empty() &&
      request.header("content-type").value_or("").starts_with("application/x-www-form-urlencoded")) {
    return "sts";
  }
  return "dynamodb";
}

ApiError not_allowed(const Access& access) {
  return {
      400,
      "AccessDeniedException",
      fmt::format("User: arn:aws:iam::000000000000:user/sim is not authorized to perform: {0} on resource: "
                  "{1} because no identity-based policy allows the {0} action",
                  access.action, access.resource),
      {}};
}

}  // namespace messina::sim
