#include "plan/plan_json.h"

#include <limits>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/hash.h"
#include "plan/text.h"
#include "plan/units.h"

namespace messina::plan {
namespace {

namespace json = boost::json;

json::object transform_json(const CopyPlan& plan) {
  json::object renames;
  for (const auto& [from, to] : plan.transform.renames) renames[from] = to;
  json::array drops;
  for (const std::string& name : plan.transform.drops) drops.emplace_back(name);
  json::array skipped;
  for (const std::uint32_t segment : plan.skip_segments) skipped.emplace_back(segment);
  json::object out;
  out["renames"] = std::move(renames);
  out["drop"] = std::move(drops);
  if (plan.segments) out["segments"] = *plan.segments;
  out["skip_segments"] = std::move(skipped);
  return out;
}

json::object endpoint_object(const EndpointSpec& spec) {
  json::object out;
  out["kind"] = spec.kind == EndpointKind::alternator ? "alternator" : "dynamodb";
  out["table"] = spec.table;
  const auto put = [&](const char* key, const std::string& value) {
    if (!value.empty()) out[key] = value;
  };
  const auto put_if = [&](const char* key, const auto& value) {
    if (value) out[key] = *value;
  };
  put("region", spec.region);
  put_if("endpoint_url", spec.endpoint_url);
  put("host", spec.host);
  if (spec.port != 0) out["port"] = spec.port;
  if (spec.tls) out["tls"] = true;
  put("ca_file", spec.ca_file);
  if (spec.insecure_tls) out["insecure_tls"] = true;
  put_if("profile", spec.profile);
  put_if("access_key", spec.access_key);
  put_if("secret_key_env", spec.secret_key_env);
  put_if("secret_key_file", spec.secret_key_file);
  put_if("role_arn", spec.role_arn);
  put_if("role_session_name", spec.role_session_name);
  put_if("role_external_id", spec.role_external_id);
  put("datacenter", spec.datacenter);
  put("rack", spec.rack);
  if (spec.gzip_requests) out["gzip_requests"] = true;
  put_if("max_batch_items", spec.max_batch_items);
  put_if("max_connections", spec.max_connections);
  return out;
}

std::string_view name_of(SchemaMode mode) {
  switch (mode) {
    case SchemaMode::create:
      return "create";
    case SchemaMode::check:
      return "check";
    case SchemaMode::skip:
      return "skip";
  }
  return "create";
}

/// Thrown inside this file only.
struct Wrong {
  std::string what;
};

const json::object& object_of(const json::value& value, std::string_view what) {
  if (!value.is_object()) throw Wrong{fmt::format("{} is not an object", what)};
  return value.get_object();
}

class ObjectReader {
 public:
  explicit ObjectReader(const json::object& object) : object_(object) {}

  void text(const char* key, std::string& to) const {
    if (const json::value* value = object_.if_contains(key)) to = string_of(key, *value);
  }
  void text(const char* key, std::optional<std::string>& to) const {
    if (const json::value* value = object_.if_contains(key)) to = string_of(key, *value);
  }
  void flag(const char* key, bool& to) const {
    const json::value* value = object_.if_contains(key);
    if (value == nullptr) return;
    if (!value->is_bool()) throw Wrong{fmt::format("\"{}\" is not true or false", key)};
    to = value->get_bool();
  }
  template <class T>
  void whole(const char* key, T& to) const {
    const json::value* value = object_.if_contains(key);
    if (value == nullptr) return;
    to = whole_of<T>(key, *value);
  }
  template <class T>
  void whole(const char* key, std::optional<T>& to) const {
    const json::value* value = object_.if_contains(key);
    if (value != nullptr) to = whole_of<T>(key, *value);
  }
  const json::value* find(const char* key) const { return object_.if_contains(key); }

