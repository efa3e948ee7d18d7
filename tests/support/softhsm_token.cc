#include "tests/support/softhsm_token.h"

#include "pkcs11/module.h"

#include <dlfcn.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <span>
#include <string_view>

namespace hallmark::testing {
namespace {

// A fixture that cannot be set up makes every result meaningless.
void Require(bool condition, const char* what) {
  if (condition) return;
  static_cast<void>(std::fprintf(stderr, "SoftHSM test token: %s failed\n", what));
  std::abort();
}

void RequireOk(CK_RV rv, const char* what) { Require(rv == CKR_OK, what); }

std::string RandomHex(std::size_t bytes) {
  Bytes random(bytes);
  service::OsRandom().Fill(random);
  return ToHex(random);
}

void WriteSecretFile(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file) << text << "\n";
  Require(::chmod(file.c_str(), 0600) == 0, "chmod");
}

CK_UTF8CHAR* Chars(std::string& text) { return reinterpret_cast<CK_UTF8CHAR*>(text.data()); }

// One directory and one configuration per process.
class Environment {
 public:
  static Environment& Get() {
    static Environment environment;
    return environment;
  }
  ~Environment() {
    std::error_code error;  // a directory left in /tmp is no reason to fail
    std::filesystem::remove_all(root_, error);
  }

  const std::filesystem::path& root() const { return root_; }
  CK_FUNCTION_LIST& functions() const { return *functions_; }

 private:
  Environment() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hallmark-softhsm-XXXXXX");
    Require(::mkdtemp(pattern.data()) != nullptr, "mkdtemp");
    root_ = pattern;
    std::filesystem::create_directory(root_ / "tokens");
    std::ofstream(root_ / "softhsm2.conf")
        << "directories.tokendir = " << (root_ / "tokens").string()
        << "\nobjectstore.backend = file\nlog.level = ERROR\n";
    // Before the module is loaded: it reads its configuration once.
    Require(::setenv("SOFTHSM2_CONF", (root_ / "softhsm2.conf").c_str(), 1) == 0, "setenv");
    Require(::setenv("HALLMARK_FAULT_MODULE", HALLMARK_SOFTHSM_MODULE, 1) == 0, "setenv");
    void* module = ::dlopen(HALLMARK_SOFTHSM_MODULE, RTLD_NOW | RTLD_LOCAL);
    Require(module != nullptr, "dlopen");
    void* symbol = ::dlsym(module, "C_GetFunctionList");
    Require(symbol != nullptr, "dlsym");
    RequireOk(reinterpret_cast<CK_C_GetFunctionList>(symbol)(&functions_), "C_GetFunctionList");
    // By the code under test, which initialises again only what it has initialised itself.
    Require(pkcs11::Module::Load(HALLMARK_FAULT_MODULE_PATH, "").has_value(), "loading the module");
  }

  std::filesystem::path root_;
  CK_FUNCTION_LIST* functions_ = nullptr;
};

// The slot whose token `fits`.
template <class Fits>
CK_SLOT_ID FindSlot(CK_FUNCTION_LIST& functions, Fits fits) {
  CK_ULONG count = 0;
  RequireOk(functions.C_GetSlotList(CK_TRUE, nullptr, &count), "C_GetSlotList");
  std::vector<CK_SLOT_ID> slots(count);
  RequireOk(functions.C_GetSlotList(CK_TRUE, slots.data(), &count), "C_GetSlotList");
  for (const CK_SLOT_ID slot : slots) {
    CK_TOKEN_INFO info{};
    RequireOk(functions.C_GetTokenInfo(slot, &info), "C_GetTokenInfo");
    if (fits(info)) return slot;
  }
  Require(false, "finding a slot");
  return 0;
}

}  // namespace

SoftHsmToken::SoftHsmToken()
    : directory_(Environment::Get().root() / RandomHex(4)),
      pin_file_(directory_ / "user.pin"),
      label_("test-" + RandomHex(6)) {
  // SoftHSM always shows one more slot, with a token that is not initialised yet.
  const CK_SLOT_ID free = FindSlot(functions(), [](const CK_TOKEN_INFO& info) {
    return (info.flags & CKF_TOKEN_INITIALIZED) == 0;
  });
  std::filesystem::create_directory(directory_);
  std::string so_pin = RandomHex(8);
  std::string pin = RandomHex(8);
  WriteSecretFile(pin_file_, pin);

  std::string padded = label_;
  padded.resize(32, ' ');
  CK_FUNCTION_LIST& softhsm = functions();
  RequireOk(softhsm.C_InitToken(free, Chars(so_pin), so_pin.size(), Chars(padded)), "C_InitToken");
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  RequireOk(
      softhsm.C_OpenSession(free, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session),
      "C_OpenSession");
  RequireOk(softhsm.C_Login(session, CKU_SO, Chars(so_pin), so_pin.size()), "C_Login");
  RequireOk(softhsm.C_InitPIN(session, Chars(pin), pin.size()), "C_InitPIN");
  RequireOk(softhsm.C_Logout(session), "C_Logout");
  RequireOk(softhsm.C_CloseSession(session), "C_CloseSession");

  options_.token_id = "test";
  options_.module = HALLMARK_FAULT_MODULE_PATH;
  options_.uri = "pkcs11:token=" + label_ + "?pin-source=user.pin";
  options_.config_directory = directory_;
  options_.state_directory = directory_;
  options_.sync_path = Environment::Get().root() / "tokens";
  options_.sessions = 2;
}

