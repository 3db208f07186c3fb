// What the services that hand out credentials answer. Pure: any bytes may come in, and no message repeats
// them.
#pragma once
#include <string>
#include <string_view>

#include "aws/credentials.h"
#include "base/error.h"

namespace messina::aws {

/// ECS, EKS Pod Identity and EC2's metadata service:
/// {"AccessKeyId":…,"SecretAccessKey":…,"Token":…,"Expiration":…}. Errors: corrupt, denied ("Code" is not
/// "Success").
Result<Credentials> parse_metadata_answer(std::string_view json);

/// A credential_process: {"Version":1,"AccessKeyId":…,"SecretAccessKey":…,"SessionToken":…,"Expiration":…};
/// the last two may be missing. Errors: config.
Result<Credentials> parse_process_output(std::string_view json);

/// GetRoleCredentials of IAM Identity Center: {"roleCredentials":{…,"expiration":MILLISECONDS}}. Errors:
/// corrupt.
Result<Credentials> parse_sso_answer(std::string_view json);

/// AssumeRole and AssumeRoleWithWebIdentity of STS, in XML. Errors: corrupt.
Result<Credentials> parse_sts_answer(std::string_view xml);

/// Whose credentials they are.
struct CallerIdentity {
  std::string account;  ///< 12 digits
  std::string arn;
};
/// GetCallerIdentity of STS, in XML. Errors: corrupt.
Result<CallerIdentity> parse_caller_identity(std::string_view xml);

/// A refusal of any of these services; both empty if the body says nothing that is understood.
struct Refusal {
  std::string code, message;
};
Refusal parse_sts_refusal(std::string_view xml);
/// {"__type"|"code"|"error":…, "message"|"error_description":…}. `error_type`: of the header
/// x-amzn-ErrorType.
Refusal parse_json_refusal(std::string_view json, std::string_view error_type);

}  // namespace messina::aws
