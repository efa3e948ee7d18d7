// Who signed, when, for what; and that no part of a signed request can be changed.
#include "service/authn/sigv4_authenticator.h"

#include "tests/service/authn/signed_requests.h"
#include "tests/support/result_matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

namespace hallmark::authn {
namespace {

using hallmark::testing::IsOk;
using hallmark::testing::Raises;
using hallmark::testing::RaisesWith;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

constexpr Exception kInvalid = Exception::kInvalidSignatureException;
constexpr Exception kIncomplete = Exception::kIncompleteSignatureException;
constexpr Exception kMissing = Exception::kMissingAuthenticationTokenException;
constexpr Exception kUnrecognized = Exception::kUnrecognizedClientException;
constexpr const char* kMismatch =
    "The request signature we calculated does not match the signature you provided. Check your AWS "
    "Secret Access Key and signing method. Consult the service documentation for details.";

class SigV4AuthenticatorTest : public ::testing::Test {
 protected:
  SigV4AuthenticatorTest() { principals_.Publish(alice_); }

  Result<SignedCaller> Authenticate(const SentRequest& sent, bool mutates = false) {
    return sent.Show([&](const SignedRequest& request) -> Result<SignedCaller> {
      Result<SignedCaller> caller = authenticator_.Authenticate(request);
      if (caller && mutates) HALLMARK_RETURN_IF_ERROR(authenticator_.CountOnce(*caller));
      return caller;
    });
  }
  Result<SignedCaller> Mutate(const SentRequest& sent) { return Authenticate(sent, true); }

  const std::shared_ptr<const Principal> alice_ = UserWithKeys("Alice", {std::string(kAlicesKey)});
  PrincipalDirectory principals_;
  const TestSealer sealer_;
  TestMarks marks_;
  SettableClock clock_;
  bool logs_ = true;
  std::string mismatch_;
  SigV4Authenticator authenticator_{{.region = std::string(kRegion),
                                     .wants_mismatch = [this] { return logs_; },
                                     .on_mismatch =
                                         [this](const SignatureMismatch& seen) {
                                           mismatch_ = std::string(seen.access_key_id) + "\n" +
                                                       std::string(seen.canonical_request) + "\n" +
                                                       std::string(seen.string_to_sign);
                                         }},
                                    principals_,
                                    sealer_,
                                    marks_,
                                    clock_};
};

TEST_F(SigV4AuthenticatorTest, TheOwnerOfTheAccessKeyIsTheCaller) {
  const auto caller = Authenticate(Sign({}));
  ASSERT_THAT(caller, IsOk());
  EXPECT_EQ(caller->principal, alice_);
  EXPECT_EQ(caller->access_key_id, kAlicesKey);
}

TEST_F(SigV4AuthenticatorTest, ADateHeaderDoesInPlaceOfXAmzDate) {
  SentRequest dated;
  dated.Set("Date", "Sun, 22 Nov 2026 12:00:00 GMT");
  EXPECT_THAT(Authenticate(Sign({.signed_headers = "date;host;x-amz-target"}, dated)), IsOk());
}

TEST_F(SigV4AuthenticatorTest, XAmzDateIsTheTimeWhereBothAreThere) {
  SentRequest sent = Sign({});
  sent.Set("Date", "Sun, 22 Nov 1998 12:00:00 GMT");
  EXPECT_THAT(Authenticate(sent), IsOk());
}

// Each changes a request that was signed.
struct Change {
  const char* name;
  Exception raises;
  std::function<void(SentRequest&)> make;

