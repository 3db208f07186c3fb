#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "item/item_json.h"
#include "sim/engine/expression.h"

namespace messina::sim {
namespace {

/// DynamoDB's limit on the length of an expression (Developer Guide, "Quotas"); it bounds our recursion, too.
constexpr std::size_t kMaxExpressionBytes = 4096;
constexpr int kMaxParenthesisDepth = 300;

struct Token {
  enum class Kind { name, value, number, symbol, end } kind = Kind::end;
  std::string text;
};

bool is_name_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

Outcome<std::vector<Token>> tokens_of(std::string_view text) {
  if (text.empty()) return invalid("Invalid expression: The expression can not be empty;");
  if (text.size() > kMaxExpressionBytes)
    return invalid("Invalid expression: Expression size has exceeded the maximum allowed size;");
  std::vector<Token> tokens;
  std::size_t i = 0;
  const auto run = [&](std::size_t from) {
    std::size_t end = from;
    while (end < text.size() && (is_name_char(text[end]) || (text[from - 1] == '#' && text[end] == '-')))
      ++end;
    return end;
  };
  while (i < text.size()) {
    const char c = text[i];
    if (std::isspace(static_cast<unsigned char>(c))) {
      ++i;
      continue;
    }
    std::size_t end = i + 1;
    Token::Kind kind = Token::Kind::symbol;
    if (c == ':' || c == '#' || is_name_char(c)) {
      end = run(i + 1);
      kind = c == ':'                                      ? Token::Kind::value
             : std::isdigit(static_cast<unsigned char>(c)) ? Token::Kind::number
                                                           : Token::Kind::name;
    } else if (text.substr(i, 2) == "<>" || text.substr(i, 2) == "<=" || text.substr(i, 2) == ">=") {
      end = i + 2;
    } else if (std::string_view("=<>()[],.+-").find(c) == std::string_view::npos) {
      return invalid(fmt::format("Invalid expression: Syntax error; token: \"{}\"", c));
    }
    tokens.push_back({kind, std::string(text.substr(i, end - i))});
    i = end;
  }
  tokens.push_back({});
  return tokens;
}

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b,
                            [](char x, char y) { return std::toupper(static_cast<unsigned char>(x)) == y; });
}

class Parser {
 public:
  Parser(std::vector<Token> tokens, Names& names) : tokens_(std::move(tokens)), names_(names) {}

  bool at_end() const { return tokens_[at_].kind == Token::Kind::end; }
  bool take(std::string_view symbol) {
    if (tokens_[at_].kind != Token::Kind::symbol || tokens_[at_].text != symbol) return false;
    ++at_;
    return true;
  }
  bool take_word(std::string_view word) {
    if (!is_word(word)) return false;
    ++at_;
    return true;
  }
  bool is_word(std::string_view word) const {
    return tokens_[at_].kind == Token::Kind::name && same_word(tokens_[at_].text, word);
  }
  const Token& peek() const { return tokens_[at_]; }
  std::unexpected<ApiError> unexpected() const {
    return invalid(
        fmt::format("Invalid expression: Syntax error; token: {}", at_end() ? "<EOF>" : tokens_[at_].text));
  }
  Names& names() { return names_; }
  Token next() { return tokens_[at_++]; }

  Outcome<Path> path() {
    Path path;
    do {
      if (peek().kind != Token::Kind::name) return unexpected();
      auto name = names_.name(next().text);
      if (!name) return std::unexpected(name.error());
      path.emplace_back(std::move(*name));
      while (take("[")) {
        if (peek().kind != Token::Kind::number || peek().text.size() > 6) return unexpected();
        path.emplace_back(static_cast<std::size_t>(std::stoul(next().text)));
        if (!take("]")) return unexpected();
      }
    } while (take("."));
    return path;
  }

