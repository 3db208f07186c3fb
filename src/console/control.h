// What commands say to a running job and what it answers: one JSON object a line, through the socket in the
// migration's folder. docs/operate/control-socket.md describes it for others. Pure.
//
//   {"v":1,"do":"status"}                            {"v":1,"ok":true,"snapshot":{…}}
//   {"v":1,"do":"pause"}   {"v":1,"do":"resume"}     {"v":1,"ok":false,"message":"…"}
//   {"v":1,"do":"set","rcu":8000,"concurrency":"auto"}
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "jobs/progress.h"
#include "jobs/steering.h"

namespace messina::console {

/// Of the protocol. A request of another version is refused.
inline constexpr int kControlVersion = 1;
/// The socket's file in the migration's folder.
inline constexpr const char* kControlSocket = "control.sock";

inline constexpr double kMostReadRcu = 1e9;
inline constexpr std::uint32_t kMostWriteConcurrency = 1'000'000;

/// A setting's new value; nullopt: "auto", back to what the process was started with.
template <class T>
using NewValue = std::optional<T>;

struct ControlRequest {
  enum class Verb : std::uint8_t { status, pause, resume, set };
  Verb verb = Verb::status;
  std::optional<NewValue<double>> rcu;                 ///< with `set`: > 0, at most kMostReadRcu
  std::optional<NewValue<std::uint32_t>> concurrency;  ///< with `set`: 1 to kMostWriteConcurrency
};

std::string control_request(const ControlRequest& request);
/// ErrorKind::usage, saying what is wrong: no JSON object, another version, an unknown member, a value out of
/// range, a `set` that sets nothing.
Result<ControlRequest> parse_control_request(std::string_view line);

/// "rcu=8000, concurrency=auto"; "paused", "resumed"; empty for `status`.
std::string describe(const ControlRequest& request);
void apply(const ControlRequest& request, jobs::Steering& steering, const std::string& by, WallTime at);
/// "anna (uid 1000, pid 4711)", or "uid 1000, pid 4711" where the uid has no name.
std::string asker(const std::optional<std::string>& user, std::uint32_t uid, std::int64_t pid);

std::string control_answer(const jobs::Progress& snapshot);
std::string control_refusal(std::string_view message);
/// The snapshot of an answer. Errors: usage (it was refused, with its message), corrupt (no such answer).
Result<jobs::Progress> parse_control_answer(std::string_view line);

}  // namespace messina::console
