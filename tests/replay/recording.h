// Recorded exchanges with real servers, and how answers are compared.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/value.hpp>

namespace messina::replay {

/// One recorded exchange.
struct Exchange {
  std::string name;
  std::string method = "POST";
  std::string path = "/";
  std::string target;                          ///< X-Amz-Target; empty: none
  std::map<std::string, std::string> headers;  ///< of the request
  std::string body;                            ///< whole, also where the recording cut it
  int status = 0;                              ///< 0: no answer came
  std::map<std::string, std::string> answer_headers;
  std::string answer;
  std::size_t answer_size = 0;  ///< of the whole answer; `answer` may be its beginning only
};

/// The folder of the recordings, or nullopt; then `why` says so.
std::optional<std::string> recordings_folder(std::string& why);
/// Throws std::runtime_error if the file cannot be read: it must not be skipped by mistake.
std::vector<Exchange> read_recording(const std::string& file);

/// An answer with what is different in every run masked, and what has no order sorted.
boost::json::value comparable(const std::string& answer);
/// "ValidationException" of an error's body; empty if it is none.
std::string error_type(const std::string& answer);

/// Differences that are known and wanted: exchange name → reason.
std::map<std::string, std::string> known_differences(const std::string& version);

}  // namespace messina::replay
