// Credentials that the machine itself has: of a container (ECS, EKS Pod Identity) and of an EC2 instance.
// Sources: Amazon ECS Developer Guide, "Task IAM role"; Amazon EC2 User Guide, "Instance metadata" (IMDSv2).
#pragma once
#include <chrono>
#include <string>

#include "aws/credential_recipe.h"
#include "aws/credentials.h"
#include "net/event_loop.h"

namespace messina::aws {

inline constexpr std::chrono::seconds kContainerPatience{2}, kInstancePatience{1};

/// Error::code where there is no metadata service, or it has no role to give: not a fault, but nothing found.
inline constexpr std::string_view kNoMetadata = "no instance metadata";

/// `authorization`: the header's value; empty: none. Errors: transient, denied, config, corrupt.
Task<Result<Issued>> ask_container(net::EventLoop& loop, const ContainerSource& container,
                                   std::string_view authorization);

/// Asks by version 2 only: a token first, then the role's name, then its credentials. Errors: transient,
/// denied, config, corrupt.
Task<Result<Issued>> ask_instance(net::EventLoop& loop, const InstanceSource& instance);

}  // namespace messina::aws
