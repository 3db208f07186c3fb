#include "jobs/verify_record.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <boost/json.hpp>

#include "base/log.h"

namespace messina::jobs {

namespace {

namespace json = boost::json;

constexpr std::pair<VerifyPhase, std::string_view> kPhases[] = {
    {VerifyPhase::forward, "forward"}, {VerifyPhase::backward, "backward"}, {VerifyPhase::buckets, "buckets"},
    {VerifyPhase::judging, "judging"}, {VerifyPhase::indexes, "indexes"},   {VerifyPhase::done, "done"}};

std::string secret_text(const KeyedHash::Key& key) {
  return base64_encode({reinterpret_cast<const char*>(key.data()), key.size()});
}

std::optional<KeyedHash::Key> secret_of(std::string_view text) {
  const auto bytes = base64_decode(text);
  KeyedHash::Key key;
  if (!bytes || bytes->size() != key.size()) return std::nullopt;
  std::ranges::copy(*bytes, reinterpret_cast<char*>(key.data()));
  return key;
}

/// Calls `visit(name, field)` for each field; the one list that both directions use.
template <class RecordRef, class Visit>
void for_each_field(RecordRef& r, Visit visit) {
  visit("source", r.identity.source);
  visit("target", r.identity.target);
  visit("sourceTableId", r.identity.source_table_id);
  visit("targetTableId", r.identity.target_table_id);
  visit("planFingerprint", r.identity.plan_fingerprint);
  visit("sample", r.scope.sample);
  visit("sampleSeed", r.scope.sample_seed);
  visit("segment", r.scope.segment);
  visit("keysAlone", r.scope.keys_alone);
  visit("exhaustive", r.scope.exhaustive);
  visit("withIndexes", r.scope.indexes);
  visit("secret", r.secret);
  visit("bucketBits", r.bucket_bits);
  visit("phase", r.phase);
  visit("live", r.live);
  visit("beganUnixMs", r.began_unix_ms);
  visit("endedUnixMs", r.ended_unix_ms);
  visit("expectedItems", r.expected_items);
  visit("sourceKeys", r.source_keys);
  visit("targetKeys", r.target_keys);
  visit("sourceDigest", r.source_digest);
  visit("targetDigest", r.target_digest);
  visit("bucketsDiffering", r.buckets_differing);
  visit("bucketsListed", r.buckets_listed);
  visit("touchedJudged", r.touched_judged);
  visit("keysJudged", r.keys_judged);
  visit("judgingSourceRcu", r.judging_source_rcu);
  visit("judgingTargetRcu", r.judging_target_rcu);
  visit("repairedUnixMs", r.repaired_unix_ms);
  visit("repairedKeys", r.repaired_keys);
  visit("indexes", r.indexes);
  visit("against", r.against);
}

template <class FindingsRef, class Visit>
void for_each_index_field(FindingsRef& f, Visit visit) {
  visit("name", f.name);
  visit("absent", f.absent);
  visit("entries", f.entries);
  visit("missing", f.missing);
  visit("extra", f.extra);
  visit("unsettled", f.unsettled);
  visit("missingKeys", f.missing_keys);
  visit("extraKeys", f.extra_keys);
}

struct Writer {
  json::object& out;
  template <class T>
  void operator()(const char* name, const T& value) const {
    out[name] = value;
  }
  void operator()(const char* name, const std::string& text) const { out[name] = log::valid_utf8(text); }
  template <class T>
  void operator()(const char* name, const std::optional<T>& value) const {
    if (value) (*this)(name, *value);
  }
  void operator()(const char* name, const VerifyScope::Segment& segment) const {
    out[name] = json::object{{"index", segment.index}, {"total", segment.total}};
  }
  void operator()(const char* name, const KeyedHash::Key& key) const { out[name] = secret_text(key); }
  void operator()(const char* name, VerifyPhase phase) const { out[name] = json::string(to_string(phase)); }
  void operator()(const char* name, const std::vector<std::string>& texts) const {
    json::array list;
    for (const std::string& text : texts) list.emplace_back(log::valid_utf8(text));
    out[name] = std::move(list);
  }
  void operator()(const char* name, const std::vector<IndexFindings>& indexes) const {
    json::array list;
    for (const IndexFindings& each : indexes) {
      json::object one;
      for_each_index_field(each, Writer{one});
      list.emplace_back(std::move(one));
    }
    out[name] = std::move(list);
  }
};

/// What is missing keeps its default: a younger version may say more than an older one.
struct Reader {
  const json::object& in;
  bool& good;

  template <class T>
  void operator()(const char* name, T& into) const {
    if (const json::value* value = in.if_contains(name)) good = take(*value, into) && good;
  }

  template <class T>
  static bool take(const json::value& value, std::optional<T>& into) {
    into = T();
    return take(value, *into);
  }
  template <class Number>
    requires std::is_arithmetic_v<Number>
  static bool take(const json::value& value, Number& into) {
    boost::system::error_code error;
    into = value.to_number<Number>(error);
    return !error;
  }
  static bool take(const json::value& value, bool& into) {
    if (const bool* said = value.if_bool()) into = *said;
    return value.is_bool();
  }
  static bool take(const json::value& value, std::string& into) {
    if (const json::string* text = value.if_string()) into = std::string(*text);
    return value.is_string();
  }
  static bool take(const json::value& value, VerifyScope::Segment& into) {
    const json::object* object = value.if_object();
    const json::value* index = object != nullptr ? object->if_contains("index") : nullptr;
    const json::value* total = object != nullptr ? object->if_contains("total") : nullptr;
    return index != nullptr && total != nullptr && take(*index, into.index) && take(*total, into.total);
  }
  static bool take(const json::value& value, KeyedHash::Key& into) {
    const json::string* text = value.if_string();
    const auto key = text != nullptr ? secret_of(std::string_view(*text)) : std::nullopt;
    if (key) into = *key;
    return key.has_value();
  }
  static bool take(const json::value& value, VerifyPhase& into) {
    const json::string* text = value.if_string();
    if (text == nullptr) return false;
    const auto* const found = std::ranges::find(kPhases, std::string_view(*text),
                                                &std::pair<VerifyPhase, std::string_view>::second);
    if (found == std::end(kPhases)) return false;
    into = found->first;
    return true;
  }
  static bool take(const json::value& value, IndexFindings& into) {
    const json::object* object = value.if_object();
    bool good = object != nullptr;
    if (good) for_each_index_field(into, Reader{*object, good});
    return good;
  }
  template <class T>
  static bool take(const json::value& value, std::vector<T>& into) {
    const json::array* list = value.if_array();
    if (list == nullptr) return false;
    return std::ranges::all_of(*list, [&](const json::value& each) {
      into.emplace_back();
      return take(each, into.back());
    });
  }
};

}  // namespace

std::string_view to_string(VerifyPhase phase) {
  for (const auto& [each, name] : kPhases)
    if (each == phase) return name;
  return "";
}

std::string to_json(const VerifyRecord& record) {
  json::object out;
  for_each_field(record, Writer{out});
  return json::serialize(out);
}

Result<VerifyRecord> verify_record(std::string_view text) {
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  const json::object* object = error ? nullptr : value.if_object();
  VerifyRecord record;
  bool good = object != nullptr;
  if (good) for_each_field(record, Reader{*object, good});
  if (!good) return fail(ErrorKind::corrupt, "the record of the verification is damaged");
  return record;
}

}  // namespace messina::jobs
