#include "tests/replay/recording.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "tests/replay/stream_ids.h"

namespace messina::replay {
namespace {

namespace json = boost::json;

std::string read_file(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + file);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::map<std::string, std::string> fields_of(const json::object& object) {
  std::map<std::string, std::string> fields;
  const json::value* headers = object.if_contains("headers");
  if (headers == nullptr || !headers->is_object()) return fields;
  for (const auto& [name, value] : headers->get_object())
    fields[std::string(name)] = std::string(value.as_string());
  return fields;
}

/// "…[8123 characters]" at the end of what the recorder cut; nullopt if it is whole.
std::optional<std::size_t> cut_mark(const std::string& text, std::size_t& begin) {
  begin = text.rfind("\u2026[");
  constexpr std::string_view kEnd = " characters]";
  if (begin == std::string::npos || !text.ends_with(kEnd)) return std::nullopt;
  return std::stoul(text.substr(begin + std::string_view("\u2026[").size()));
}

/// Rebuilds a request that the recorder cut: either one long run of a letter, or the recorder's numbered
/// batch.
std::string complete(const std::string& text) {
  std::size_t begin = 0;
  const auto size = cut_mark(text, begin);
  if (!size) return text;
  std::string body = text.substr(0, begin);
  if (!text.starts_with("{\"RequestItems\"")) {
    constexpr std::string_view kTail = "\"}}}";
    body.append(*size - kTail.size() - body.size(), body.back());
    return body + std::string(kTail);
  }
  const std::size_t items = *size > 40'000 ? 500 : *size > 8'200 ? 101 : 100;
  body = R"({"RequestItems": {"hashrange": [)";
  for (std::size_t i = 0; i < items; ++i) {
    body += fmt::format(
        R"({}{{"PutRequest": {{"Item": {{"p": {{"S": "b{}"}}, "c": {{"N": "{}"}}, "v": {{"S": "x"}}}}}}}})",
        i == 0 ? "" : ", ", i % 7, i);
  }
  body += "]}}";
  if (body.size() != *size)
    throw std::runtime_error(fmt::format("cannot rebuild a cut request of {} bytes", *size));
  return body;
}

/// The recorder wrote bytes that are no UTF-8 as \xNN.
std::string unescape_bytes(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "\\x") == 0 && i + 4 <= text.size()) {
      out.push_back(static_cast<char>(std::stoul(text.substr(i + 2, 2), nullptr, 16)));
      i += 3;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

/// Members whose values differ in every run, and the mask in their place.
const std::set<std::string_view> kVolatile = {"TableId", "CreationDateTime",
                                              "LastUpdateToPayPerRequestDateTime", "message"};
/// Arrays whose order says nothing: attribute definitions, and the items of a BatchGetItem.
bool is_unordered(std::string_view name, bool in_responses) {
  return in_responses || name == "AttributeDefinitions";
}

void normalise(json::value& value, bool in_responses) {
  if (value.is_array()) {
    for (json::value& element : value.get_array()) normalise(element, false);
    return;
  }
  if (!value.is_object()) return;
  for (auto& [name, member] : value.get_object()) {
    if (kVolatile.contains(std::string_view(name))) {
      member = "(volatile)";
      continue;
    }
    if (mask_stream_name(name, member)) continue;
    normalise(member, name == "Responses");
    if (is_unordered(name, in_responses) && member.is_array()) {
      std::ranges::sort(member.get_array(), {}, [](const json::value& v) { return json::serialize(v); });
    }
  }
}

}  // namespace

std::optional<std::string> recordings_folder(std::string& why) {
  const char* set = std::getenv("MESSINA_SHARED_DATA");
  const std::string folder = set != nullptr ? set : MESSINA_SOURCE_DIR "/../shared/data";
  if (std::filesystem::is_directory(folder + "/scylla-5.2")) return folder;
  why = "NOT TESTED against the recordings of real servers: there is no " + folder +
        "/scylla-5.2. Set MESSINA_SHARED_DATA to the folder that holds scylla-5.2 and scylla-6.2.";
  return std::nullopt;
}

std::vector<Exchange> read_recording(const std::string& file) {
  std::vector<Exchange> exchanges;
  const std::string text = read_file(file);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const json::object line = json::parse(std::string_view(text).substr(at, end - at)).as_object();
    at = end + 1;
    const json::object& request = line.at("request").as_object();
    const json::object& response = line.at("response").as_object();
    Exchange exchange;
    exchange.name = text_of(line, "name");
    if (request.contains("method")) exchange.method = text_of(request, "method");
    if (request.contains("path")) exchange.path = text_of(request, "path");
    exchange.headers = fields_of(request);
    exchange.target = text_of(request, "target");
    exchange.body = complete(text_of(request, "body"));
    if (exchange.name == "gzip request" || exchange.name == "invalid UTF-8")
      exchange.body = unescape_bytes(exchange.body);
    if (response.at("status").is_int64())
      exchange.status = static_cast<int>(response.at("status").get_int64());
    exchange.answer_headers = fields_of(response);
    exchange.answer = text_of(response, "body");
    std::size_t cut = 0;
    const auto size = cut_mark(exchange.answer, cut);
    if (size) exchange.answer.resize(cut);
    exchange.answer_size = size.value_or(exchange.answer.size());
    exchanges.push_back(std::move(exchange));
  }
  return exchanges;
}

json::value comparable(const std::string& answer) {
  json::parse_options options;
  options.allow_invalid_utf8 = true;
  boost::system::error_code error;
  json::value value = json::parse(join_event_names(answer), error, {}, options);
  if (error) return json::value(answer);  // no JSON: an empty body, or the health page
  normalise(value, false);
  return value;
}

std::string error_type(const std::string& answer) {
  boost::system::error_code error;
  const json::value value = json::parse(answer, error);
  if (error || !value.is_object()) return {};
  const std::string type = text_of(value.get_object(), "__type");
  return type.substr(type.find('#') + 1);
}

std::map<std::string, std::string> known_differences(const std::string& version) {
  std::map<std::string, std::string> differences;
  const json::value file = json::parse(read_file(MESSINA_SOURCE_DIR "/tests/replay/differences.json"));
  for (const json::value& entry : file.as_array()) {
    const json::array& versions = entry.at("versions").as_array();
    if (std::ranges::find(versions, json::value(version)) == versions.end()) continue;
    for (const json::value& name : entry.at("exchanges").as_array()) {
      differences[std::string(name.as_string())] = std::string(entry.at("reason").as_string());
    }
  }
  return differences;
}

}  // namespace messina::replay
