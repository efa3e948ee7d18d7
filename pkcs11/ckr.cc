#include "pkcs11/ckr.h"

#include <array>
#include <cstdio>

namespace hallmark::pkcs11 {
namespace {

struct CkrRow {
  CK_RV rv;
  const char* name;
  CkClass what;
};

#define HALLMARK_CKR(name, what) \
  CkrRow { name, #name, CkClass::what }
// What is missing here is named by its number and counts as kDevice.
constexpr std::array kRows{
    HALLMARK_CKR(CKR_OK, kOk),
    HALLMARK_CKR(CKR_ARGUMENTS_BAD, kData),
    HALLMARK_CKR(CKR_ATTRIBUTE_READ_ONLY, kData),
    HALLMARK_CKR(CKR_ATTRIBUTE_SENSITIVE, kData),
    HALLMARK_CKR(CKR_ATTRIBUTE_TYPE_INVALID, kData),
    HALLMARK_CKR(CKR_ATTRIBUTE_VALUE_INVALID, kData),
    HALLMARK_CKR(CKR_BUFFER_TOO_SMALL, kData),
    HALLMARK_CKR(CKR_DATA_INVALID, kData),
    HALLMARK_CKR(CKR_DATA_LEN_RANGE, kData),
    HALLMARK_CKR(CKR_KEY_FUNCTION_NOT_PERMITTED, kData),
    HALLMARK_CKR(CKR_KEY_SIZE_RANGE, kData),
    HALLMARK_CKR(CKR_KEY_TYPE_INCONSISTENT, kData),
    HALLMARK_CKR(CKR_MECHANISM_PARAM_INVALID, kData),
    HALLMARK_CKR(CKR_SIGNATURE_LEN_RANGE, kData),
    HALLMARK_CKR(CKR_TEMPLATE_INCOMPLETE, kData),
    HALLMARK_CKR(CKR_TEMPLATE_INCONSISTENT, kData),
    HALLMARK_CKR(CKR_ACTION_PROHIBITED, kData),
    HALLMARK_CKR(CKR_FUNCTION_NOT_SUPPORTED, kUnsupported),
    HALLMARK_CKR(CKR_MECHANISM_INVALID, kUnsupported),
    HALLMARK_CKR(CKR_FUNCTION_CANCELED, kSession),
    HALLMARK_CKR(CKR_OPERATION_ACTIVE, kSession),
    HALLMARK_CKR(CKR_OPERATION_NOT_INITIALIZED, kSession),
    HALLMARK_CKR(CKR_SESSION_CLOSED, kSession),
    HALLMARK_CKR(CKR_SESSION_HANDLE_INVALID, kSession),
    HALLMARK_CKR(CKR_SESSION_READ_ONLY, kSession),
    HALLMARK_CKR(CKR_USER_NOT_LOGGED_IN, kLogin),
    HALLMARK_CKR(CKR_KEY_CHANGED, kHandle),
    HALLMARK_CKR(CKR_KEY_HANDLE_INVALID, kHandle),
    HALLMARK_CKR(CKR_OBJECT_HANDLE_INVALID, kHandle),
    HALLMARK_CKR(CKR_PIN_EXPIRED, kPin),
    HALLMARK_CKR(CKR_PIN_INCORRECT, kPin),
    HALLMARK_CKR(CKR_PIN_INVALID, kPin),
    HALLMARK_CKR(CKR_PIN_LEN_RANGE, kPin),
    HALLMARK_CKR(CKR_PIN_LOCKED, kPin),
    HALLMARK_CKR(CKR_USER_PIN_NOT_INITIALIZED, kPin),
    HALLMARK_CKR(CKR_SESSION_COUNT, kBusy),
    HALLMARK_CKR(CKR_CANT_LOCK, kDevice),
    HALLMARK_CKR(CKR_CRYPTOKI_ALREADY_INITIALIZED, kDevice),
    HALLMARK_CKR(CKR_CRYPTOKI_NOT_INITIALIZED, kDevice),
    HALLMARK_CKR(CKR_DEVICE_ERROR, kDevice),
    HALLMARK_CKR(CKR_DEVICE_MEMORY, kBusy),
    HALLMARK_CKR(CKR_DEVICE_REMOVED, kDevice),
    HALLMARK_CKR(CKR_FUNCTION_FAILED, kDevice),
    HALLMARK_CKR(CKR_FUNCTION_REJECTED, kDevice),
    HALLMARK_CKR(CKR_GENERAL_ERROR, kDevice),
    HALLMARK_CKR(CKR_HOST_MEMORY, kDevice),
    HALLMARK_CKR(CKR_NEED_TO_CREATE_THREADS, kDevice),
    HALLMARK_CKR(CKR_SLOT_ID_INVALID, kDevice),
    HALLMARK_CKR(CKR_TOKEN_NOT_PRESENT, kDevice),
    HALLMARK_CKR(CKR_TOKEN_NOT_RECOGNIZED, kDevice),
    HALLMARK_CKR(CKR_TOKEN_WRITE_PROTECTED, kData),
    HALLMARK_CKR(CKR_USER_ALREADY_LOGGED_IN, kDevice),
    HALLMARK_CKR(CKR_USER_ANOTHER_ALREADY_LOGGED_IN, kDevice),
};
#undef HALLMARK_CKR

const CkrRow* Find(CK_RV rv) {
  for (const CkrRow& row : kRows) {
    if (row.rv == rv) return &row;
  }
  return nullptr;
}

std::string Detail(std::string_view reason, std::string_view token_id) {
  return "token " + std::string(token_id) + ": " + std::string(reason);
}

Error Unsupported(const CkFault& fault, std::string_view token_id) {
  return {Exception::kUnsupportedOperationException,
          "The token that holds the keys cannot do this.", Detail(ToString(fault), token_id)};
}

}  // namespace

std::string CkrName(CK_RV rv) {
  if (const CkrRow* row = Find(rv)) return row->name;
  char text[32];
  static_cast<void>(std::snprintf(text, sizeof text, "CKR 0x%08lx", rv));
  return text;
}

std::string ToString(const CkFault& fault) {
  return std::string(fault.function) + ": " + CkrName(fault.rv);
}

CkClass Classify(CK_RV rv) {
  const CkrRow* row = Find(rv);
  return row == nullptr ? CkClass::kDevice : row->what;
}

Error ControlError(const CkFault& fault, std::string_view token_id) {
  if (Classify(fault.rv) == CkClass::kUnsupported) return Unsupported(fault, token_id);
  return ControlError(ToString(fault), token_id);
}

Error MacError(const CkFault& fault, std::string_view token_id) {
  if (Classify(fault.rv) == CkClass::kUnsupported) return Unsupported(fault, token_id);
  return MacError(ToString(fault), token_id);
}

Error ControlError(std::string_view reason, std::string_view token_id) {
  return {Exception::kDependencyTimeoutException,
          "The token that holds the keys did not do what was asked; repeat the request.",
          Detail(reason, token_id)};
}

Error MacError(std::string_view reason, std::string_view token_id) {
  return KeyUnavailable(Detail(reason, token_id));
}

}  // namespace hallmark::pkcs11
