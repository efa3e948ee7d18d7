#include "tests/crash/token_view.h"

#include "keystate/bytes.h"
#include "keystate/records.h"
#include "service/system/system.h"
#include "tests/support/child_process.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <iterator>

namespace hallmark::testing {
namespace {

void Require(CK_RV rv, const char* what) {
  if (rv == CKR_OK) return;
  std::fprintf(stderr, "%s: 0x%lx\n", what, rv);
  std::abort();
}

CK_FUNCTION_LIST* Load() {
  void* module = ::dlopen(HALLMARK_SOFTHSM_MODULE, RTLD_NOW | RTLD_LOCAL);
  void* symbol = module == nullptr ? nullptr : ::dlsym(module, "C_GetFunctionList");
  CK_FUNCTION_LIST* functions = nullptr;
  Require(symbol == nullptr ? CKR_GENERAL_ERROR
                            : reinterpret_cast<CK_C_GetFunctionList>(symbol)(&functions),
          "C_GetFunctionList");
  return functions;
}

// Empty for an attribute that the object does not have.
std::string Read(CK_FUNCTION_LIST* functions, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                 CK_ATTRIBUTE_TYPE type) {
  std::string value(256, '\0');
  CK_ATTRIBUTE attribute{type, value.data(), value.size()};
  const CK_RV rv = functions->C_GetAttributeValue(session, object, &attribute, 1);
  value.resize(rv == CKR_OK ? attribute.ulValueLen : 0);
  return value;
}

}  // namespace

TokenView::TokenView(const std::filesystem::path& home) : functions_(Load()) {
  ::setenv("SOFTHSM2_CONF", (home / "softhsm2.conf").c_str(), 1);
  Require(functions_->C_Initialize(nullptr), "C_Initialize");
  std::array<CK_SLOT_ID, 8> slots{};
  CK_ULONG count = slots.size();
  Require(functions_->C_GetSlotList(CK_TRUE, slots.data(), &count), "C_GetSlotList");
  const auto slot = std::find_if(slots.begin(), slots.begin() + count, [this](CK_SLOT_ID id) {
    CK_TOKEN_INFO info{};
    return functions_->C_GetTokenInfo(id, &info) == CKR_OK &&
           std::string(info.label, std::end(info.label)).starts_with("hallmark ");
  });
  Require(slot == slots.begin() + count ? CKR_TOKEN_NOT_PRESENT : CKR_OK, "the token");
  Require(functions_->C_OpenSession(*slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr,
                                    &session_),
          "C_OpenSession");
  std::string pin = ReadFile(home / "user.pin");
  Require(functions_->C_Login(session_, CKU_USER, reinterpret_cast<CK_UTF8CHAR*>(pin.data()),
                              pin.size()),
          "C_Login");
}

TokenView::~TokenView() { Require(functions_->C_Finalize(nullptr), "C_Finalize"); }

std::vector<TokenObject> TokenView::Objects() const {
  std::vector<CK_OBJECT_HANDLE> handles(100'000);
  CK_ULONG count = 0;
  Require(functions_->C_FindObjectsInit(session_, nullptr, 0), "C_FindObjectsInit");
  Require(functions_->C_FindObjects(session_, handles.data(), handles.size(), &count),
          "C_FindObjects");
  Require(functions_->C_FindObjectsFinal(session_), "C_FindObjectsFinal");
  handles.resize(count);
  std::vector<TokenObject> objects;
  for (const CK_OBJECT_HANDLE handle : handles) {
    TokenObject object{CKO_DATA, ToHex(AsBytes(Read(functions_, session_, handle, CKA_ID))),
                       Read(functions_, session_, handle, CKA_LABEL)};
    CK_ATTRIBUTE object_class{CKA_CLASS, &object.object_class, sizeof object.object_class};
    static_cast<void>(functions_->C_GetAttributeValue(session_, handle, &object_class, 1));
    objects.push_back(std::move(object));
  }
  return objects;
}

void TokenView::AddForeignObjects() const {
  CK_ULONG secret = CKO_SECRET_KEY;
  CK_ULONG data = CKO_DATA;
  CK_ULONG generic = CKK_GENERIC_SECRET;
  CK_ULONG aes = CKK_AES;
  CK_BBOOL yes = CK_TRUE;
  std::array<std::byte, 32> value{};
  CkaId id{};
  service::OsRandom().Fill(value);
  service::OsRandom().Fill(id);
  // The same label as ours, and a CKA_ID of the same form.
  std::string label = "hallmark";
  CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
  std::array<CK_ATTRIBUTE, 7> hmac{{{CKA_CLASS, &secret, sizeof secret},
                                    {CKA_KEY_TYPE, &generic, sizeof generic},
                                    {CKA_TOKEN, &yes, sizeof yes},
                                    {CKA_SIGN, &yes, sizeof yes},
                                    {CKA_ID, id.data(), id.size()},
                                    {CKA_LABEL, label.data(), label.size()},
                                    {CKA_VALUE, value.data(), value.size()}}};
  Require(functions_->C_CreateObject(session_, hmac.data(), hmac.size(), &made), "an HMAC key");
  std::array<CK_ATTRIBUTE, 4> cipher{{{CKA_CLASS, &secret, sizeof secret},
                                      {CKA_KEY_TYPE, &aes, sizeof aes},
                                      {CKA_TOKEN, &yes, sizeof yes},
                                      {CKA_VALUE, value.data(), value.size()}}};
  Require(functions_->C_CreateObject(session_, cipher.data(), cipher.size(), &made), "an AES key");
  std::array<CK_ATTRIBUTE, 3> note{{{CKA_CLASS, &data, sizeof data},
                                    {CKA_TOKEN, &yes, sizeof yes},
                                    {CKA_VALUE, value.data(), value.size()}}};
  Require(functions_->C_CreateObject(session_, note.data(), note.size(), &made), "a data object");
}

std::map<std::string, std::string> ObjectFiles(const std::filesystem::path& home) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(home / "tokens")) {
    const std::string name = entry.path().filename();
    if (entry.path().extension() != ".object" || name == "token.object") continue;
    files[name] = ReadFile(entry.path());
  }
  return files;
}

}  // namespace hallmark::testing
