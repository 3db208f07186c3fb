// /_sim/…: what tests and rehearsals steer the simulator with. Not part of any real service.
#include <algorithm>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "base/json_text.h"
#include "sim/engine/engine.h"

namespace messina::sim {
namespace {

namespace json = boost::json;

/// Statuses that may be forced on a table; an empty one ends that.
constexpr std::string_view kStatuses[] = {
    "", "ACTIVE", "CREATING", "UPDATING", "ARCHIVING", "ARCHIVED", "INACCESSIBLE_ENCRYPTION_CREDENTIALS"};

json::object describe_rule(const FaultRule& rule) {
  json::object out{{"id", rule.id},
                   {"kind", to_string(rule.kind)},
                   {"probability", rule.probability},
                   {"ms", rule.delay.count()},
                   {"skip", rule.skip},
                   {"matched", rule.matched},
                   {"fired", rule.fired}};
  if (!rule.operation.empty()) out["operation"] = rule.operation;
  if (!rule.table.empty()) out["table"] = rule.table;
  if (rule.node) out["node"] = *rule.node;
  if (rule.count) out["count"] = *rule.count;
  if (rule.kind == FaultKind::reject_items) out["attribute"] = rule.attribute;
  return out;
}

Outcome<json::value> parse_body(std::string_view body) {
  boost::system::error_code error;
  json::value value = json::parse(json::string_view(body.data(), body.size()), error);
  if (error) return invalid("the body is no JSON: " + error.message());
  return value;
}

Outcome<std::int64_t> milliseconds(const json::value& value, std::string_view name) {
  if (value.is_int64()) return value.get_int64();
  return invalid(fmt::format("\"{}\" must be a whole number of milliseconds", name));
}

}  // namespace

Outcome<std::uint64_t> Engine::load(std::string_view table_name, std::string_view lines) {
  const auto table = find_table(table_name);
  if (!table) return std::unexpected(table.error());
  std::uint64_t count = 0;
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (check_json(line, {settings_.personality.max_json_depth, settings_.personality.require_utf8})) {
      return invalid(fmt::format("line {} is no JSON", count + 1));
    }
    // Lines of S3 exports hold {"Item":{…}}; an item whose only attribute is a map called Item looks
    // different inside.
    const Parameters wrapper(line);
    const auto inner = wrapper.all().size() == 1 ? wrapper.raw("Item") : std::nullopt;
    const bool wrapped =
        inner && !members_of(*inner).empty() && members_of(*inner).front().value.starts_with('{');
    auto item = check_item(wrapped ? *inner : line, (*table)->spec.keys, settings_.personality, "load");
    if (!item) {
      ApiError error = item.error();
      error.message = fmt::format("line {}: {}", count + 1, error.message);
      return std::unexpected(std::move(error));
    }
    apply(**table, item->key, &*item,
          settings_.personality.last_write_wins ? std::optional(next_stamp(0)) : std::nullopt,
          ChangeCause::put, wrapped ? *inner : line);
    ++count;
  }
  return count;
}

Answer Engine::control(const Request& request) {
  const std::string_view path = request.path.substr(std::string_view("/_sim/").size());
  Outcome<std::string> outcome =
      refuse("NotFound", fmt::format("no such control: {} {}", request.method, request.path), 404);
  if (path == "faults") outcome = control_faults(request);
  if (path == "clock") outcome = control_clock(request);
  if (path == "credentials" && request.method == "POST") outcome = control_credentials(request);
  if (path == "stats" && request.method == "GET") outcome = control_stats();
  if (path == "policy" && request.method == "POST") outcome = control_policy(request);
  if (path.starts_with("tables/"))
    outcome = control_tables(request, path.substr(std::string_view("tables/").size()));
  if (path == "reset" && request.method == "POST") {
    tables_.clear();
    streams_.clear();
    faults_.reset();
    late_.clear();
    calls_.clear();
    stopped_until_ = {};
    lost_writes_ = late_writes_done_ = session_tokens_seen_ = refused_signatures_ = 0;
    outcome = "{}";
  }
  Answer answer = answer_of(outcome);
  answer.chunked = false;
  return answer;
}

