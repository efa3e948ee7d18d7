#include "pkcs11/token_key.h"

#include "pkcs11/check_value.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>

namespace hallmark::pkcs11 {
namespace {

Unexpected<KeyRefusal> Refuse(const CkFault& fault, CK_OBJECT_HANDLE handle) {
  return Unexpected(KeyRefusal{fault, ToString(fault), /*object_may_exist=*/true, handle});
}

// Codes with which C_GenerateKey says that it did not begin. Not CKR_SESSION_CLOSED, which means
// that the session was closed while the call was under way.
bool DidNotBegin(CK_RV rv) {
  return rv == CKR_USER_NOT_LOGGED_IN || rv == CKR_SESSION_HANDLE_INVALID;
}

// "CKA_SIGN is false", of the first flag that is not as required; empty if all are.
CkResult<std::string> FindOtherFlag(Session& session, CK_OBJECT_HANDLE key,
                                    std::span<const RequiredFlag> flags) {
  for (const RequiredFlag& required : flags) {
    HALLMARK_ASSIGN_OR_RETURN(const bool value, ReadFlag(session, key, required.type));
    if (value != required.value) {
      return std::string(required.name) + " is " + (value ? "true" : "false");
    }
  }
  return std::string();
}

// The first attribute that is not as asked; empty if all are.
CkResult<std::string> FindWeakness(Session& session, CK_OBJECT_HANDLE key,
                                   const KeyRequest& request) {
  HALLMARK_ASSIGN_OR_RETURN(const std::string other,
                            FindOtherFlag(session, key, RequiredFlags(request.modifiable)));
  if (!other.empty()) return other;
  HALLMARK_ASSIGN_OR_RETURN(const CK_ULONG type, session.ReadNumber(key, CKA_KEY_TYPE));
  if (type != CKK_GENERIC_SECRET) return std::string("CKA_KEY_TYPE is not CKK_GENERIC_SECRET");
  HALLMARK_ASSIGN_OR_RETURN(const CK_ULONG size, session.ReadNumber(key, CKA_VALUE_LEN));
  if (size != Row(request.spec).key_bytes) {
    return "CKA_VALUE_LEN is " + std::to_string(size);
  }
  HALLMARK_ASSIGN_OR_RETURN(const Bytes id, session.ReadAttribute(key, CKA_ID));
  if (!EqualInConstantTime(id, request.id)) return std::string("CKA_ID is another");
  return std::string();
}

}  // namespace

CkResult<bool> ReadFlag(Session& session, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type) {
  HALLMARK_ASSIGN_OR_RETURN(const Bytes bytes, session.ReadAttribute(key, type));
  if (bytes.size() != sizeof(CK_BBOOL)) {
    return Unexpected(CkFault{CKR_ATTRIBUTE_VALUE_INVALID, "C_GetAttributeValue"});
  }
  return bytes[0] != std::byte{CK_FALSE};
}

CkResult<std::string> FindWeaknessOfForeign(Session& session, CK_OBJECT_HANDLE key) {
  static constexpr std::array kFlags{
      RequiredFlag{CKA_TOKEN, "CKA_TOKEN", true},
      RequiredFlag{CKA_SIGN, "CKA_SIGN", true},
      RequiredFlag{CKA_PRIVATE, "CKA_PRIVATE", true},
      RequiredFlag{CKA_SENSITIVE, "CKA_SENSITIVE", true},
      RequiredFlag{CKA_EXTRACTABLE, "CKA_EXTRACTABLE", false},
      RequiredFlag{CKA_DERIVE, "CKA_DERIVE", false},
  };
  return FindOtherFlag(session, key, kFlags);
}

Result<MadeKey, KeyRefusal> MakeKey(Session& session, CK_MECHANISM_TYPE mechanism,
                                    const KeyRequest& request) {
  AttributeTemplate attributes;
  FillKeyTemplate(request.id, request.label, request.spec, request.modifiable, &attributes);
  const CkResult<CK_OBJECT_HANDLE> key = session.GenerateSecret(attributes);
  if (!key.has_value()) {
    const CkFault& fault = key.error();
    return Unexpected(KeyRefusal{fault, ToString(fault), !DidNotBegin(fault.rv)});
  }

  const CkResult<std::string> weakness = FindWeakness(session, *key, request);
  if (!weakness.has_value()) return Refuse(weakness.error(), *key);
  if (!weakness->empty()) {
    const CkStatus destroyed = session.Destroy(*key);
    const std::string end = destroyed.has_value() ? "which was destroyed"
                                                  : "which could not be destroyed (" +
                                                        ToString(destroyed.error()) + ")";
    return Unexpected(KeyRefusal{
        std::nullopt, "the token made a key weaker than asked (" + *weakness + "), " + end,
        /*object_may_exist=*/true, *key});
  }
  // Recorded, not required: NSS reports false for keys it made.
  const CkResult<bool> local = ReadFlag(session, *key, CKA_LOCAL);
  const CkResult<KeyCheckValue> check_value =
      ComputeCheckValue(session, mechanism, *key, request.spec);
  if (!check_value.has_value()) return Refuse(check_value.error(), *key);
  return MadeKey{*key, {*check_value, local.has_value() && *local}};
}

Result<void, std::string> SyncFileSystem(const std::filesystem::path& path) {
  if (path.empty()) return {};
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = fd >= 0 && ::syncfs(fd) == 0;
  const int reason = errno;
  if (fd >= 0) static_cast<void>(::close(fd));
  if (synced) return {};
  return Unexpected("the file system of " + path.string() + " cannot be synced (" +
                    std::strerror(reason) + ")");
}

}  // namespace hallmark::pkcs11