CK_SLOT_ID SoftHsmToken::slot() const {
  return FindSlot(functions(), [this](const CK_TOKEN_INFO& info) {
    return std::string_view(reinterpret_cast<const char*>(info.label), sizeof info.label)
        .starts_with(label_);
  });
}

std::string SoftHsmToken::ReplacePin(const std::string& text) const {
  std::ifstream in(pin_file_);
  std::string before;
  std::getline(in, before);
  in.close();
  WriteSecretFile(pin_file_, text);
  return before;
}

CK_FUNCTION_LIST& SoftHsmToken::functions() { return Environment::Get().functions(); }

TestSession::TestSession(const SoftHsmToken& token) {
  CK_FUNCTION_LIST& softhsm = SoftHsmToken::functions();
  RequireOk(softhsm.C_OpenSession(token.slot(), CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr,
                                  nullptr, &handle_),
            "C_OpenSession");
  std::ifstream in(token.pin_file());
  std::string pin;
  std::getline(in, pin);
  const CK_RV rv = softhsm.C_Login(handle_, CKU_USER, Chars(pin), pin.size());
  Require(rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN, "C_Login");
}

TestSession::~TestSession() {
  static_cast<void>(SoftHsmToken::functions().C_CloseSession(handle_));
}

CK_OBJECT_HANDLE TestSession::CreateKey(ByteView id, ByteView value) const {
  CK_ULONG object_class = CKO_SECRET_KEY;
  CK_ULONG type = CKK_GENERIC_SECRET;
  CK_BBOOL yes = CK_TRUE;
  CK_BBOOL no = CK_FALSE;
  Bytes id_copy(id.begin(), id.end());
  Bytes value_copy(value.begin(), value.end());
  std::array<CK_ATTRIBUTE, 9> attributes{{
      {CKA_CLASS, &object_class, sizeof object_class},
      {CKA_KEY_TYPE, &type, sizeof type},
      {CKA_TOKEN, &yes, sizeof yes},
      {CKA_PRIVATE, &yes, sizeof yes},
      {CKA_SENSITIVE, &yes, sizeof yes},
      {CKA_EXTRACTABLE, &no, sizeof no},
      {CKA_SIGN, &yes, sizeof yes},
      {CKA_ID, id_copy.data(), id_copy.size()},
      {CKA_VALUE, value_copy.data(), value_copy.size()},
  }};
  CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
  RequireOk(
      SoftHsmToken::functions().C_CreateObject(handle_, attributes.data(), attributes.size(), &key),
      "C_CreateObject");
  return key;
}

std::vector<CK_OBJECT_HANDLE> TestSession::Find(const CkaId& id) const {
  CK_FUNCTION_LIST& softhsm = SoftHsmToken::functions();
  CK_ULONG object_class = CKO_SECRET_KEY;
  CkaId id_copy = id;
  std::array<CK_ATTRIBUTE, 2> search{
      {{CKA_CLASS, &object_class, sizeof object_class}, {CKA_ID, id_copy.data(), id_copy.size()}}};
  RequireOk(softhsm.C_FindObjectsInit(handle_, search.data(), search.size()), "C_FindObjectsInit");
  std::vector<CK_OBJECT_HANDLE> found(16);
  CK_ULONG count = 0;
  RequireOk(softhsm.C_FindObjects(handle_, found.data(), found.size(), &count), "C_FindObjects");
  RequireOk(softhsm.C_FindObjectsFinal(handle_), "C_FindObjectsFinal");
  found.resize(count);
  return found;
}

void TestSession::Destroy(const CkaId& id) const {
  for (const CK_OBJECT_HANDLE key : Find(id)) {
    RequireOk(SoftHsmToken::functions().C_DestroyObject(handle_, key), "C_DestroyObject");
  }
}

bool TestSession::Flag(CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type) const {
  CK_BBOOL value = CK_FALSE;
  CK_ATTRIBUTE attribute{type, &value, sizeof value};
  RequireOk(SoftHsmToken::functions().C_GetAttributeValue(handle_, key, &attribute, 1),
            "C_GetAttributeValue");
  return value != CK_FALSE;
}

void TestSession::LogOut() const {
  RequireOk(SoftHsmToken::functions().C_Logout(handle_), "C_Logout");
}

}  // namespace hallmark::testing