Outcome<std::string> Engine::control_faults(const Request& request) {
  if (request.method == "POST") {
    auto body = parse_body(request.body);
    if (!body) return std::unexpected(body.error());
    const json::object* one = body->if_object();
    if (one != nullptr && one->size() == 1 && one->contains("clear")) {
      faults_.clear();
      return std::string("{}");
    }
    json::array rules = body->is_array() ? body->get_array() : json::array{*body};
    std::vector<FaultRule> parsed;
    for (const json::value& rule : rules) {
      if (!rule.is_object()) return invalid("a fault must be an object");
      auto fault = Faults::parse(rule.get_object());
      if (!fault) return invalid(fault.error().message);
      if (fault->kind == FaultKind::expire_iterator &&
          settings_.personality.streams.iterator_life == Duration{}) {
        return invalid("Alternator's iterators do not expire");
      }
      if (fault->kind == FaultKind::wrong_crc && !settings_.personality.sends_crc) {
        return invalid("Alternator sends no CRC that could be wrong");
      }
      parsed.push_back(std::move(*fault));
    }
    json::array ids;
    for (FaultRule& rule : parsed) ids.push_back(faults_.add(std::move(rule)));
    return json::serialize(json::object{{"ids", std::move(ids)}});
  }
  json::array rules;
  for (const FaultRule& rule : faults_.rules()) rules.push_back(describe_rule(rule));
  json::object fired;
  for (const auto& [kind, count] : faults_.fired()) fired[to_string(kind)] = count;
  return json::serialize(
      json::object{{"seed", settings_.seed}, {"rules", std::move(rules)}, {"fired", std::move(fired)}});
}

Outcome<std::string> Engine::control_tables(const Request& request, std::string_view rest) {
  const std::size_t slash = rest.find('/');
  const std::string name(rest.substr(0, slash));
  const std::string_view action = slash == std::string_view::npos ? "" : rest.substr(slash + 1);
  const auto table = find_table(name);
  if (!table) return std::unexpected(table.error());
  if (action == "load" && request.method == "POST") {
    const auto count = load(name, request.body);
    if (!count) return std::unexpected(count.error());
    return fmt::format("{{\"loaded\":{}}}", *count);
  }
  if (action == "dump" && request.method == "GET") {
    std::string lines;
    for (const auto& [key, row] : (*table)->rows()) {
      if (!row.deleted) lines += row.json + "\n";
    }
    return lines;
  }
  if (action == "status" && request.method == "POST") {
    const auto body = parse_body(request.body);
    if (!body) return std::unexpected(body.error());
    const json::value* status = body->is_object() ? body->get_object().if_contains("status") : nullptr;
    for (const std::string_view known : kStatuses) {
      if (status == nullptr || *status != json::value(known)) continue;
      (*table)->forced_status = known;
      return std::string("{}");
    }
    return invalid("\"status\" must be a table's status");
  }
  if (action == "stream") return control_stream(**table, request);
  if (action == "index" && request.method == "POST") return control_index(**table, request);
  if (action == "expire" && request.method == "POST")
    return fmt::format("{{\"expired\":{}}}", expire_items(**table));
  if (action == "consumed") return control_consumed(**table, request);
  return refuse("NotFound", fmt::format("no such control: {} {}", request.method, request.path), 404);
}

/// {"index":NAME,"lose":[KEY…],"add":[ITEM…]}: entries of these keys are not shown any more, those of these
/// items are; an index that is not what the items say. Without lists it is whole again.
Outcome<std::string> Engine::control_index(Table& table, const Request& request) {
  const auto body = parse_body(request.body);
  if (!body) return std::unexpected(body.error());
  const json::object* given = body->if_object();
  const json::value* name = given != nullptr ? given->if_contains("index") : nullptr;
  const auto index = std::ranges::find_if(table.spec.indexes, [name](const Index& each) {
    return name != nullptr && *name == json::value(each.name);
  });
  if (index == table.spec.indexes.end()) return invalid("\"index\" must be one of the table's");
  const item::KeySchema& keys = table.spec.keys;
  const auto key_of = [&](const json::value& item) {
    json::object key;
    for (const auto& [attribute, value] : item.is_object() ? item.get_object() : json::object()) {
      const std::string_view called = attribute;
      if (called == keys.partition.name || (keys.sort && called == keys.sort->name)) key[attribute] = value;
    }
    return check_key(json::serialize(key), keys, settings_.personality);
  };
  std::set<RowKey> lost;
  std::map<RowKey, Row> strays;
  for (const auto& [list, adds] : {std::pair("lose", false), std::pair("add", true)}) {
    const json::value* items = given->if_contains(list);
    if (items == nullptr) continue;
    if (!items->is_array()) return invalid(fmt::format("\"{}\" must be a list", list));
    for (const json::value& item : items->get_array()) {
      const auto key = key_of(item);
      if (!key) return std::unexpected(key.error());
      if (adds)
        strays[*key].json = json::serialize(item);
      else
        lost.insert(*key);
    }
  }
  index->lost = std::move(lost);
  index->strays = std::move(strays);
  return std::string("{}");
}

