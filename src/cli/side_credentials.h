// The credentials of a DynamoDB side: found by AWS's chain, fetched once so that what is wrong shows at the
// start.
#pragma once
#include <memory>
#include <string>

#include "aws/credentials.h"
#include "aws/endpoint_resolve.h"
#include "aws/profile.h"
#include "base/error.h"
#include "net/event_loop.h"
#include "plan/plan.h"

namespace messina::cli {

struct SideCredentials {
  std::shared_ptr<aws::CredentialsProvider> provider;  ///< null: requests are not signed
  std::string account_hint;  ///< tells accounts apart: an access key's id, or a role
};

/// `home` renews them and must outlive their users. Blocks until the first ones are there, or `stop` (may be
/// null) is asked for. `side`: "source" or "target"; begins messages. Errors: config, denied, expired,
/// transient, stopped; an address on AWS without credentials is one (config), and lists what was tried.
Result<SideCredentials> open_credentials(const plan::EndpointSpec& spec, const std::string& side,
                                         const aws::ResolvedEndpoint& endpoint, const aws::Profiles& profiles,
                                         net::EventLoop& home, Stop* stop);

}  // namespace messina::cli
