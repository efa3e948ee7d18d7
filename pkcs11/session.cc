#include "pkcs11/session.h"

#include <array>
#include <span>

namespace hallmark::pkcs11 {
namespace {

// PKCS#11 was written before const; no function writes through these.
CK_BYTE* Mutable(ByteView bytes) {
  return reinterpret_cast<CK_BYTE*>(const_cast<std::byte*>(bytes.data()));
}

// The protocol of every function that fills a buffer: `call(buffer, &size)` says how much it wrote,
// or refuses a short buffer with CKR_BUFFER_TOO_SMALL and the size it needs.
template <class Call>
CkResult<std::span<std::byte>> Fill(std::span<std::byte> first, Bytes& larger, const char* function,
                                    Call call) {
  CK_ULONG size = first.size();
  CK_RV rv = call(first.data(), &size);
  if (rv == CKR_OK && size <= first.size()) return first.first(size);
  // A token that wants a megabyte for an attribute or a tag is broken.
  constexpr CK_ULONG kSaneBytes = 1 << 20;
  if (rv == CKR_BUFFER_TOO_SMALL && size <= kSaneBytes) {
    if (size <= first.size()) size = kSaneBytes;  // refuses without saying how much it needs
    larger.resize(size);
    rv = call(larger.data(), &size);
    if (rv == CKR_OK && size <= larger.size()) return std::span(larger).first(size);
  }
  return Unexpected(CkFault{rv == CKR_OK ? CKR_GENERAL_ERROR : rv, function});
}

}  // namespace

CkResult<Session> Session::Open(const CK_FUNCTION_LIST& functions, CK_SLOT_ID slot) {
  CK_SESSION_HANDLE handle = CK_INVALID_HANDLE;
  HALLMARK_RETURN_IF_ERROR(Check(
      functions.C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &handle),
      "C_OpenSession"));
  return Session(&functions, handle);
}

Session& Session::operator=(Session&& other) noexcept {
  if (this != &other) {
    Close();
    functions_ = std::exchange(other.functions_, nullptr);
    handle_ = other.handle_;
  }
  return *this;
}

void Session::Close() noexcept {
  // Nothing useful can be done about a failure: the handle is gone either way.
  if (functions_ != nullptr) static_cast<void>(functions_->C_CloseSession(handle_));
  functions_ = nullptr;
}

CkResult<bool> Session::LoggedIn() const {
  CK_SESSION_INFO info{};
  HALLMARK_RETURN_IF_ERROR(Check(functions_->C_GetSessionInfo(handle_, &info), "C_GetSessionInfo"));
  return info.state == CKS_RW_USER_FUNCTIONS || info.state == CKS_RO_USER_FUNCTIONS;
}

CkStatus Session::LogIn(const SecretBytes& pin) {
  const ByteView bytes = pin.RevealForHsm();
  return Check(functions_->C_Login(handle_, CKU_USER, Mutable(bytes), bytes.size()), "C_Login");
}

CkResult<MacTag> Session::Sign(CK_MECHANISM_TYPE mechanism, CK_OBJECT_HANDLE key, ByteView message,
                               std::size_t mac_bytes) {
  CK_MECHANISM parameters{mechanism, nullptr, 0};
  HALLMARK_RETURN_IF_ERROR(Check(functions_->C_SignInit(handle_, &parameters, key), "C_SignInit"));
  std::array<std::byte, kMaxMacBytes> buffer;
  Bytes larger;
  HALLMARK_ASSIGN_OR_RETURN(const std::span<std::byte> tag,
                            Fill(buffer, larger, "C_Sign", [&](std::byte* out, CK_ULONG* size) {
                              return functions_->C_Sign(handle_, Mutable(message), message.size(),
                                                        reinterpret_cast<CK_BYTE*>(out), size);
                            }));
  if (tag.size() != mac_bytes) return Unexpected(CkFault{CKR_SIGNATURE_LEN_RANGE, "C_Sign"});
  return MacTag(tag);
}

CkResult<CK_OBJECT_HANDLE> Session::GenerateSecret(AttributeTemplate& attributes) {
  CK_MECHANISM mechanism{CKM_GENERIC_SECRET_KEY_GEN, nullptr, 0};
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
  HALLMARK_RETURN_IF_ERROR(Check(
      functions_->C_GenerateKey(handle_, &mechanism, attributes.data(), attributes.size(), &key),
      "C_GenerateKey"));
  return key;
}

