// Signed requests: the owner's are accepted, nobody else's, and none with a changed part.
#include "service/authn/canonical_request.h"
#include "service/authn/signing_time.h"
#include "service/authn/sigv4.h"
#include "service/authn/sigv4_authenticator.h"
#include "tests/fuzz/promise.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hallmark::authn {
namespace {

constexpr std::string_view kAccessKey = "HMAKFUZZFUZZFUZZFUZZ";
constexpr SigningTime kNow =
    std::chrono::sys_days(std::chrono::year(2026) / 11 / 22) + std::chrono::hours(12);

class StandingClock final : public Clock {
 public:
  WallTime Now() const override { return kNow; }
  SteadyTime SteadyNow() const override { return SteadyTime{}; }
};

class NoMarks final : public SignatureMarks {
 public:
  SigningTime UsedUntil(std::string_view) const override { return SigningTime::min(); }
  Status Raise(std::string_view, SigningTime) override { return {}; }
};

class OneSecret final : public Sealer {
 public:
  std::string Seal(std::string_view, std::string_view) const override { return {}; }
  std::optional<std::string> Open(std::string_view, std::string_view) const override {
    return std::nullopt;
  }
  SecretBytes DeriveSecret(std::string_view) const override {
    return SecretBytes(AsBytes("fuzzed with this 32 bytes secret"));
  }
};

// The request's text: a line with method and target, lines with headers, an empty line, the body.
struct ParsedRequest {
  std::string method;
  std::string target;
  std::vector<HttpHeader> headers;
  std::string body;

  SignedRequest View() const { return {method, target, headers, body}; }
};

std::string_view TakeLine(std::string_view* text) {
  const std::size_t end = std::min(text->find('\n'), text->size());
  const std::string_view line = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  return line;
}

ParsedRequest Parse(std::string_view text) {
  ParsedRequest request;
  const std::string_view first = TakeLine(&text);
  const std::size_t space = std::min(first.find(' '), first.size());
  request.method = first.substr(0, space);
  request.target = first.substr(std::min(space + 1, first.size()));
  for (std::string_view line = TakeLine(&text); !line.empty(); line = TakeLine(&text)) {
    const std::size_t colon = std::min(line.find(':'), line.size());
    request.headers.push_back(
        {line.substr(0, colon), line.substr(std::min(colon + 1, line.size()))});
  }
  request.body = text;
  return request;
}

class Server {
 public:
  Server() {
    const Site site{"aws", "us-west-2"};
    Principal user{
        PrincipalRecord{.unique_id = "u",
                        .arn = *PrincipalArn::Parse("arn:aws:iam::111122223333:user/u", site)},
        nullptr,
        "",
        {},
        {{std::string(kAccessKey), "u"}}};
    principals_.Publish(std::make_shared<const Principal>(std::move(user)));
  }

  Result<SignedCaller> Authenticate(const ParsedRequest& request) {
    Result<SignedCaller> caller = authenticator_.Authenticate(request.View());
    if (caller) HALLMARK_RETURN_IF_ERROR(authenticator_.CountOnce(*caller));
    return caller;
  }
  SecretBytes SigningKey() const {
    return DeriveSigningKey(sealer_.DeriveSecret(""), FormatBasicDay(Today()), "us-west-2", "kms");
  }
  static std::chrono::sys_days Today() { return std::chrono::floor<std::chrono::days>(kNow); }

