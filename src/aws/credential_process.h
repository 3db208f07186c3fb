// Runs a credential_process of a profile.
// Source: AWS SDKs and Tools Reference Guide, "Process credential provider".
#pragma once
#include <chrono>
#include <string>

#include "base/async.h"
#include "base/error.h"
#include "base/secret.h"
#include "net/event_loop.h"

namespace messina::aws {

/// It may ask somebody for a second factor; the AWS SDK for Go waits as long.
inline constexpr std::chrono::seconds kProcessPatience{60};

/// What `sh -c command` prints on stdout, at most 64 KiB. Its stdin and stderr are /dev/null: what it says
/// there may be a secret. Ended by force, with its children, when the patience is over. Errors (config) do
/// not show the command.
Task<Result<Secret>> run_credential_process(net::EventLoop& loop, const std::string& command,
                                            Duration patience);

}  // namespace messina::aws
