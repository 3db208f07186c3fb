// Carries recipes out: asks STS, IAM Identity Center, the container, the instance, or runs a process.
#pragma once
#include <memory>

#include "aws/credential_recipe.h"
#include "aws/credentials.h"
#include "aws/endpoint_resolve.h"
#include "aws/node_pools.h"
#include "aws/profile.h"
#include "aws/server_clock.h"
#include "net/event_loop.h"

namespace messina::aws {

struct FetchSettings {
  std::string region;  ///< the side's: its STS is asked
  net::Environment environment;
  Profiles profiles;  ///< for endpoint overrides
  FileReader read_file;
  net::TlsOptions tls;  ///< for STS and IAM Identity Center
  NodePools::ProxyFor proxy_for;
};

/// Lives on one loop, which must outlive it; made on any thread. One attempt per fetch.
class CredentialFetcher : public std::enable_shared_from_this<CredentialFetcher> {
 public:
  CredentialFetcher(net::EventLoop& loop, FetchSettings settings);

  /// On the loop. Messages begin with who said that it should be so (Recipe::told), and never hold secrets.
  /// Errors: config, denied, expired, throttled, transient, corrupt.
  Task<Result<Issued>> fetch(RecipePtr recipe);

 private:
  Task<Result<Issued>> from(const Recipe& recipe, const RoleSource& role);
  Task<Result<Issued>> from(const Recipe& recipe, const WebIdentitySource& identity);
  Task<Result<Issued>> from(const Recipe& recipe, const SsoSource& sso);
  Task<Result<Issued>> from(const Recipe& recipe, const ProcessSource& process);
  Task<Result<Issued>> from(const Recipe& recipe, const ContainerSource& container);
  Result<net::Origin> origin_of(const Service& service, const std::string& region) const;
  net::ClientOptions http_for(const net::Origin& origin) const;

  net::EventLoop& loop_;
  FetchSettings settings_;
  ServerClocks clocks_;
};

}  // namespace messina::aws