  /// A path, a value, or one of `functions` with its arguments.
  Outcome<Operand> operand(const std::vector<std::string_view>& functions) {
    if (peek().kind == Token::Kind::value) {
      std::string token = next().text;
      auto value = names_.value(token);
      if (!value) return std::unexpected(value.error());
      return Operand{std::move(*value), std::move(token)};
    }
    if (peek().kind == Token::Kind::name && tokens_[at_ + 1].text == "(") {
      if (std::ranges::find(functions, peek().text) == functions.end()) {
        return invalid(fmt::format("Invalid expression: Invalid function name; function: {}", peek().text));
      }
      Call call{next().text, {}};
      auto arguments = this->arguments(functions);
      if (!arguments) return std::unexpected(arguments.error());
      call.arguments = std::move(*arguments);
      const std::size_t wanted = call.function == "size" ? 1 : 2;
      if (call.arguments.size() != wanted) return wrong_count(call.function);
      return Operand{std::move(call)};
    }
    auto path = this->path();
    if (!path) return std::unexpected(path.error());
    return Operand{std::move(*path)};
  }

  Outcome<std::vector<Operand>> arguments(const std::vector<std::string_view>& functions) {
    std::vector<Operand> arguments;
    if (!take("(")) return unexpected();
    do {
      auto argument = operand(functions);
      if (!argument) return std::unexpected(argument.error());
      arguments.push_back(std::move(*argument));
    } while (take(","));
    if (!take(")")) return unexpected();
    return arguments;
  }

  std::unexpected<ApiError> wrong_count(std::string_view function) const {
    return invalid(fmt::format(
        "Invalid expression: Incorrect number of operands for operator or function; function: {}", function));
  }

  Outcome<Condition> condition() { return joined("OR", Condition::Kind::or_); }

 private:
  Outcome<Condition> joined(std::string_view word, Condition::Kind kind) {
    const auto part = [&] {
      return kind == Condition::Kind::or_ ? joined("AND", Condition::Kind::and_) : negated();
    };
    auto first = part();
    if (!first || !is_word(word)) return first;
    Condition all{kind, {}, {}, {}};
    all.children.push_back(std::move(*first));
    while (take_word(word)) {
      auto more = part();
      if (!more) return more;
      all.children.push_back(std::move(*more));
    }
    return all;
  }

  Outcome<Condition> negated() {
    if (!take_word("NOT")) return primary();
    auto inner = negated();
    if (!inner) return inner;
    Condition condition{Condition::Kind::not_, {}, {}, {}};
    condition.children.push_back(std::move(*inner));
    return condition;
  }

  Outcome<Condition> primary() {
    if (take("(")) {
      if (++depth_ > kMaxParenthesisDepth) return unexpected();
      auto inner = condition();
      --depth_;
      if (inner && !take(")")) return unexpected();
      return inner;
    }
    static const std::map<std::string_view, std::pair<Condition::Kind, std::size_t>> kFunctions = {
        {"attribute_exists", {Condition::Kind::exists, 1}},
        {"attribute_not_exists", {Condition::Kind::not_exists, 1}},
        {"attribute_type", {Condition::Kind::attribute_type, 2}},
        {"begins_with", {Condition::Kind::begins_with, 2}},
        {"contains", {Condition::Kind::contains, 2}}};
    const auto function = kFunctions.find(peek().text);
    if (function == kFunctions.end() || tokens_[at_ + 1].text != "(") return comparison();
    next();
    auto arguments = this->arguments({"size"});
    if (!arguments) return std::unexpected(arguments.error());
    if (arguments->size() != function->second.second) return wrong_count(function->first);
    if (!std::holds_alternative<Path>(arguments->front().data)) {
      return invalid(fmt::format(
          "Invalid expression: Operator or function requires a document path; operator or function: {}",
          function->first));
    }
    return Condition{function->second.first, {}, std::move(*arguments), {}};
  }

