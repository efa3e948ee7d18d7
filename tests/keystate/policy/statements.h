// Statements of policies, written short.
#pragma once

#include <string>

namespace hallmark::testing {

// Statements of key policies. KAllow("K1", kAliceArn) is an Allow of everything to alice.
inline const char* const kHomeRootArn = "arn:aws:iam::111122223333:root";
inline const char* const kHomeNumber = "111122223333";
inline const char* const kForeignRootArn = "arn:aws:iam::444455556666:root";
inline const char* const kAliceArn = "arn:aws:iam::111122223333:user/staff/alice";
inline const char* const kRoleArn = "arn:aws:iam::111122223333:role/signer";
inline const char* const kSessionArn = "arn:aws:sts::111122223333:assumed-role/signer/one";
inline const char* const kBobArn = "arn:aws:iam::444455556666:user/bob";
inline const char* const kGuestRoleArn = "arn:aws:iam::444455556666:role/guest";

inline std::string KeyStatement(const std::string& sid, const char* effect, const char* element,
                                const std::string& principal, const std::string& action) {
  return R"({"Sid":")" + sid + R"(","Effect":")" + effect + R"(",")" + element + R"(":{"AWS":")" +
         principal + R"("},"Action":")" + action + R"(","Resource":"*"})";
}
inline std::string KAllow(const std::string& sid, const std::string& principal,
                          const std::string& action = "kms:*") {
  return KeyStatement(sid, "Allow", "Principal", principal, action);
}
inline std::string KDeny(const std::string& sid, const std::string& principal,
                         const std::string& action = "kms:*") {
  return KeyStatement(sid, "Deny", "Principal", principal, action);
}
inline std::string KAllowNot(const std::string& sid, const std::string& principal) {
  return KeyStatement(sid, "Allow", "NotPrincipal", principal, "kms:*");
}
inline std::string KDenyNot(const std::string& sid, const std::string& principal) {
  return KeyStatement(sid, "Deny", "NotPrincipal", principal, "kms:*");
}
// Statements of policies of principals.
inline std::string Allow(const std::string& sid, const std::string& action = "kms:*",
                         const std::string& resource = "*") {
  return R"({"Sid":")" + sid + R"(","Effect":"Allow","Action":")" + action + R"(","Resource":")" +
         resource + R"("})";
}
inline std::string Deny(const std::string& sid, const std::string& action = "kms:*",
                        const std::string& resource = "*") {
  return R"({"Sid":")" + sid + R"(","Effect":"Deny","Action":")" + action + R"(","Resource":")" +
         resource + R"("})";
}
// The default key policy delegates to the account.
inline const std::string kDelegates = KAllow("Enable", kHomeRootArn);

}  // namespace hallmark::testing
