// Replays what was asked of real ScyllaDB servers against the simulator and compares the answers: status,
// type of error, and all values but volatile ones. Known differences, each with its reason, stand in
// differences.json.
#include <iostream>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include "sim/engine/engine.h"
#include "tests/replay/recording.h"
#include "tests/replay/stream_ids.h"

namespace messina::replay {
namespace {

/// "Sun, 22 Nov 2026 10:30:54 GMT" as Unix seconds; 0 if the answer has none.
std::time_t date_of(const Exchange& exchange) {
  const auto date = exchange.answer_headers.find("Date");
  std::tm parts{};
  if (date == exchange.answer_headers.end()) return 0;
  return strptime(date->second.c_str(), "%a, %d %b %Y %H:%M:%S", &parts) == nullptr ? 0 : timegm(&parts);
}

sim::Request request_of(const Exchange& exchange) {
  sim::Request request;
  request.method = exchange.method;
  request.path = exchange.path;
  for (const auto& [name, value] : exchange.headers) request.headers.emplace_back(name, value);
  if (!exchange.target.empty()) request.headers.emplace_back("X-Amz-Target", exchange.target);
  request.body = exchange.body;
  return request;
}

/// What differs, in words; empty if nothing does.
std::string difference(const Exchange& expected, const sim::Answer& answer) {
  if (expected.status == 0)
    return answer.delivery == sim::Delivery::answer ? "the connection was cut, here it was answered" : "";
  if (answer.delivery != sim::Delivery::answer) return "answered, here the connection was cut";
  if (answer.status != expected.status) {
    return "status " + std::to_string(expected.status) + ", here " + std::to_string(answer.status) + ": " +
           *answer.body;
  }
  const auto type = expected.answer_headers.find("Content-Type");
  for (const auto& [name, value] : answer.headers) {
    if (name == "Content-Type" && type != expected.answer_headers.end() && type->second != value) {
      return "Content-Type " + type->second + ", here " + value;
    }
  }
  if (expected.status != 200) {
    const std::string was = error_type(expected.answer);
    const std::string is = error_type(*answer.body);
    return was == is ? "" : "error " + was + ", here " + is + ": " + *answer.body;
  }
  if (expected.answer_size != expected.answer.size()) {
    // Cut by the recorder: its beginning and its length must do.
    const bool same =
        answer.body->starts_with(expected.answer) && answer.body->size() == expected.answer_size;
    return same ? ""
                : "another beginning or length (" + std::to_string(expected.answer_size) + ", here " +
                      std::to_string(answer.body->size()) + ")";
  }
  const auto was = comparable(expected.answer);
  const auto is = comparable(*answer.body);
  return was == is ? "" : boost::json::serialize(was) + "\n  here " + boost::json::serialize(is);
}

/// What numbers, ids and iterators say of each other, which masks and lengths cannot show: must hold in the
/// recordings, too.
void expect_consistent(const std::string& text) {
  boost::system::error_code error;
  const boost::json::value answer = boost::json::parse(text, error);
  if (error || !answer.is_object()) return;
  const auto number = [](const boost::json::value& value) {
    return sim::parse_sequence_number(std::string_view(value.as_string()), sim::StreamStyle::alternator)
        .value();
  };
  if (const auto* stream = answer.get_object().if_contains("StreamDescription")) {
    for (const boost::json::value& shard : stream->at("Shards").as_array()) {
      const std::string id(shard.at("ShardId").as_string());
      const std::chrono::milliseconds made(std::stoll(id.substr(1, id.find(':') - 1), nullptr, 16));
      const auto start = number(shard.at("SequenceNumberRange").at("StartingSequenceNumber"));
      EXPECT_EQ(start.high, sim::uuid_time(WallTime(made))) << "a shard begins when its name says";
    }
  }
  const auto* records = answer.get_object().if_contains("Records");
  std::optional<sim::SequenceNumber> before;
  for (const boost::json::value& record : records == nullptr ? boost::json::array() : records->as_array()) {
    const std::string event(record.at("eventID").as_string());
    const auto here = number(record.at("dynamodb").at("SequenceNumber"));
    if (before) {
      EXPECT_LT(*before, here);
      EXPECT_EQ(event.substr(event.find(':') + 1), sim::uuid_text(*before)) << "the id of the record before";
    }
    before = here;
  }
  if (!before) return;
  const std::string next(answer.at("NextShardIterator").as_string());
  EXPECT_EQ(next.substr(38, 36), sim::uuid_text(*before));
}

void replay(const std::string& folder, const std::string& version) {
  const auto exchanges = read_recording(folder + "/scylla-" + version + "/alternator.jsonl");
  ASSERT_GT(exchanges.size(), 150u);
  auto known = known_differences(version);
  ASSERT_LE(known.size(), 20u) << "the list of differences is meant to stay short";

  ManualClock clock;
  clock.set_wall(WallTime(std::chrono::seconds(1'795'343'450)));
  sim::EngineSettings settings;
  settings.personality =
      sim::alternator(version == "5.2" ? sim::ScyllaVersion::v5_2 : sim::ScyllaVersion::v6_2);
  settings.personality.max_batch_write = 0;  // the limit of 100 is younger than both
  settings.personality.streams.vnodes = vnodes_of(exchanges);
  ASSERT_EQ(settings.personality.streams.vnodes.size(), 16u);
  sim::Engine engine(settings, clock);
  // "healthy: 127.0.0.1:28000"
  const std::string& health = exchanges.front().answer;
  engine.set_node_address(0, "127.0.0.1",
                          static_cast<std::uint16_t>(std::stoul(health.substr(health.rfind(':') + 1))));

  std::map<std::string, bool> differed;
  StreamIds ids;
  const std::time_t first_date = date_of(exchanges.front());
  const WallTime began = clock.wall();
  for (Exchange exchange : exchanges) {
    SCOPED_TRACE(version + ": " + exchange.name);
    // A stream's records show late: the recorder waited for them.
    const auto recorded_at =
        began + std::chrono::seconds(std::max(first_date, date_of(exchange)) - first_date);
    clock.advance(std::max<Duration>(std::chrono::milliseconds(10), recorded_at - clock.wall()));
    exchange.body = ids.translate(std::move(exchange.body));
    const sim::Answer answer = engine.handle(request_of(exchange));
    if (exchange.name == "get records" || exchange.name == "describe stream") {
      expect_consistent(exchange.answer);
      expect_consistent(*answer.body);
    }
    if (answer.body) ids.learn(exchange.answer, *answer.body);
    const std::string text = difference(exchange, answer);
    if (known.contains(exchange.name)) {
      differed[exchange.name] = differed[exchange.name] || !text.empty();
    } else {
      EXPECT_EQ(text, "");
    }
  }
  for (const auto& [name, reason] : known) {
    EXPECT_TRUE(differed[name]) << version << ": \"" << name
                                << "\" does not differ (any more): take it off the list";
  }
}

class Replay : public testing::TestWithParam<std::string> {};

TEST_P(Replay, AnswersAsTheRealServerDid) {
  std::string why;
  const auto folder = recordings_folder(why);
  if (!folder) {
    std::cerr << why << "\n";
    GTEST_SKIP() << why;
  }
  replay(*folder, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Versions, Replay, testing::Values("5.2", "6.2"),
                         [](const auto& param) { return param.param == "5.2" ? "Scylla5_2" : "Scylla6_2"; });

}  // namespace
}  // namespace messina::replay