  Outcome<Condition> comparison() {
    auto left = operand({"size"});
    if (!left) return std::unexpected(left.error());
    Condition condition{Condition::Kind::compare, {}, {}, {}};
    condition.arguments.push_back(std::move(*left));
    const auto add = [&]() -> Outcome<void> {
      auto more = operand({"size"});
      if (!more) return std::unexpected(more.error());
      condition.arguments.push_back(std::move(*more));
      return {};
    };
    if (take_word("BETWEEN")) {
      condition.kind = Condition::Kind::between;
      if (const auto ok = add(); !ok) return std::unexpected(ok.error());
      if (!take_word("AND")) return unexpected();
      if (const auto ok = add(); !ok) return std::unexpected(ok.error());
      return condition;
    }
    if (take_word("IN")) {
      condition.kind = Condition::Kind::in;
      auto list = arguments({"size"});
      if (!list) return std::unexpected(list.error());
      std::ranges::move(*list, std::back_inserter(condition.arguments));
      return condition;
    }
    for (const std::string_view comparator : {"=", "<>", "<=", ">=", "<", ">"}) {
      if (!take(comparator)) continue;
      condition.comparator = comparator;
      if (const auto ok = add(); !ok) return std::unexpected(ok.error());
      return condition;
    }
    return unexpected();
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
  Names& names_;
};

Outcome<Operand> set_operand(Parser& parser) {
  const std::vector<std::string_view> functions = {"if_not_exists", "list_append"};
  auto first = parser.operand(functions);
  if (!first) return first;
  const bool plus = parser.take("+");
  if (!plus && !parser.take("-")) return first;
  auto second = parser.operand(functions);
  if (!second) return second;
  Sum sum{{}, !plus};
  sum.terms.push_back(std::move(*first));
  sum.terms.push_back(std::move(*second));
  return Operand{std::move(sum)};
}

Outcome<void> update_clause(Parser& parser, UpdateAction::Kind kind, std::vector<UpdateAction>& actions) {
  do {
    UpdateAction action{kind, {}, std::nullopt};
    auto path = parser.path();
    if (!path) return std::unexpected(path.error());
    action.path = std::move(*path);
    if (kind == UpdateAction::Kind::set && !parser.take("=")) return parser.unexpected();
    if (kind != UpdateAction::Kind::remove) {
      if (kind != UpdateAction::Kind::set && parser.peek().kind != Token::Kind::value)
        return parser.unexpected();
      auto operand = kind == UpdateAction::Kind::set ? set_operand(parser) : parser.operand({});
      if (!operand) return std::unexpected(operand.error());
      action.operand = std::move(*operand);
    }
    actions.push_back(std::move(action));
  } while (parser.take(","));
  return {};
}

/// One path may not be a prefix of another: the outcome would depend on the order.
bool overlap(const Path& a, const Path& b) {
  return std::equal(a.begin(), a.begin() + static_cast<long>(std::min(a.size(), b.size())), b.begin());
}

}  // namespace

Outcome<Names> Names::read(const Parameters& parameters, const Personality& personality) {
  Names names;
  if (const auto raw = parameters.raw("ExpressionAttributeNames")) {
    for (Member& member : members_of(*raw)) {
      auto text = string_of(member.value);
      if (!text || !member.name.starts_with('#'))
        return invalid("ExpressionAttributeNames contains invalid key: Syntax error");
      names.names_.emplace(std::move(member.name), std::move(*text));
    }
  }
  if (const auto raw = parameters.raw("ExpressionAttributeValues")) {
    for (Member& member : members_of(*raw)) {
      if (!member.name.starts_with(':'))
        return invalid("ExpressionAttributeValues contains invalid key: Syntax error");
      auto value = item::parse_value(member.value, personality.items);
      if (!value)
        return invalid("ExpressionAttributeValues contains invalid value: " + value.error().message);
      names.raws_.emplace(member.name, member.value);
      names.values_.emplace(std::move(member.name), std::move(*value));
    }
  }
  return names;
}

Outcome<std::string> Names::name(const std::string& token) {
  if (!token.starts_with('#')) return token;
  const auto found = names_.find(token);
  if (found == names_.end()) {
    return invalid(fmt::format(
        "An expression attribute name used in the document path is not defined; attribute name: {}", token));
  }
  used_.insert(token);
  return found->second;
}

Outcome<item::Value> Names::value(const std::string& token) {
  const auto found = values_.find(token);
  if (found == values_.end()) {
    return invalid(fmt::format(
        "An expression attribute value used in expression is not defined; attribute value: {}", token));
  }
  used_.insert(token);
  return found->second;
}

Outcome<std::string_view> Names::raw_value(const std::string& token) {
  if (const auto value = this->value(token); !value) return std::unexpected(value.error());
  return raws_.at(token);
}

Outcome<void> Names::check_all_used() const {
  for (const auto& [name, text] : names_) {
    if (!used_.contains(name))
      return invalid(fmt::format(
          "Value provided in ExpressionAttributeNames unused in expressions: keys: {{{}}}", name));
  }
  for (const auto& [name, value] : values_) {
    if (!used_.contains(name))
      return invalid(fmt::format(
          "Value provided in ExpressionAttributeValues unused in expressions: keys: {{{}}}", name));
  }
  return {};
}