  friend void PrintTo(const Change& change, std::ostream* out) { *out << change.name; }
};

void Replace(const std::string& what, const std::string& by, SentRequest* sent) {
  std::string header = sent->Get("Authorization");
  const std::size_t place = header.find(what);
  ASSERT_NE(place, std::string::npos) << what;
  sent->Set("Authorization", header.replace(place, what.size(), by));
}

class ChangedRequestTest : public SigV4AuthenticatorTest,
                           public ::testing::WithParamInterface<Change> {};

TEST_P(ChangedRequestTest, IsRefused) {
  SentRequest sent = Sign({}, SentRequest{.target = "/a?b=c"});
  ASSERT_THAT(Authenticate(sent), IsOk());
  GetParam().make(sent);
  EXPECT_THAT(Authenticate(sent), Raises(GetParam().raises));
}

INSTANTIATE_TEST_SUITE_P(
    EachPart, ChangedRequestTest,
    ::testing::ValuesIn(std::vector<Change>{
        {"Method", kInvalid, [](SentRequest& r) { r.method = "GET"; }},
        {"Path", kInvalid, [](SentRequest& r) { r.target = "/?b=c"; }},
        {"QueryName", kInvalid, [](SentRequest& r) { r.target = "/a?d=c"; }},
        {"QueryValue", kInvalid, [](SentRequest& r) { r.target = "/a?b=d"; }},
        {"MoreQuery", kInvalid, [](SentRequest& r) { r.target = "/a?b=c&d"; }},
        {"NoQuery", kInvalid, [](SentRequest& r) { r.target = "/a"; }},
        {"MalformedQuery", kInvalid, [](SentRequest& r) { r.target = "/a?b=%"; }},
        {"Body", kInvalid, [](SentRequest& r) { r.body.back() = ' '; }},
        {"LongerBody", kInvalid, [](SentRequest& r) { r.body += ' '; }},
        {"NoBody", kInvalid, [](SentRequest& r) { r.body.clear(); }},
        {"Host", kInvalid, [](SentRequest& r) { r.Set("Host", "127.0.0.1:8444"); }},
        {"Target", kInvalid, [](SentRequest& r) { r.Set("X-Amz-Target", "TrentService.ListKeys"); }},
        {"SecondTarget", kInvalid,
         [](SentRequest& r) { r.headers.emplace_back("x-amz-target", "TrentService.ListKeys"); }},
        {"NoTarget", kInvalid, [](SentRequest& r) { r.Drop("X-Amz-Target"); }},
        {"NoHost", kIncomplete, [](SentRequest& r) { r.Drop("Host"); }},
        {"SecondHost", kIncomplete,
         [](SentRequest& r) { r.headers.emplace_back("HOST", "127.0.0.1:8443"); }},
        {"Time", kInvalid, [](SentRequest& r) { r.Set("X-Amz-Date", "20261122T120001Z"); }},
        {"SecondTime", kIncomplete,
         [](SentRequest& r) { r.headers.emplace_back("x-amz-date", "20261122T120000Z"); }},
        {"MalformedTime", kIncomplete,
         [](SentRequest& r) { r.Set("X-Amz-Date", "2026-11-22T12:00:00Z"); }},
        {"NoTime", kIncomplete, [](SentRequest& r) { r.Drop("X-Amz-Date"); }},
        {"NoAuthorization", kMissing, [](SentRequest& r) { r.Drop("Authorization"); }},
        {"SecondAuthorization", kIncomplete,
         [](SentRequest& r) { r.headers.emplace_back("authorization", r.Get("Authorization")); }},
        {"AccessKey", kUnrecognized,
         [](SentRequest& r) { Replace(std::string(kAlicesKey), "HMAKNOBODYNOBODYNOBO", &r); }},
        {"ScopeDay", kInvalid, [](SentRequest& r) { Replace("/20261122/", "/20261123/", &r); }},
        {"ScopeRegion", kInvalid, [](SentRequest& r) { Replace("/us-west-2/", "/us-west-1/", &r); }},
        {"ScopeService", kInvalid, [](SentRequest& r) { Replace("/kms/", "/sts/", &r); }},
        {"ScopeTerminator", kInvalid,
         [](SentRequest& r) { Replace("/aws4_request", "/aws5_request", &r); }},
        {"LessSigned", kInvalid, [](SentRequest& r) { Replace("host;x-amz-date", "host", &r); }},
        {"MoreSigned", kInvalid,
         [](SentRequest& r) {
           r.Set("A", "");
           Replace("=host;", "=a;host;", &r);
         }},
        {"SignedButNotThere", kInvalid, [](SentRequest& r) { Replace("=host;", "=a;host;", &r); }},
        {"ShorterSignature", kInvalid,
         [](SentRequest& r) {
           std::string header = r.Get("Authorization");
           header.pop_back();
           r.Set("Authorization", header);
         }},
        {"LongerSignature", kInvalid,
         [](SentRequest& r) { r.Set("Authorization", r.Get("Authorization") + "0"); }},
        {"Presigned", kInvalid, [](SentRequest& r) { r.target += "&X-Amz-Algorithm=AWS4"; }},
        {"SecurityToken", kUnrecognized,
         [](SentRequest& r) { r.Set("X-Amz-Security-Token", "token"); }},
        {"HashOfAnotherBody", kInvalid,
         [](SentRequest& r) { r.Set("X-Amz-Content-Sha256", ToHex(Sha256("another"))); }},
        {"UnsignedPayload", kInvalid,
         [](SentRequest& r) { r.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"); }},
    }),
    [](const auto& change) { return change.param.name; });

TEST_F(SigV4AuthenticatorTest, EveryDigitOfTheSignatureCounts) {
  const SentRequest sent = Sign({});
  const std::string header = sent.Get("Authorization");
  for (std::size_t place = header.size() - 64; place < header.size(); ++place) {
    SentRequest altered = sent;
    std::string other = header;
    other[place] = other[place] == '0' ? '1' : '0';
    altered.Set("Authorization", other);
    EXPECT_THAT(Authenticate(altered), RaisesWith(kInvalid, std::string(kMismatch))) << place;
  }
}

TEST_F(SigV4AuthenticatorTest, WhatIsNotSignedMayChange) {
  SentRequest sent = Sign({});
  sent.Set("User-Agent", "Boto3");
  sent.Set("X-Amz-Content-Sha256", ToHex(Sha256(sent.body)));
  EXPECT_THAT(Authenticate(sent), IsOk());
}

TEST_F(SigV4AuthenticatorTest, HostTimeAndTargetMustBeSigned) {
  const struct {
    const char* signed_headers;
    const char* missing;
  } rows[] = {{"x-amz-date;x-amz-target", "'Host' or ':authority'"},
              {"host;x-amz-target", "'X-Amz-Date'"},
              {"host;x-amz-date", "'X-Amz-Target'"}};
  for (const auto& row : rows) {
    const auto caller = Authenticate(Sign({.signed_headers = row.signed_headers}));
    EXPECT_THAT(caller,
                RaisesWith(kInvalid,
                           row.missing +
                               std::string(" must be a 'SignedHeader' in the AWS Authorization.")));
  }
  SentRequest dated;
  dated.Set("Date", "Sun, 22 Nov 2026 12:00:00 GMT");
  EXPECT_THAT(Authenticate(Sign({.signed_headers = "host;x-amz-target"}, dated)),
              RaisesWith(kInvalid, std::string("'Date' must be a 'SignedHeader' in the AWS "
                                               "Authorization.")));
}

TEST_F(SigV4AuthenticatorTest, ASignatureIsGoodForFiveMinutesOnBothSides) {
  const SentRequest sent = Sign({});
  for (const auto skew : {-300'000ms, -1ms, 0ms, 1ms, 300'000ms}) {
    clock_.Set(kNoon + skew);
    EXPECT_THAT(Authenticate(sent), IsOk()) << skew.count();
  }
  clock_.Set(kNoon + 300'001ms);
  EXPECT_THAT(Authenticate(sent),
              RaisesWith(kInvalid, std::string("Signature expired: 20261122T120000Z is now earlier "
                                               "than 20261122T120000Z (20261122T120500Z - 5 "
                                               "min.)")));
  clock_.Set(kNoon + 1h);
  EXPECT_THAT(Authenticate(sent), Raises(kInvalid));
  clock_.Set(kNoon - 300'001ms);
  EXPECT_THAT(Authenticate(sent),
              RaisesWith(kInvalid, std::string("Signature not yet current: 20261122T120000Z is "
                                               "still later than 20261122T115959Z "
                                               "(20261122T115459Z + 5 min.)")));
}

TEST_F(SigV4AuthenticatorTest, EveryWrongPartOfTheScopeIsNamed) {
  EXPECT_THAT(
      Authenticate(Sign({.region = "eu-central-1",
                         .service = "sts",
                         .terminator = "aws5_request",
                         .day = "20261121"})),
      RaisesWith(kInvalid,
                 std::string("Credential should be scoped to a valid region, not 'eu-central-1'. "
                             "This endpoint is of 'us-west-2'. Credential should be scoped to "
                             "correct service: 'kms'. Credential should be scoped with a valid "
                             "terminator: 'aws4_request', not 'aws5_request'. Date in Credential "
                             "scope does not match YYYYMMDD from ISO-8601 version of date from "
                             "HTTP: '20261121' != '20261122', from '20261122T120000Z'.")));
}

TEST_F(SigV4AuthenticatorTest, AMisplacedSecretIsNotRepeated) {
  const std::string secret = "wJalrXUtnFEMIhunter2bPxRfiCYEXAMPLEKEY";
  for (const Signing& how : {Signing{.region = secret}, Signing{.terminator = secret},
                             Signing{.day = secret}, Signing{.access_key_id = secret}}) {
    const auto caller = Authenticate(Sign(how));
    ASSERT_FALSE(caller.has_value());
    EXPECT_THAT(ToString(caller.error()), Not(HasSubstr("hunter2")));
  }
}

TEST_F(SigV4AuthenticatorTest, ARemovedAccessKeyStopsAtOnce) {
  EXPECT_THAT(Authenticate(Sign({})), IsOk());
  const std::string next = "HMAKNEXTNEXTNEXTNEXT";
  principals_.Publish(UserWithKeys("Alice", {next}));
  EXPECT_THAT(Authenticate(Sign({})), Raises(kUnrecognized));
  EXPECT_THAT(Authenticate(Sign({.access_key_id = next})), IsOk());
  principals_.Withdraw("Alice");
  EXPECT_THAT(Authenticate(Sign({.access_key_id = next})),
              RaisesWith(kUnrecognized,
                         std::string("The security token included in the request is invalid.")));
}

TEST_F(SigV4AuthenticatorTest, TheSecretOfAnotherKeyDoesNotSign) {
  principals_.Publish(UserWithKeys("Bob", {"HMAKBOB"}));
  SentRequest sent = Sign({.access_key_id = "HMAKBOB"});
  Replace("HMAKBOB", std::string(kAlicesKey), &sent);
  EXPECT_THAT(Authenticate(sent), RaisesWith(kInvalid, std::string(kMismatch)));
}

TEST_F(SigV4AuthenticatorTest, SignaturesOfBothDaysAreGoodAroundMidnight) {
  const SigningTime midnight = kNoon + 12h;
  clock_.Set(midnight + 1min);
  EXPECT_THAT(Authenticate(Sign({.at = midnight - 1min})), IsOk());
  EXPECT_THAT(Authenticate(Sign({.at = midnight + 1min})), IsOk());
  clock_.Set(midnight - 1min);
  EXPECT_THAT(Authenticate(Sign({.at = midnight + 1min})), IsOk());
}

TEST_F(SigV4AuthenticatorTest, PresignedRequestsAreRefusedClearly) {
  for (const std::string target :
       {"/?X-Amz-Algorithm=AWS4-HMAC-SHA256", "/?a&x-amz-signature=0", "/?X%2DAmz-Credential="}) {
    SentRequest sent = Sign({}, SentRequest{.target = target});
    EXPECT_THAT(Authenticate(sent),
                RaisesWith(kInvalid, std::string("Found both 'X-Amz-Algorithm' as a query-string "
                                                 "param and 'Authorization' as HTTP header.")));
    const auto caller = Authenticate(sent.Drop("Authorization"));
    ASSERT_THAT(caller, Raises(kMissing));
    EXPECT_THAT(caller.error().message, HasSubstr("Presigned requests are not served"));
  }
}

TEST_F(SigV4AuthenticatorTest, OfAWrongSignatureTheLogLearnsWhatWasComputed) {
  SentRequest sent;
  sent.Set("Cookie", "session=hunter2");
  sent = Sign({.signed_headers = "cookie;host;x-amz-date;x-amz-target"}, sent);
  EXPECT_THAT(Authenticate(sent), IsOk());
  EXPECT_EQ(mismatch_, "");
  const std::string body_hash = ToHex(Sha256(sent.body));
  sent.Set("Host", "elsewhere");
  EXPECT_THAT(Authenticate(sent), Raises(kInvalid));
  EXPECT_THAT(mismatch_, HasSubstr(std::string(kAlicesKey) +
                                   "\nPOST\n/\n\ncookie:<15 bytes>\nhost:elsewhere\n"
                                   "x-amz-date:20261122T120000Z\n"
                                   "x-amz-target:TrentService.DescribeKey\n\n"
                                   "cookie;host;x-amz-date;x-amz-target\n" +
                                   body_hash + "\nAWS4-HMAC-SHA256\n20261122T120000Z\n"));
  EXPECT_THAT(mismatch_, Not(HasSubstr("hunter2")));
  EXPECT_THAT(mismatch_, Not(HasSubstr(sent.body)));

  mismatch_.clear();
  logs_ = false;
  EXPECT_THAT(Authenticate(sent), Raises(kInvalid));
  EXPECT_EQ(mismatch_, "");
}

TEST_F(SigV4AuthenticatorTest, AMutatingRequestCountsOnce) {
  const SentRequest sent = Sign({});
  EXPECT_THAT(Mutate(sent), IsOk());
  clock_.Set(kNoon + 5min);
  const auto replayed = Mutate(sent);
  ASSERT_THAT(replayed, Raises(Exception::kThrottlingException));
  EXPECT_THAT(replayed.error().message, HasSubstr("was used before"));
  // Signed anew a second later, as SDKs do.
  EXPECT_THAT(Mutate(Sign({.at = kNoon + 1s})), IsOk());
}

TEST_F(SigV4AuthenticatorTest, ARequestThatOnlyReadsMayBeReplayed) {
  const SentRequest sent = Sign({});
  EXPECT_THAT(Authenticate(sent), IsOk());
  EXPECT_THAT(Authenticate(sent), IsOk());
  EXPECT_THAT(Mutate(sent), IsOk());
}

// A header that is not signed, or white space that is not, makes no other request.
TEST_F(SigV4AuthenticatorTest, AReplayCannotBeDisguised) {
  const SentRequest sent = Sign({}, SentRequest{.target = "/?a=b"});
  EXPECT_THAT(Mutate(sent), IsOk());
  std::vector<SentRequest> disguised(4, sent);
  disguised[0].Set("User-Agent", "Another");
  disguised[1].Set("Host", "  127.0.0.1:8443 ");
  disguised[2].target = "//./?%61=%62";
  Replace(", SignedHeaders", " ,  SignedHeaders", &disguised[3]);
  for (const SentRequest& request : disguised) {
    const auto replayed = Mutate(request);
    ASSERT_THAT(replayed, Raises(Exception::kThrottlingException));
    EXPECT_THAT(replayed.error().message, HasSubstr("was used before"));
  }
}

TEST_F(SigV4AuthenticatorTest, AWrongSignatureIsNotRemembered) {
  SentRequest wrong = Sign({});
  wrong.body += ' ';
  EXPECT_THAT(Mutate(wrong), RaisesWith(kInvalid, std::string(kMismatch)));
  EXPECT_THAT(Mutate(Sign({})), IsOk());
}

TEST_F(SigV4AuthenticatorTest, ReplaysPassWhereTheyAreAllowed) {
  SigV4Authenticator lenient({.region = std::string(kRegion), .allow_replay = true}, principals_,
                             sealer_, marks_, clock_);
  const SentRequest sent = Sign({});
  for (int i = 0; i < 2; ++i) {
    const auto caller =
        sent.Show([&](const SignedRequest& request) { return lenient.Authenticate(request); });
    ASSERT_THAT(caller, IsOk());
    EXPECT_THAT(lenient.CountOnce(*caller), IsOk());
  }
}

TEST_F(SigV4AuthenticatorTest, OfManyReplaysAtOnceOneGetsThrough) {
  constexpr int kThreads = 8;
  constexpr int kRequests = 50;
  std::vector<SentRequest> sent;
  for (int i = 0; i < kRequests; ++i) sent.push_back(Sign({.body = std::to_string(i)}));
  std::atomic<int> admitted{0};
  std::atomic<int> refused{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        for (const SentRequest& request : sent) {
          const auto caller = Mutate(request);
          if (caller) ++admitted;
          if (!caller && caller.error().exception == Exception::kThrottlingException) ++refused;
        }
      });
    }
  }
  EXPECT_EQ(admitted, kRequests);
  EXPECT_EQ(refused, kRequests * (kThreads - 1));
}

// Keys come and go, days change, and callers hammer: what was signed with a key that is there for
// good is always right.
TEST_F(SigV4AuthenticatorTest, ConcurrentRemovalsAndMidnightsDisturbNobodyElse) {
  const SigningTime midnight = kNoon + 12h;
  clock_.Set(midnight);
  const SentRequest steady = Sign({.at = midnight});
  const SentRequest passing = Sign({.access_key_id = "HMAKBOB", .at = midnight});
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> callers;
    for (int t = 0; t < 4; ++t) {
      callers.emplace_back([&] {
        while (!stop) {
          if (!Authenticate(steady)) ++wrong;
          const auto bob = Authenticate(passing);
          if (!bob && bob.error().exception != kUnrecognized) ++wrong;
        }
      });
    }
    for (int i = 0; i < 200; ++i) {
      principals_.Publish(UserWithKeys("Bob", {"HMAKBOB"}));
      clock_.Set(midnight - std::chrono::seconds(i % 2));
      EXPECT_THAT(Authenticate(passing), IsOk());
      principals_.Withdraw("Bob");
      EXPECT_THAT(Authenticate(passing), Raises(kUnrecognized));
    }
    stop = true;
  }
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace hallmark::authn