 private:
  StandingClock clock_;
  OneSecret sealer_;
  NoMarks marks_;
  PrincipalDirectory principals_;
  SigV4Authenticator authenticator_{{.region = "us-west-2",
                                     .wants_mismatch = [] { return true; },
                                     .on_mismatch = [](const SignatureMismatch&) {}},
                                    principals_,
                                    sealer_,
                                    marks_,
                                    clock_};
};

// As sent. The secret is not in the corpus, so an acceptance is the signature of its own text.
void CheckAsSent(const ParsedRequest& request) {
  Server server;
  const auto caller = server.Authenticate(request);
  std::string_view header;
  FindHeader(request.View(), "authorization", &header);
  if (caller) {
    const auto claim = ParseAuthorization(header);
    HALLMARK_PROMISE(claim.has_value());
    HALLMARK_PROMISE(claim->access_key_id == kAccessKey);
    HALLMARK_PROMISE(Signs(*claim, "host"));
    HALLMARK_PROMISE(claim->signature.size() == 64);
    HALLMARK_PROMISE(!server.Authenticate(request).has_value());
    return;
  }
  const std::string said = ToString(caller.error());
  HALLMARK_PROMISE(said.size() < 1'000);
  HALLMARK_PROMISE(
      std::all_of(said.begin(), said.end(), [](char c) { return c >= ' ' && c <= '~'; }));
}

// The same request with a signature of its owner, over every header that it has.
void CheckSigned(ParsedRequest request) {
  constexpr std::size_t kMaxSigned = 60;
  std::erase_if(request.headers, [](const HttpHeader& sent) {
    for (const char* ours : {"authorization", "host", "x-amz-date", "x-amz-security-token",
                             "x-amz-content-sha256", "date"}) {
      if (IsNamed(sent, ours)) return true;
    }
    return false;
  });
  const std::string time = FormatBasicTime(kNow);
  request.headers.push_back({"Host", "localhost"});
  request.headers.push_back({"X-Amz-Date", time});

  std::vector<std::string> names;
  for (const HttpHeader& header : request.headers) {
    std::string name(header.name);
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  if (names.size() > kMaxSigned) return;
  std::string authorization =
      std::string(kSigningAlgorithm) + " Credential=" + std::string(kAccessKey) + "/" +
      FormatBasicDay(Server::Today()) + "/us-west-2/kms/aws4_request, SignedHeaders=";
  for (const std::string& name : names) authorization += name + ";";
  authorization.pop_back();
  authorization += ", Signature=";

  Server server;
  const std::string unsigned_header = authorization + "0";
  const auto claim = ParseAuthorization(unsigned_header);
  if (!claim) return;  // a name that is none
  const auto canonical = CanonicalRequest(request.View(), *claim, ToHex(Sha256(request.body)));
  if (!canonical || HoldsSignature(QueryOf(request.target))) return;
  const SecretBytes key = server.SigningKey();
  authorization +=
      ToHex(HmacSha256(key.RevealForHsm(), StringToSign(time, claim->scope, *canonical)));
  request.headers.push_back({"Authorization", authorization});

  const auto refuses = [&server](ParsedRequest changed, const auto& change) {
    change(changed);
    return !server.Authenticate(changed).has_value();
  };
  HALLMARK_PROMISE(refuses(request, [](ParsedRequest& r) { r.body += 'x'; }));
  HALLMARK_PROMISE(refuses(request, [](ParsedRequest& r) { r.method += 'x'; }));
  HALLMARK_PROMISE(refuses(request, [](ParsedRequest& r) {
    r.target += r.target.find('?') == std::string::npos ? "?x=" : "&x=";
  }));
  const std::string longer = std::string(request.headers.front().value) + "x";
  HALLMARK_PROMISE(
      refuses(request, [&longer](ParsedRequest& r) { r.headers.front().value = longer; }));
  HALLMARK_PROMISE(refuses(request, [](ParsedRequest& r) { r.headers.erase(r.headers.begin()); }));
  // What was changed cost the request nothing, and it counts once.
  HALLMARK_PROMISE(server.Authenticate(request).has_value());
  HALLMARK_PROMISE(!server.Authenticate(request).has_value());
}

}  // namespace
}  // namespace hallmark::authn

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const hallmark::authn::ParsedRequest request = hallmark::authn::Parse(text);
  hallmark::authn::CheckAsSent(request);
  hallmark::authn::CheckSigned(request);
  return 0;
}