CkResult<CK_OBJECT_HANDLE> Session::CreateObject(AttributeTemplate& attributes) {
  CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
  HALLMARK_RETURN_IF_ERROR(
      Check(functions_->C_CreateObject(handle_, attributes.data(), attributes.size(), &object),
            "C_CreateObject"));
  return object;
}

CkResult<CK_OBJECT_HANDLE> Session::Copy(CK_OBJECT_HANDLE object, AttributeTemplate& attributes) {
  CK_OBJECT_HANDLE copy = CK_INVALID_HANDLE;
  HALLMARK_RETURN_IF_ERROR(
      Check(functions_->C_CopyObject(handle_, object, attributes.data(), attributes.size(), &copy),
            "C_CopyObject"));
  return copy;
}

CkStatus Session::SetAttributes(CK_OBJECT_HANDLE object, AttributeTemplate& attributes) {
  return Check(
      functions_->C_SetAttributeValue(handle_, object, attributes.data(), attributes.size()),
      "C_SetAttributeValue");
}

CkStatus Session::Destroy(CK_OBJECT_HANDLE object) {
  return Check(functions_->C_DestroyObject(handle_, object), "C_DestroyObject");
}

CkResult<Bytes> Session::GenerateRandom(std::size_t size_bytes) {
  Bytes random(size_bytes);
  HALLMARK_RETURN_IF_ERROR(Check(
      functions_->C_GenerateRandom(handle_, reinterpret_cast<CK_BYTE*>(random.data()), size_bytes),
      "C_GenerateRandom"));
  return random;
}

CkResult<std::vector<CK_OBJECT_HANDLE>> Session::Find(AttributeTemplate& attributes) {
  HALLMARK_RETURN_IF_ERROR(
      Check(functions_->C_FindObjectsInit(handle_, attributes.data(), attributes.size()),
            "C_FindObjectsInit"));
  std::vector<CK_OBJECT_HANDLE> found;
  std::array<CK_OBJECT_HANDLE, 256> batch;
  CK_RV rv = CKR_OK;
  CK_ULONG count = 0;
  do {
    rv = functions_->C_FindObjects(handle_, batch.data(), batch.size(), &count);
    if (rv == CKR_OK) found.insert(found.end(), batch.begin(), batch.begin() + count);
  } while (rv == CKR_OK && count > 0);
  // Also after a failure: a search left open blocks the session.
  const CK_RV final_rv = functions_->C_FindObjectsFinal(handle_);
  HALLMARK_RETURN_IF_ERROR(Check(rv, "C_FindObjects"));
  HALLMARK_RETURN_IF_ERROR(Check(final_rv, "C_FindObjectsFinal"));
  return found;
}

CkResult<Bytes> Session::ReadAttribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) {
  std::array<std::byte, 64> buffer;
  Bytes larger;
  HALLMARK_ASSIGN_OR_RETURN(
      const std::span<std::byte> value,
      Fill(buffer, larger, "C_GetAttributeValue", [&](std::byte* out, CK_ULONG* size) {
        CK_ATTRIBUTE attribute{type, out, *size};
        const CK_RV rv = functions_->C_GetAttributeValue(handle_, object, &attribute, 1);
        *size = attribute.ulValueLen;
        // Some tokens answer a short buffer with "unavailable" in place of the size.
        if (rv == CKR_BUFFER_TOO_SMALL && *size == CK_UNAVAILABLE_INFORMATION) *size = 0;
        return rv;
      }));
  return Bytes(value.begin(), value.end());
}

CkResult<CK_ULONG> Session::ReadNumber(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) {
  CK_ULONG value = 0;
  CK_ATTRIBUTE attribute{type, &value, sizeof value};
  HALLMARK_RETURN_IF_ERROR(Check(functions_->C_GetAttributeValue(handle_, object, &attribute, 1),
                                 "C_GetAttributeValue"));
  if (attribute.ulValueLen != sizeof value) {
    return Unexpected(CkFault{CKR_ATTRIBUTE_VALUE_INVALID, "C_GetAttributeValue"});
  }
  return value;
}

}  // namespace hallmark::pkcs11
