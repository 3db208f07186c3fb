#include "jobs/progress_json.h"

#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/json.hpp>

#include "base/log.h"

namespace messina::jobs {

namespace {

namespace json = boost::json;

/// Calls `visit(name, field)` for every field; the one list that both directions use.
template <class LiveRef, class Visit>
void for_each_live_field(LiveRef& live, Visit visit) {
  visit("roles", live.roles);
  visit("capturing", live.capturing);
  visit("applying", live.applying);
  visit("streamView", live.stream_view);
  visit("events", live.events);
  visit("eventsPerS", live.events_per_s);
  visit("shardsReading", live.shards_reading);
  visit("shardsWaiting", live.shards_waiting);
  visit("shardsDrained", live.shards_drained);
  visit("untilTrimmedS", live.until_trimmed_s);
  visit("lastPolledS", live.last_polled_s);
  visit("spoolKeysAtMost", live.spool_keys_at_most);
  visit("spoolBytes", live.spool_bytes);
  visit("diskFreeBytes", live.disk_free_bytes);
  visit("diskFullInS", live.disk_full_in_s);
  visit("oldestChangeS", live.oldest_change_s);
  visit("spoolFull", live.spool_full);
  visit("spoolReduced", live.spool_reduced);
  visit("spoolReducedRcu", live.spool_reduced_rcu);
  visit("applied", live.applied);
  visit("removed", live.removed);
  visit("reread", live.reread);
  visit("appliedPerS", live.applied_per_s);
  visit("lagS", live.lag_s);
  visit("gaps", live.gaps);
  visit("gapsHealing", live.gaps_healing);
  visit("inStep", live.in_step);
  visit("notInStep", live.not_in_step);
  visit("completeUntilUnixMs", live.complete_until_unix_ms);
  visit("needsPerson", live.needs_person);
}

template <class VerifyRef, class Visit>
void for_each_verify_field(VerifyRef& verify, Visit visit) {
  visit("running", verify.running);
  visit("staying", verify.staying);
  visit("phase", verify.phase);
  visit("items", verify.items);
  visit("targetKeys", verify.target_keys);
  visit("expectedItems", verify.expected_items);
  visit("itemsPerS", verify.items_per_s);
  visit("sourceRcu", verify.source_rcu);
  visit("targetRcu", verify.target_rcu);
  visit("units", verify.units);
  visit("unitsDone", verify.units_done);
  visit("missing", verify.missing);
  visit("extra", verify.extra);
  visit("differs", verify.differs);
  visit("unsettled", verify.unsettled);
  visit("rejected", verify.rejected);
  visit("suspects", verify.suspects);
  visit("judged", verify.judged);
  visit("touchedJudged", verify.touched_judged);
  visit("waitsFor", verify.waits_for);
  visit("notVerified", verify.not_verified);
  visit("beganUnixMs", verify.began_unix_ms);
  visit("endedUnixMs", verify.ended_unix_ms);
}

template <class ProgressRef, class Visit>
void for_each_field(ProgressRef& p, Visit visit) {
  visit("job", p.job);
  visit("table", p.table);
  visit("phase", p.phase);
  visit("pages", p.counts.pages);
  visit("readItems", p.counts.read_items);
  visit("readBytes", p.counts.read_bytes);
  visit("writtenItems", p.counts.written_items);
  visit("rejectedItems", p.counts.rejected_items);
  visit("rcu", p.counts.rcu);
  visit("wcu", p.counts.wcu);
  visit("units", p.units);
  visit("unitsDone", p.units_done);
  visit("unitsSkipped", p.units_skipped);
  visit("expectedItems", p.expected_items);
  visit("expectedBytes", p.expected_bytes);
  visit("share", p.share_done);
  visit("itemsPerS", p.items_per_s);
  visit("bytesPerS", p.bytes_per_s);
  visit("rcuPerS", p.rcu_per_s);
  visit("etaS", p.eta_s);
  visit("holder", p.holder);
  visit("holderDetail", p.holder_detail);
  visit("unknownOutcomes", p.unknown_outcomes);
  visit("retries", p.retries);
  visit("throttles", p.throttles);
  visit("memoryBytes", p.memory_bytes);
  visit("elapsedS", p.elapsed_s);
  visit("idleS", p.idle_s);
  visit("paused", p.paused);
  visit("readBudgetRcuPerS", p.read_budget_rcu_per_s);
  visit("readBudgetWhy", p.read_budget_why);
  visit("writeBudgetWcuPerS", p.write_budget_wcu_per_s);
  visit("writeBudgetWhy", p.write_budget_why);
  visit("applicationRcuPerS", p.application_rcu_per_s);
  visit("applicationWcuPerS", p.application_wcu_per_s);
  visit("writeConcurrency", p.write_concurrency);
  visit("writeConcurrencyWhy", p.write_concurrency_why);
  visit("steering", p.steering);
  visit("live", p.live);
  visit("verify", p.verify);
}

template <class T>
void put(json::object& out, const char* name, const T& value) {
  out[name] = value;
}
/// Some texts are a server's: JSON that is not UTF-8 could not be read back.
void put(json::object& out, const char* name, const std::string& value) {
  out[name] = log::valid_utf8(value);
}
template <class T>
void put(json::object& out, const char* name, const std::optional<T>& value) {
  if (value) out[name] = *value;
}

void put(json::object& out, const char* name, const std::vector<std::string>& texts) {
  json::array list;
  for (const std::string& text : texts) list.emplace_back(log::valid_utf8(text));
  out[name] = std::move(list);
}
void put(json::object& out, const char* name, const std::vector<RoleNote>& roles) {
  json::array list;
  for (const RoleNote& note : roles)
    list.push_back(json::object{{"role", note.role},
                                {"state", note.state},
                                {"why", log::valid_utf8(note.why)},
                                {"exitCode", note.exit_code},
                                {"wish", note.wish}});
  out[name] = std::move(list);
}
void put(json::object& out, const char* name, const std::optional<LiveProgress>& live) {
  if (!live) return;
  json::object inner;
  for_each_live_field(*live, [&inner](const char* field, const auto& value) { put(inner, field, value); });
  out[name] = std::move(inner);
}
void put(json::object& out, const char* name, const std::optional<VerifyProgress>& verify) {
  if (!verify) return;
  json::object inner;
  for_each_verify_field(*verify,
                        [&inner](const char* field, const auto& value) { put(inner, field, value); });
  out[name] = std::move(inner);
}
void put(json::object& out, const char* name, const std::vector<SteeringNote>& notes) {
  json::array list;
  for (const SteeringNote& note : notes)
    list.push_back(json::object{{"setting", note.setting},
                                {"value", note.value},
                                {"by", log::valid_utf8(note.by)},
                                {"atUnixMs", note.at_unix_ms},
                                {"allTables", note.all_tables}});
  out[name] = std::move(list);
}

bool get(const json::value& value, std::string& field) {
  if (!value.is_string()) return false;
  field = std::string(value.get_string());
  return true;
}
template <class Number>
  requires std::is_arithmetic_v<Number>
bool get(const json::value& value, Number& field) {
  json::error_code error;
  field = value.to_number<Number>(error);
  return !error;
}
bool get(const json::value& value, bool& field) {
  if (!value.is_bool()) return false;
  field = value.get_bool();
  return true;
}
bool get(const json::value& value, std::vector<SteeringNote>& notes) {
  if (!value.is_array()) return false;
  for (const json::value& entry : value.get_array()) {
    const json::object* object = entry.if_object();
    if (object == nullptr) return false;
    SteeringNote& note = notes.emplace_back();
    for (const auto& [name, text] :
         {std::pair("setting", &note.setting), std::pair("value", &note.value), std::pair("by", &note.by)}) {
      const json::value* found = object->if_contains(name);
      if (found == nullptr || !get(*found, *text)) return false;
    }
    const json::value* at = object->if_contains("atUnixMs");
    if (at == nullptr || !get(*at, note.at_unix_ms)) return false;
    const json::value* all = object->if_contains("allTables");
    if (all != nullptr && !get(*all, note.all_tables)) return false;
  }
  return true;
}
bool get(const json::value& value, std::vector<RoleNote>& roles) {
  if (!value.is_array()) return false;
  for (const json::value& entry : value.get_array()) {
    const json::object* object = entry.if_object();
    if (object == nullptr) return false;
    RoleNote& note = roles.emplace_back();
    for (const auto& [name, text] : {std::pair("role", &note.role), std::pair("state", &note.state)}) {
      const json::value* found = object->if_contains(name);
      if (found == nullptr || !get(*found, *text)) return false;
    }
    const json::value *why = object->if_contains("why"), *exit = object->if_contains("exitCode"),
                      *wish = object->if_contains("wish");
    if (why != nullptr && !get(*why, note.why)) return false;
    if (exit != nullptr && !get(*exit, note.exit_code)) return false;
    if (wish != nullptr && !get(*wish, note.wish)) return false;
  }
  return true;
}
bool get(const json::value& value, std::vector<std::string>& texts) {
  if (!value.is_array()) return false;
  for (const json::value& entry : value.get_array()) {
    if (!get(entry, texts.emplace_back())) return false;
  }
  return true;
}
template <class T>
bool get(const json::value& value, std::optional<T>& field);
/// Fields that `for_each(visit)` gives; what is missing keeps its default.
template <class ForEach>
bool get_fields(const json::value& value, ForEach for_each) {
  const json::object* object = value.if_object();
  bool good = object != nullptr;
  for_each([&](const char* name, auto& field) {
    const json::value* found = good ? object->if_contains(name) : nullptr;
    if (found != nullptr && !get(*found, field)) good = false;
  });
  return good;
}
bool get(const json::value& value, LiveProgress& live) {
  return get_fields(value, [&](auto visit) { for_each_live_field(live, visit); });
}
bool get(const json::value& value, VerifyProgress& verify) {
  return get_fields(value, [&](auto visit) { for_each_verify_field(verify, visit); });
}
template <class T>
bool get(const json::value& value, std::optional<T>& field) {
  T inner{};
  if (!get(value, inner)) return false;
  field = inner;
  return true;
}

}  // namespace

std::string progress_to_json(const Progress& progress) {
  json::object out;
  for_each_field(progress, [&out](const char* name, const auto& value) { put(out, name, value); });
  return json::serialize(out);
}

Result<Progress> progress_from_json(std::string_view text) {
  json::error_code error;
  const json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error || !value.is_object()) {
    return fail(ErrorKind::corrupt, "the stored progress is no JSON object");
  }
  const json::object& object = value.get_object();
  Progress progress;
  std::string wrong;
  for_each_field(progress, [&](const char* name, auto& field) {
    const json::value* found = object.if_contains(name);
    if (found != nullptr && !get(*found, field)) wrong = name;
  });
  if (!wrong.empty()) {
    return fail(ErrorKind::corrupt, "field \"" + wrong + "\" of the stored progress has a wrong type");
  }
  return progress;
}

}  // namespace messina::jobs