  static std::string string_of(const char* key, const json::value& value) {
    if (!value.is_string()) throw Wrong{fmt::format("\"{}\" is not a text", key)};
    return std::string(value.get_string());
  }
  template <class T>
  static T whole_of(const char* key, const json::value& value) {
    const bool fits = (value.is_int64() && value.get_int64() >= 0 &&
                       static_cast<std::uint64_t>(value.get_int64()) <= std::numeric_limits<T>::max()) ||
                      (value.is_uint64() && value.get_uint64() <= std::numeric_limits<T>::max());
    if (!fits) throw Wrong{fmt::format("\"{}\" is not a whole number in its range", key)};
    return static_cast<T>(value.is_int64() ? static_cast<std::uint64_t>(value.get_int64())
                                           : value.get_uint64());
  }

 private:
  const json::object& object_;
};

EndpointSpec endpoint_of(const json::value& value, std::string_view what) {
  const ObjectReader in(object_of(value, what));
  EndpointSpec spec;
  std::string kind;
  in.text("kind", kind);
  if (kind == "alternator")
    spec.kind = EndpointKind::alternator;
  else if (kind == "dynamodb")
    spec.kind = EndpointKind::dynamodb;
  else
    throw Wrong{fmt::format("{}: unknown kind {}", what, shown(kind))};
  in.text("table", spec.table);
  in.text("region", spec.region);
  in.text("endpoint_url", spec.endpoint_url);
  in.text("host", spec.host);
  in.whole("port", spec.port);
  in.flag("tls", spec.tls);
  in.text("ca_file", spec.ca_file);
  in.flag("insecure_tls", spec.insecure_tls);
  in.text("profile", spec.profile);
  in.text("access_key", spec.access_key);
  in.text("secret_key_env", spec.secret_key_env);
  in.text("secret_key_file", spec.secret_key_file);
  in.text("role_arn", spec.role_arn);
  in.text("role_session_name", spec.role_session_name);
  in.text("role_external_id", spec.role_external_id);
  in.text("datacenter", spec.datacenter);
  in.text("rack", spec.rack);
  in.flag("gzip_requests", spec.gzip_requests);
  in.whole("max_batch_items", spec.max_batch_items);
  in.whole("max_connections", spec.max_connections);
  return spec;
}

void read_transform(const ObjectReader& in, CopyPlan& plan) {
  if (const json::value* renames = in.find("renames"))
    for (const auto& [from, to] : object_of(*renames, "\"renames\""))
      plan.transform.renames.emplace(from, ObjectReader::string_of("renames", to));
  if (const json::value* drops = in.find("drop")) {
    if (!drops->is_array()) throw Wrong{"\"drop\" is not a list"};
    for (const json::value& name : drops->get_array())
      plan.transform.drops.insert(ObjectReader::string_of("drop", name));
  }
  in.whole("segments", plan.segments);
  if (const json::value* skipped = in.find("skip_segments")) {
    if (!skipped->is_array()) throw Wrong{"\"skip_segments\" is not a list"};
    for (const json::value& segment : skipped->get_array())
      plan.skip_segments.insert(ObjectReader::whole_of<std::uint32_t>("skip_segments", segment));
  }
}

CopyPlan plan_of(const json::value& value) {
  const ObjectReader in(object_of(value, "the plan"));
  int format = 0;
  in.whole("format", format);
  if (format != kPlanJsonFormat)
    throw Wrong{fmt::format("it has format {}, and this messina knows {}", format, kPlanJsonFormat)};
  CopyPlan plan;
  for (const auto& [key, spec] : {std::pair("source", &plan.source), std::pair("target", &plan.target)}) {
    const json::value* side = in.find(key);
    if (side == nullptr) throw Wrong{fmt::format("\"{}\" is missing", key)};
    *spec = endpoint_of(*side, key);
  }
  read_transform(in, plan);
  std::string schema = "create";
  in.text("schema", schema);
  const auto mode = parse_schema_mode(schema);
  if (!mode) throw Wrong{mode.error().message};
  plan.schema = *mode;
  in.text("write_isolation", plan.write_isolation);
  in.flag("into_existing", plan.into_existing);
  in.flag("allow_write_aws", plan.allow_write_aws);
  for (const auto& [key, budget] : {std::pair("read_rcu_per_s", &plan.read_rcu_per_s),
                                    std::pair("write_wcu_per_s", &plan.write_wcu_per_s)}) {
    const json::value* rate = in.find(key);
    if (rate == nullptr) continue;
    if (rate->is_string() && rate->get_string() == "unlimited") {
      *budget = kUnlimited;
      continue;
    }
    if (!rate->is_number() || rate->to_number<double>() <= 0)
      throw Wrong{fmt::format("\"{}\" is not a number above 0", key)};
    *budget = rate->to_number<double>();
  }
  for (const auto& [key, share] :
       {std::pair("read_share", &plan.read_share), std::pair("write_share", &plan.write_share)}) {
    const json::value* given = in.find(key);
    if (given == nullptr) continue;
    const double number = given->is_number() ? given->to_number<double>() : 0;
    if (!(number > 0 && number <= 1)) throw Wrong{fmt::format("\"{}\" is not a number over 0, up to 1", key)};
    *share = number;
  }
  in.flag("eventually_consistent", plan.eventually_consistent);
  in.whole("write_concurrency", plan.write_concurrency);
  in.whole("loops", plan.loops);
  in.whole("memory_bytes", plan.memory_bytes);
  std::uint64_t milliseconds = static_cast<std::uint64_t>(plan.clock_error.count());
  in.whole("clock_error_ms", milliseconds);
  plan.clock_error = std::chrono::milliseconds(milliseconds);
  milliseconds = static_cast<std::uint64_t>(plan.dead_after.count());
  in.whole("dead_after_ms", milliseconds);
  plan.dead_after = std::chrono::milliseconds(milliseconds);
  in.text("state_dir", plan.state_dir);
  return plan;
}

}  // namespace

std::string to_json(const CopyPlan& plan) {
  json::object out;
  out["format"] = kPlanJsonFormat;
  out["source"] = endpoint_object(plan.source);
  out["target"] = endpoint_object(plan.target);
  for (auto& [key, value] : transform_json(plan)) out[key] = value;
  out["schema"] = std::string(name_of(plan.schema));
  if (plan.write_isolation) out["write_isolation"] = *plan.write_isolation;
  out["into_existing"] = plan.into_existing;
  out["allow_write_aws"] = plan.allow_write_aws;
  const auto budget = [&out](const char* key, const std::optional<double>& rate) {
    if (!rate) return;
    out[key] = *rate == kUnlimited ? json::value("unlimited") : json::value(*rate);
  };
  budget("read_rcu_per_s", plan.read_rcu_per_s);
  budget("write_wcu_per_s", plan.write_wcu_per_s);
  if (plan.read_share) out["read_share"] = *plan.read_share;
  if (plan.write_share) out["write_share"] = *plan.write_share;
  if (plan.eventually_consistent) out["eventually_consistent"] = true;
  if (plan.write_concurrency) out["write_concurrency"] = *plan.write_concurrency;
  out["loops"] = plan.loops;
  out["memory_bytes"] = plan.memory_bytes;
  out["clock_error_ms"] = plan.clock_error.count();
  out["dead_after_ms"] = plan.dead_after.count();
  out["state_dir"] = plan.state_dir;
  return json::serialize(out);
}

Result<CopyPlan> plan_from_json(std::string_view text) {
  boost::system::error_code error;
  const json::value value = json::parse({text.data(), text.size()}, error);
  if (error) return fail(ErrorKind::usage, fmt::format("the plan is not JSON: {}", error.message()));
  try {
    return plan_of(value);
  } catch (const Wrong& wrong) {
    return fail(ErrorKind::usage, fmt::format("the plan cannot be read: {}", wrong.what));
  }
}

std::string fingerprint(const CopyPlan& plan) {
  return to_hex(sha256(json::serialize(transform_json(plan))));
}

}  // namespace messina::plan
