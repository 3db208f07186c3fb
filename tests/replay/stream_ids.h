// A server's streams, shards and iterators have names of its own making: what a recording says of them is
// translated for the simulator, and compared by what in it is no chance.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include "tests/replay/recording.h"

namespace messina::replay {

/// What stands for a recorded name here.
class StreamIds {
 public:
  /// Learns the names in an answer, from its twin in the recording.
  void learn(const std::string& recorded, const std::string& here);
  /// A recorded request's body with the names of here.
  std::string translate(std::string body) const;

 private:
  void learn(const boost::json::value& recorded, const boost::json::value& here);
  std::map<std::string, std::string> names_;
};

/// Masks what is different in every run: times, random digits. Tokens, the vnode's number, the kind of an
/// iterator and all lengths stay. `member` is the JSON member's name; false if it holds none of the names of
/// streams.
bool mask_stream_name(std::string_view member, boost::json::value& value);

/// eventName, which a record may carry twice, as one member with both: "INSERT+MODIFY".
std::string join_event_names(std::string answer);

/// The first tokens of the recorded cluster's vnodes, read from the shards of the stream that it described.
std::vector<std::int64_t> vnodes_of(const std::vector<Exchange>& exchanges);

}  // namespace messina::replay
