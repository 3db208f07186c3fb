#include "tests/replay/stream_ids.h"

#include <algorithm>
#include <regex>
#include <set>

#include <boost/json/parse.hpp>

namespace messina::replay {
namespace {

namespace json = boost::json;

const std::set<std::string_view> kNames = {"StreamArn",     "LatestStreamArn",  "LastEvaluatedStreamArn",
                                           "ShardId",       "ParentShardId",    "LastEvaluatedShardId",
                                           "ShardIterator", "NextShardIterator"};

json::value parse(const std::string& text) {
  boost::system::error_code error;
  json::value value = json::parse(text, error);
  return error ? json::value() : value;
}

/// 16 digits of token, 38 random bits, 22 of the vnode's number and 4 of the version.
std::string mask_stream_id(const std::string& id) {
  return id.size() == 32 ? id.substr(0, 16) + ".........." + id.substr(26) : "(" + id + "?)";
}

std::string mask_shard_id(const std::string& id) {
  const std::size_t colon = id.find(':');
  const std::string time = std::regex_replace(id.substr(0, colon), std::regex("[0-9a-f]"), "h");
  return colon == std::string::npos ? id : time + ":" + mask_stream_id(id.substr(colon + 1));
}

std::string mask_uuid(const std::string& uuid) {
  // The nil UUID stands for the beginning, and this low half for an instant without an event.
  if (uuid.find_first_not_of("0-") == std::string::npos) return uuid;
  const std::string kept = uuid.ends_with("-8080-808080808080") ? uuid.substr(uuid.size() - 18) : "";
  const std::string rest = uuid.substr(0, uuid.size() - kept.size());
  return std::regex_replace(rest, std::regex("[0-9a-f]"), "h") + kept;
}

/// I<uuid>:<uuid>:<shard id>
std::string mask_iterator(const std::string& iterator) {
  static const std::regex kForm("([Ii])([0-9a-f-]{36}):([0-9a-f-]{36}):(.*)");
  std::smatch parts;
  if (!std::regex_match(iterator, parts, kForm)) return "(" + iterator + "?)";
  return parts.str(1) + mask_uuid(parts.str(2)) + ":" + mask_uuid(parts.str(3)) + ":" +
         mask_shard_id(parts.str(4));
}

}  // namespace

void StreamIds::learn(const std::string& recorded, const std::string& here) {
  learn(parse(recorded), parse(here));
}

void StreamIds::learn(const json::value& recorded, const json::value& here) {
  if (recorded.is_array() && here.is_array()) {
    const std::size_t count = std::min(recorded.get_array().size(), here.get_array().size());
    for (std::size_t i = 0; i < count; ++i) learn(recorded.get_array()[i], here.get_array()[i]);
  }
  if (!recorded.is_object() || !here.is_object()) return;
  for (const auto& [name, value] : recorded.get_object()) {
    const json::value* twin = here.get_object().if_contains(name);
    if (twin == nullptr) continue;
    if (kNames.contains(std::string_view(name)) && value.is_string() && twin->is_string()) {
      names_[std::string(value.get_string())] = twin->get_string();
    } else {
      learn(value, *twin);
    }
  }
}

std::string StreamIds::translate(std::string body) const {
  for (const auto& [recorded, here] : names_) {
    const std::string quoted = "\"" + recorded + "\"";
    for (std::size_t at = body.find(quoted); at != std::string::npos;
         at = body.find(quoted, at + here.size())) {
      body.replace(at, quoted.size(), "\"" + here + "\"");
    }
  }
  return body;
}

bool mask_stream_name(std::string_view member, json::value& value) {
  if (member == "ApproximateCreationDateTime" && value.is_int64()) {
    value = "(whole seconds)";
    return true;
  }
  if (!value.is_string()) return false;
  const std::string text(value.get_string());
  if (member == "ShardId" || member == "ParentShardId" || member == "LastEvaluatedShardId") {
    value = mask_shard_id(text);
  } else if (member == "ShardIterator" || member == "NextShardIterator") {
    value = mask_iterator(text);
  } else if (kNames.contains(member)) {
    value = text.substr(0, 1) + mask_uuid(text.substr(1));
  } else if (member == "SequenceNumber" || member == "StartingSequenceNumber" ||
             member == "EndingSequenceNumber") {
    value = std::to_string(text.size()) + " digits";
  } else if (member == "eventID" && text.find(':') != std::string::npos) {
    const std::size_t colon = text.find(':');
    value = "E" + mask_stream_id(text.substr(1, colon - 1)) + ":" +
            std::regex_replace(text.substr(colon + 1), std::regex("[0-9a-f]"), "h");
  } else if (member == "StreamLabel" || member == "LatestStreamLabel") {
    value = std::regex_replace(text, std::regex("[0-9]"), "d");
  } else {
    return false;
  }
  return true;
}

std::string join_event_names(std::string answer) {
  static const std::regex kTwice(R"x("eventName":"(\w+)","eventName":"(\w+)")x");
  return std::regex_replace(answer, kTwice, R"x("eventName":"$1+$2")x");
}

std::vector<std::int64_t> vnodes_of(const std::vector<Exchange>& exchanges) {
  constexpr std::uint64_t kCpuRun = 1ULL << 51;  // tokens of the second CPU begin at a multiple of it
  std::vector<std::int64_t> tokens;
  for (const Exchange& exchange : exchanges) {
    if (exchange.name != "describe stream") continue;
    const json::value described = json::parse(exchange.answer);
    for (const json::value& shard : described.at("StreamDescription").at("Shards").as_array()) {
      const std::string id(shard.at("ShardId").as_string());
      const std::uint64_t token = std::stoull(id.substr(id.find(':') + 1, 16), nullptr, 16);
      if (token % kCpuRun != 0) tokens.push_back(static_cast<std::int64_t>(token));
    }
  }
  std::ranges::sort(tokens);
  return tokens;
}

}  // namespace messina::replay
