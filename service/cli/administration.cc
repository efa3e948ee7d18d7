#include "service/cli/administration.h"

#include "keystate/clock.h"
#include "keystate/principal_directory.h"
#include "keystate/sealer.h"
#include "pkcs11/token_hsm.h"
#include "service/app/admin_ops.h"
#include "service/app/principal_loading.h"
#include "service/system/system.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace hallmark::cli {
namespace {

// The daemon begins no call that waited for grpc.max_call_ms, and one that it has begun ends with a
// commit. Who waits longer than both knows what became of a call that fails, and may take back what
// it made for it.
constexpr std::chrono::seconds kLongestCommit{20};

std::chrono::seconds TimeoutOf(const Home& home) {
  return std::chrono::ceil<std::chrono::seconds>(home.config.grpc.max_call_duration) +
         kLongestCommit;
}

// Whether a process has the socket open for connections. A socket file left by one that was killed
// refuses.
bool SomebodyListens(const std::filesystem::path& socket_path) {
  const std::string path = socket_path.string();
  sockaddr_un address{};
  if (path.size() >= sizeof(address.sun_path)) return false;
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const bool connected =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return connected;
}

Result<void, CallFailure> OverSocket(const Home& home, const char* method,
                                     const google::protobuf::Message& request,
                                     google::protobuf::Message* response) {
  const google::protobuf::ServiceDescriptor* service =
      v1::Principal::descriptor()->file()->FindServiceByName("AdminService");
  return Call(OpenSocketChannel(home.admin_socket()), home.admin_socket().string(),
              *service->FindMethodByName(method), request, response, TimeoutOf(home));
}

template <class Request, class Response>
using StoreFunction = Status (*)(app::PrincipalAdmin&, const Request&, Response*);

// For what needs no secret, so that no token has to be there.
class NoSealer final : public Sealer {
 public:
  std::string Seal(std::string_view, std::string_view) const override { std::abort(); }
  std::optional<std::string> Open(std::string_view, std::string_view) const override {
    std::abort();
  }
  SecretBytes DeriveSecret(std::string_view) const override { std::abort(); }
};

// The token of the store, as a daemon would open it.
Result<pkcs11::OpenToken, std::string> OpenTokenOf(const Home& home, const StoreImage& image,
                                                   RandomSource& random) {
  const pkcs11::TokenOptions& options = home.config.default_options();
  for (const TokenRecord& record : image.tokens) {
    if (record.token_id != options.token_id) continue;
    auto token = pkcs11::Open(options, record, random, [](pkcs11::Severity, const std::string&) {});
    if (!token) return Unexpected(token.error().message);
    return *std::move(token);
  }
  return Unexpected("token." + options.token_id + " has no anchor: run hallmark token init first");
}

template <class Request, class Response>
Result<void, CallFailure> OnStore(const Home& home, StoreFunction<Request, Response> run,
                                  const Request& request, Response* response) {
  const auto failed = [](std::string message) {
    return Unexpected(CallFailure{{}, std::move(message), {}});
  };
  service::OsRandom random;
  auto store = OpenStore(home, random);
  if (!store) return failed(store.error());
  const auto image = (*store)->Load();
  if (!image) return failed("cannot read the store: " + ToString(image.error()));
  PrincipalDirectory principals;
  if (const Status loaded = app::LoadPrincipals(*image, principals); !loaded) {
    return failed("cannot read the principals: " + ToString(loaded.error()));
  }
  // Secret access keys are derived from the token.
  std::optional<pkcs11::OpenToken> token;
  if (std::is_same_v<Request, v1::AddPrincipalRequest> ||
      std::is_same_v<Request, v1::RotatePrincipalRequest>) {
    auto opened = OpenTokenOf(home, *image, random);
    if (!opened) return failed(opened.error());
    token = *std::move(opened);
  }
  service::SystemClock clock;
  NoSealer no_sealer;
  Sealer& sealer = token ? *token->sealer : static_cast<Sealer&>(no_sealer);
  app::PrincipalAdmin admin{home.config.site, principals, **store, clock, random, sealer};
  if (const Status done = run(admin, request, response); !done) {
    return Unexpected(
        CallFailure{std::string(Describe(done.error().exception).name), done.error().message, {}});
  }
  return {};
}

template <class Request, class Response>
Result<void, CallFailure> Ask(const Home& home, const char* method,
                              StoreFunction<Request, Response> run, const Request& request,
                              Response* response) {
  if (!SomebodyListens(home.admin_socket())) return OnStore(home, run, request, response);
  return OverSocket(home, method, request, response);
}

}  // namespace

Result<void, CallFailure> Administer(const Home& home, const v1::AddPrincipalRequest& request,
                                     v1::AddPrincipalResponse* response) {
  return Ask(home, "AddPrincipal", &app::AddPrincipal, request, response);
}

Result<void, CallFailure> Administer(const Home& home, const v1::ListPrincipalsRequest& request,
                                     v1::ListPrincipalsResponse* response) {
  return Ask(home, "ListPrincipals", &app::ListPrincipals, request, response);
}

Result<void, CallFailure> Administer(const Home& home, const v1::GetPrincipalRequest& request,
                                     v1::GetPrincipalResponse* response) {
  return Ask(home, "GetPrincipal", &app::GetPrincipal, request, response);
}

Result<void, CallFailure> Administer(const Home& home, const v1::RotatePrincipalRequest& request,
                                     v1::RotatePrincipalResponse* response) {
  return Ask(home, "RotatePrincipal", &app::RotatePrincipal, request, response);
}

Result<void, CallFailure> Administer(const Home& home, const v1::RemovePrincipalRequest& request,
                                     v1::RemovePrincipalResponse* response) {
  return Ask(home, "RemovePrincipal", &app::RemovePrincipal, request, response);
}

Result<void, CallFailure> Administer(const Home& home, const v1::AttachPolicyRequest& request,
                                     v1::AttachPolicyResponse* response) {
  return Ask(home, "AttachPolicy", &app::AttachPolicy, request, response);
}

Result<void, CallFailure> Administer(const Home& home, const v1::DetachPolicyRequest& request,
                                     v1::DetachPolicyResponse* response) {
  return Ask(home, "DetachPolicy", &app::DetachPolicy, request, response);
}

Result<void, CallFailure> Administer(const Home& home, const v1::TagPrincipalRequest& request,
                                     v1::TagPrincipalResponse* response) {
  return Ask(home, "TagPrincipal", &app::TagPrincipal, request, response);
}

Result<void, CallFailure> Administer(const Home& home, const v1::UntagPrincipalRequest& request,
                                     v1::UntagPrincipalResponse* response) {
  return Ask(home, "UntagPrincipal", &app::UntagPrincipal, request, response);
}

Result<void, CallFailure> AskDaemon(const Home& home, const char* method,
                                    const google::protobuf::Message& request,
                                    google::protobuf::Message* response) {
  if (!SomebodyListens(home.admin_socket())) {
    return Unexpected(CallFailure{
        {},
        "no daemon listens on " + home.admin_socket().string() + "; start hallmarkd first",
        {}});
  }
  return OverSocket(home, method, request, response);
}

}  // namespace hallmark::cli
