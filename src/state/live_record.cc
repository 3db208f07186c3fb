#include "state/live_record.h"

#include <optional>
#include <utility>

#include <boost/json.hpp>

namespace messina::state {

namespace json = boost::json;

namespace {

constexpr std::pair<BackwardPass, std::string_view> kBackward[] = {{BackwardPass::not_owed, "not owed"},
                                                                   {BackwardPass::owed, "owed"},
                                                                   {BackwardPass::due, "due"},
                                                                   {BackwardPass::done, "done"}};

json::string_view name_of(BackwardPass pass) {
  for (const auto& [each, name] : kBackward) {
    if (each == pass) return name;
  }
  return "";
}

std::optional<BackwardPass> backward_of(std::string_view name) {
  for (const auto& [each, each_name] : kBackward) {
    if (each_name == name) return each;
  }
  return std::nullopt;
}

/// Members of one object; what is missing has its default, since a younger format may say more than an older.
class Members {
 public:
  explicit Members(const json::object& object) : object_(object) {}

  void take(std::string_view name, std::string& into) {
    const json::value* value = find(name);
    if (value == nullptr) return;
    if (const json::string* text = value->if_string())
      into = std::string(*text);
    else
      good_ = false;
  }
  void take(std::string_view name, bool& into) {
    const json::value* value = find(name);
    if (value == nullptr) return;
    if (const bool* said = value->if_bool())
      into = *said;
    else
      good_ = false;
  }
  template <class Integer>
  void take(std::string_view name, Integer& into) {
    const json::value* value = find(name);
    if (value == nullptr) return;
    boost::system::error_code error;
    const auto number = value->to_number<Integer>(error);
    if (error)
      good_ = false;
    else
      into = number;
  }
  const json::value* find(std::string_view name) const { return object_.if_contains(name); }
  void bad() { good_ = false; }
  bool good() const { return good_; }

 private:
  const json::object& object_;
  bool good_ = true;
};

}  // namespace

std::string to_json(const LiveRecord& record) {
  json::array gaps;
  for (const GapRecord& gap : record.gaps) {
    gaps.push_back(json::object{{"cause", gap.cause},
                                {"detail", gap.detail},
                                {"since_unix_ms", gap.since_unix_ms},
                                {"noticed_unix_ms", gap.noticed_unix_ms}});
  }
  const json::object all{{"owner", record.authority.owner},
                         {"epoch", record.authority.epoch},
                         {"awaits_former_owner", record.awaits_former_owner},
                         {"capture_epoch", record.capture_epoch},
                         {"stream", record.stream},
                         {"capture_began_unix_ms", record.capture_began_unix_ms},
                         {"backward", name_of(record.backward)},
                         {"backward_cursor", record.backward_cursor},
                         {"gaps", std::move(gaps)},
                         {"gaps_healing", record.gaps_healing}};
  return json::serialize(all);
}

Result<LiveRecord> live_record(std::string_view text) {
  const auto corrupt = [] { return fail(ErrorKind::corrupt, "the record of the live migration is damaged"); };
  boost::system::error_code error;
  const json::value parsed = json::parse(text, error);
  const json::object* object = error ? nullptr : parsed.if_object();
  if (object == nullptr) return corrupt();

  LiveRecord record;
  Members members(*object);
  members.take("owner", record.authority.owner);
  members.take("epoch", record.authority.epoch);
  members.take("awaits_former_owner", record.awaits_former_owner);
  members.take("capture_epoch", record.capture_epoch);
  members.take("stream", record.stream);
  members.take("capture_began_unix_ms", record.capture_began_unix_ms);
  std::string backward(name_of(record.backward));
  members.take("backward", backward);
  members.take("backward_cursor", record.backward_cursor);
  members.take("gaps_healing", record.gaps_healing);
  const std::optional<BackwardPass> pass = backward_of(backward);
  if (!members.good() || !pass) return corrupt();
  record.backward = *pass;

  const json::value* gaps = members.find("gaps");
  if (gaps == nullptr) return record;
  if (!gaps->is_array()) return corrupt();
  for (const json::value& each : gaps->get_array()) {
    const json::object* of = each.if_object();
    if (of == nullptr) return corrupt();
    Members told(*of);
    GapRecord gap;
    told.take("cause", gap.cause);
    told.take("detail", gap.detail);
    told.take("since_unix_ms", gap.since_unix_ms);
    told.take("noticed_unix_ms", gap.noticed_unix_ms);
    if (!told.good()) return corrupt();
    record.gaps.push_back(std::move(gap));
  }
  return record;
}

}  // namespace messina::state