Outcome<Condition> parse_condition(std::string_view text, Names& names) {
  auto tokens = tokens_of(text);
  if (!tokens) return std::unexpected(tokens.error());
  Parser parser(std::move(*tokens), names);
  auto condition = parser.condition();
  if (condition && !parser.at_end()) return parser.unexpected();
  return condition;
}

Outcome<KeyCondition> parse_key_condition(std::string_view text, Names& names,
                                          std::string_view partition_name, std::string_view sort_name) {
  auto parsed = parse_condition(text, names);
  if (!parsed) return std::unexpected(parsed.error());
  std::vector<Condition> parts;
  if (parsed->kind == Condition::Kind::and_) {
    parts = std::move(parsed->children);
  } else {
    parts.push_back(std::move(*parsed));
  }
  KeyCondition key;
  for (Condition& part : parts) {
    const Path* path = part.arguments.empty() ? nullptr : std::get_if<Path>(&part.arguments.front().data);
    const std::string* name =
        path != nullptr && path->size() == 1 ? std::get_if<std::string>(&path->front()) : nullptr;
    const bool values =
        std::all_of(part.arguments.begin() + (part.arguments.empty() ? 0 : 1), part.arguments.end(),
                    [](const Operand& o) { return std::holds_alternative<item::Value>(o.data); });
    if (name == nullptr || !values) return invalid("Invalid operator used in KeyConditionExpression");
    if (*name == partition_name && key.partition_value.empty()) {
      if (part.kind != Condition::Kind::compare || part.comparator != "=")
        return invalid("Query key condition not supported");
      key.partition_value = *names.raw_value(part.arguments[1].token);
    } else if (*name == sort_name && !key.sort) {
      const bool fine = (part.kind == Condition::Kind::compare && part.comparator != "<>") ||
                        part.kind == Condition::Kind::between || part.kind == Condition::Kind::begins_with;
      if (!fine) return invalid("Query key condition not supported");
      key.sort = std::move(part);
    } else {
      return invalid("Query condition missed key schema element: " + std::string(partition_name));
    }
  }
  if (key.partition_value.empty())
    return invalid("Query condition missed key schema element: " + std::string(partition_name));
  return key;
}

Outcome<std::vector<UpdateAction>> parse_update(std::string_view text, Names& names) {
  auto tokens = tokens_of(text);
  if (!tokens) return std::unexpected(tokens.error());
  Parser parser(std::move(*tokens), names);
  std::vector<UpdateAction> actions;
  std::set<UpdateAction::Kind> seen;
  static constexpr std::pair<std::string_view, UpdateAction::Kind> kClauses[] = {
      {"SET", UpdateAction::Kind::set},
      {"REMOVE", UpdateAction::Kind::remove},
      {"ADD", UpdateAction::Kind::add},
      {"DELETE", UpdateAction::Kind::del}};
  while (!parser.at_end()) {
    const auto clause =
        std::ranges::find_if(kClauses, [&](const auto& c) { return parser.take_word(c.first); });
    if (clause == std::end(kClauses)) return parser.unexpected();
    if (!seen.insert(clause->second).second) {
      return invalid(fmt::format(
          "Invalid UpdateExpression: The \"{}\" section can only be used once in an update expression;",
          clause->first));
    }
    if (const auto ok = update_clause(parser, clause->second, actions); !ok)
      return std::unexpected(ok.error());
  }
  for (std::size_t i = 0; i < actions.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      if (overlap(actions[i].path, actions[k].path))
        return invalid("Invalid UpdateExpression: Two document paths overlap with each other");
    }
  }
  return actions;
}

Outcome<std::vector<Path>> parse_projection(std::string_view text, Names& names) {
  auto tokens = tokens_of(text);
  if (!tokens) return std::unexpected(tokens.error());
  Parser parser(std::move(*tokens), names);
  std::vector<Path> paths;
  do {
    auto path = parser.path();
    if (!path) return std::unexpected(path.error());
    for (const Path& other : paths) {
      if (overlap(*path, other))
        return invalid("Invalid ProjectionExpression: Two document paths overlap with each other");
    }
    paths.push_back(std::move(*path));
  } while (parser.take(","));
  if (!parser.at_end()) return parser.unexpected();
  return paths;
}

}  // namespace messina::sim
