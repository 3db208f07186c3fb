// Requests and answers of the simulated API, apart from any socket.
#pragma once
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "sim/engine/json_scan.h"

namespace messina::sim {

using Fields = std::vector<std::pair<std::string, std::string>>;

/// One HTTP request. The views must live until execute() returns.
struct Request {
  std::string_view method = "POST";
  std::string_view path = "/";  ///< with the query, as on the request line
  Fields headers;
  std::string_view body;
  std::size_t node = 0;  ///< which listener of its engine took it

  /// A header's value; names compare without case.
  std::optional<std::string_view> header(std::string_view name) const;
  /// "PutItem" of the X-Amz-Target "DynamoDB_20120810.PutItem"; empty without that header.
  std::string_view operation() const;
  /// What stands before the dot of the X-Amz-Target.
  std::string_view target_prefix() const;
};

/// The time at which a request executes.
struct Moment {
  MonoTime mono;
  WallTime wall;
};

/// What to do to the connection around the answer.
enum class Delivery : std::uint8_t { answer, cut, cut_in_body };

struct Answer {
  int status = 200;
  Fields headers;
  std::shared_ptr<const std::string> body;
  bool chunked = false;
  Delivery delivery = Delivery::answer;
  /// Wait that long before delivering.
  Duration wait{};
};

/// An error as the API words it.
struct ApiError {
  int status = 400;
  std::string type;  ///< "ValidationException"
  std::string message;
  std::string extra;  ///< further JSON members, e.g. "\"ThrottlingReasons\":[…]"
};

template <class T>
using Outcome = std::expected<T, ApiError>;

inline std::unexpected<ApiError> refuse(std::string type, std::string message, int status = 400) {
  return std::unexpected<ApiError>(ApiError{status, std::move(type), std::move(message), {}});
}
inline std::unexpected<ApiError> invalid(std::string message) {
  return refuse("ValidationException", std::move(message));
}

/// The members of a request's body. Of duplicate names the first counts, as on ScyllaDB.
class Parameters {
 public:
  explicit Parameters(std::string_view checked_object) : members_(members_of(checked_object)) {}

  const std::vector<Member>& all() const { return members_; }
  /// The value's text; nullopt if the parameter is absent.
  std::optional<std::string_view> raw(std::string_view name) const;
  bool has(std::string_view name) const { return raw(name).has_value(); }
  /// Absent parameters give the default; parameters of another type are refused.
  Outcome<std::string> text(std::string_view name, std::string absent = {}) const;
  Outcome<bool> flag(std::string_view name, bool absent = false) const;
  Outcome<std::optional<std::int64_t>> integer(std::string_view name) const;
  /// An array of strings.
  Outcome<std::vector<std::string>> texts(std::string_view name) const;

 private:
  std::vector<Member> members_;
};

}  // namespace messina::sim
