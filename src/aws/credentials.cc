#include "aws/credentials.h"

namespace messina::aws {

Task<Result<std::shared_ptr<const Credentials>>> StaticCredentials::get() { co_return credentials_; }

}  // namespace messina::aws