/// GET: what each second consumed. POST {"reads":R,"writes":W,"seconds":S}: as if somebody had used so much
/// each second, for the last S seconds.
Outcome<std::string> Engine::control_consumed(Table& table, const Request& request) {
  const std::int64_t present = std::chrono::system_clock::to_time_t(now().wall);
  if (request.method == "POST") {
    const auto body = parse_body(request.body);
    if (!body) return std::unexpected(body.error());
    const auto number = [&](std::string_view name) {
      const json::value* value = body->is_object() ? body->get_object().if_contains(name) : nullptr;
      return value != nullptr && value->is_number() ? value->to_number<double>() : 0.0;
    };
    const double seconds = number("seconds");
    if (!(seconds >= 1 && seconds <= 86'400)) return invalid("\"seconds\" must be a number from 1 to 86400");
    for (std::int64_t second = present - static_cast<std::int64_t>(seconds); second < present; ++second) {
      table.consumed[second].reads += number("reads");
      table.consumed[second].writes += number("writes");
    }
    return std::string("{}");
  }
  json::array seconds;
  for (const auto& [second, consumed] : table.consumed)
    seconds.push_back(json::array{second, consumed.reads, consumed.writes});
  return json::serialize(json::object{{"now", present},
                                      {"seconds", std::move(seconds)},
                                      {"throttled_reads", table.throttled_reads},
                                      {"throttled_writes", table.throttled_writes}});
}

Outcome<std::string> Engine::control_policy(const Request& request) {
  if (settings_.personality.alternator) return invalid("IAM policies are DynamoDB's");
  if (request.body.empty() || request.body == "{}") {
    settings_.policy.reset();
    return std::string("{}");
  }
  auto policy = Policy::parse(request.body);
  if (!policy) return invalid(policy.error().message);
  settings_.policy = std::make_shared<const Policy>(std::move(*policy));
  return std::string("{}");
}

Outcome<std::string> Engine::control_clock(const Request& request) {
  if (request.method == "POST") {
    const auto body = parse_body(request.body);
    if (!body) return std::unexpected(body.error());
    if (!body->is_object()) return invalid("the clock takes {\"advance_ms\":…,\"skew_ms\":[…]}");
    for (const auto& [name, value] : body->get_object()) {
      if (name == "advance_ms") {
        const auto by = milliseconds(value, name);
        if (!by) return std::unexpected(by.error());
        if (*by < 0) return invalid("the clock only goes forward");
        clock_offset_ += std::chrono::milliseconds(*by);
      } else if (name == "skew_ms" && value.is_array() &&
                 value.get_array().size() == settings_.nodes.size()) {
        for (std::size_t i = 0; i < settings_.nodes.size(); ++i) {
          const auto skew = milliseconds(value.get_array()[i], name);
          if (!skew) return std::unexpected(skew.error());
          settings_.nodes[i].skew = std::chrono::milliseconds(*skew);
        }
      } else {
        return invalid("the clock takes {\"advance_ms\":…,\"skew_ms\":[one per node]}");
      }
    }
    run_due();
  }
  json::array skews;
  for (const Node& node : settings_.nodes) skews.push_back(node.skew.count());
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(now().wall.time_since_epoch()).count();
  return json::serialize(json::object{{"wall_ms", ms}, {"skew_ms", std::move(skews)}});
}

Outcome<std::string> Engine::control_credentials(const Request& request) {
  const auto body = parse_body(request.body);
  if (!body) return std::unexpected(body.error());
  const json::object* given = body->if_object();
  const auto text = [&](const char* name) -> std::string {
    const json::value* value = given == nullptr ? nullptr : given->if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
  };
  AuthSettings& auth = settings_.auth;
  const std::string key = text("access_key");
  if (key.empty() || text("secret_key").empty())
    return invalid("the credentials take {\"access_key\":…,\"secret_key\":…,\"session_token\":…}");
  std::erase(auth.expired_keys, key);
  if (!auth.access_key.empty() && auth.access_key != key) auth.expired_keys.push_back(auth.access_key);
  auth.access_key = key;
  auth.secret_key = Secret(text("secret_key"));
  auth.session_token = text("session_token");
  return std::string("{}");
}

std::string Engine::control_stats() const {
  json::object calls;
  for (const auto& [operation, count] : calls_) calls[operation] = count;
  json::object tables;
  for (const auto& [name, table] : tables_) {
    tables[name] =
        json::object{{"items", table.live_rows()}, {"bytes", table.live_bytes()}, {"id", table.id}};
    if (table.stream) tables[name].get_object()["stream_records"] = table.stream->appended();
  }
  return json::serialize(json::object{{"calls", std::move(calls)},
                                      {"tables", std::move(tables)},
                                      {"lost_writes", lost_writes_},
                                      {"late_writes_pending", late_.size()},
                                      {"late_writes_done", late_writes_done_},
                                      {"session_tokens_seen", session_tokens_seen_},
                                      {"refused_signatures", refused_signatures_}});
}

}  // namespace messina::sim
