#include "console/control.h"

#include <array>
#include <cmath>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "console/json_line.h"
#include "jobs/progress_json.h"

namespace messina::console {
namespace {

namespace json = boost::json;
using Verb = ControlRequest::Verb;

constexpr std::array<std::pair<std::string_view, Verb>, 4> kVerbs{
    {{"status", Verb::status}, {"pause", Verb::pause}, {"resume", Verb::resume}, {"set", Verb::set}}};

std::string_view name_of(Verb verb) {
  for (const auto& [name, value] : kVerbs)
    if (value == verb) return name;
  return "status";
}

std::optional<Verb> verb_of(std::string_view name) {
  for (const auto& [known, verb] : kVerbs)
    if (known == name) return verb;
  return std::nullopt;
}

template <class T>
std::string value_text(const NewValue<T>& value) {
  return value ? fmt::format("{}", *value) : "auto";
}

template <class T>
std::string value_json(const NewValue<T>& value) {
  return value ? fmt::format("{}", *value) : "\"auto\"";
}

bool is_auto(const json::value& value) { return value.is_string() && value.get_string() == "auto"; }

Result<NewValue<double>> rcu_of(const json::value& value) {
  if (is_auto(value)) return NewValue<double>();
  json::error_code error;
  const auto rcu = value.to_number<double>(error);
  if (error || !std::isfinite(rcu) || rcu <= 0 || rcu > kMostReadRcu)
    return fail(ErrorKind::usage,
                fmt::format("rcu is a rate above 0 and at most {:.0f} RCU a second, or auto", kMostReadRcu));
  return NewValue<double>(rcu);
}

Result<NewValue<std::uint32_t>> concurrency_of(const json::value& value) {
  if (is_auto(value)) return NewValue<std::uint32_t>();
  json::error_code error;
  const auto batches = value.to_number<std::uint32_t>(error);
  if (error || batches < 1 || batches > kMostWriteConcurrency)
    return fail(ErrorKind::usage,
                fmt::format("concurrency is a whole number from 1 to {}, or auto", kMostWriteConcurrency));
  return NewValue<std::uint32_t>(batches);
}

Result<json::object> object_of(std::string_view line) {
  json::error_code error;
  json::value value = json::parse(json::string_view(line.data(), line.size()), error);
  if (error || !value.is_object()) return fail(ErrorKind::usage, "a request is one JSON object on one line");
  return std::move(value.get_object());
}

}  // namespace

std::string control_request(const ControlRequest& request) {
  JsonLine line;
  line.whole("v", kControlVersion).text("do", name_of(request.verb));
  if (request.rcu) line.raw("rcu", value_json(*request.rcu));
  if (request.concurrency) line.raw("concurrency", value_json(*request.concurrency));
  return line.str();
}

Result<ControlRequest> parse_control_request(std::string_view text) {
  auto object = object_of(text);
  if (!object) return fail(object.error());
  const json::value* version = object->if_contains("v");
  if (version == nullptr || *version != json::value(kControlVersion))
    return fail(ErrorKind::usage,
                fmt::format("this job speaks version {} (\"v\":{}) of the control protocol: "
                            "use the messina that runs it",
                            kControlVersion, kControlVersion));
  const json::value* verb_text = object->if_contains("do");
  const auto verb =
      verb_text != nullptr && verb_text->is_string() ? verb_of(verb_text->get_string()) : std::nullopt;
  if (!verb) return fail(ErrorKind::usage, "\"do\" is one of status, pause, resume and set");
  ControlRequest request;
  request.verb = *verb;
  for (const auto& [key, value] : *object) {
    if (key == "v" || key == "do") continue;
    if (*verb == Verb::set && key == "rcu") {
      auto rcu = rcu_of(value);
      if (!rcu) return fail(rcu.error());
      request.rcu = *rcu;
    } else if (*verb == Verb::set && key == "concurrency") {
      auto concurrency = concurrency_of(value);
      if (!concurrency) return fail(concurrency.error());
      request.concurrency = *concurrency;
    } else {
      return fail(ErrorKind::usage,
                  fmt::format("\"{}\" takes no such member: set takes rcu and concurrency", name_of(*verb)));
    }
  }
  if (*verb == Verb::set && !request.rcu && !request.concurrency)
    return fail(ErrorKind::usage, "set what? It takes rcu and concurrency");
  return request;
}

std::string describe(const ControlRequest& request) {
  switch (request.verb) {
    case Verb::status:
      return "";
    case Verb::pause:
      return "paused";
    case Verb::resume:
      return "resumed";
    case Verb::set:
      break;
  }
  std::string text;
  if (request.rcu) text = "rcu=" + value_text(*request.rcu);
  if (request.concurrency)
    text += fmt::format("{}concurrency={}", text.empty() ? "" : ", ", value_text(*request.concurrency));
  return text;
}

void apply(const ControlRequest& request, jobs::Steering& steering, const std::string& by, WallTime at) {
  if (request.verb == Verb::pause || request.verb == Verb::resume)
    steering.pause(request.verb == Verb::pause, by, at);
  if (request.rcu) steering.set_read_rcu(*request.rcu, value_text(*request.rcu), by, at);
  if (request.concurrency)
    steering.set_write_concurrency(*request.concurrency, value_text(*request.concurrency), by, at);
}

std::string asker(const std::optional<std::string>& user, std::uint32_t uid, std::int64_t pid) {
  const std::string ids = fmt::format("uid {}, pid {}", uid, pid);
  return user ? fmt::format("{} ({})", *user, ids) : ids;
}

std::string control_answer(const jobs::Progress& snapshot) {
  return JsonLine()
      .whole("v", kControlVersion)
      .flag("ok", true)
      .raw("snapshot", jobs::progress_to_json(snapshot))
      .str();
}

std::string control_refusal(std::string_view message) {
  return JsonLine().whole("v", kControlVersion).flag("ok", false).text("message", message).str();
}

Result<jobs::Progress> parse_control_answer(std::string_view line) {
  const auto object = object_of(line);
  const json::value* ok = object ? object->if_contains("ok") : nullptr;
  const json::value* snapshot = object ? object->if_contains("snapshot") : nullptr;
  const json::value* message = object ? object->if_contains("message") : nullptr;
  if (ok != nullptr && *ok == json::value(false) && message != nullptr && message->is_string())
    return fail(ErrorKind::usage, std::string(message->get_string()));
  if (ok == nullptr || *ok != json::value(true) || snapshot == nullptr)
    return fail(ErrorKind::corrupt, "the running job's answer is none of the control protocol");
  return jobs::progress_from_json(json::serialize(*snapshot));
}

}  // namespace messina::console
