#include "tests/daemon/calls.h"

#include "tests/daemon/raw_connection.h"

#include <cstdio>
#include <cstdlib>
#include <thread>

namespace hallmark::testing {
namespace {

constexpr std::chrono::milliseconds kPollInterval{5};

void Require(const Outcome& outcome, const char* what) {
  if (outcome.ok()) return;
  std::fprintf(stderr, "%s: %s %s\n", what, outcome.exception.c_str(), outcome.message.c_str());
  std::abort();
}

}  // namespace

bool Eventually(const std::function<bool()>& condition, std::chrono::milliseconds within) {
  const auto deadline = std::chrono::steady_clock::now() + within;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(kPollInterval);
  }
  return true;
}

v1::CreateKeyRequest CreateKeyRequestFor(KeySpec spec) {
  v1::CreateKeyRequest request;
  // The enumerations of the wire have "unspecified" first.
  request.set_key_spec(static_cast<v1::KeySpec>(static_cast<int>(spec) + 1));
  request.set_key_usage(v1::KEY_USAGE_GENERATE_VERIFY_MAC);
  return request;
}

std::string CreateKey(const Client& client, KeySpec spec) {
  v1::CreateKeyResponse response;
  Require(client.Call(&v1::KeyService::Stub::CreateKey, CreateKeyRequestFor(spec), &response),
          "CreateKey");
  return response.key_metadata().key_id();
}

v1::GenerateMacRequest MacRequest(const std::string& key_id, const std::string& message,
                                  KeySpec spec) {
  v1::GenerateMacRequest request;
  request.set_key_id(key_id);
  request.set_message(message);
  request.set_mac_algorithm(static_cast<v1::MacAlgorithm>(static_cast<int>(spec) + 1));
  return request;
}

MacAnswer GenerateMac(const Client& client, const std::string& key_id, const std::string& message,
                      std::chrono::milliseconds within) {
  return GenerateMac(client, MacRequest(key_id, message), within);
}

MacAnswer GenerateMac(const Client& client, const v1::GenerateMacRequest& request,
                      std::chrono::milliseconds within) {
  v1::GenerateMacResponse response;
  const auto start = std::chrono::steady_clock::now();
  Outcome outcome = client.Call(&v1::KeyService::Stub::GenerateMac, request, &response, within);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - start);
  return {std::move(outcome), response.mac(), took};
}

Outcome VerifyMac(const Client& client, const v1::GenerateMacRequest& generated,
                  const std::string& mac) {
  v1::VerifyMacRequest request;
  request.set_key_id(generated.key_id());
  request.set_message(generated.message());
  request.set_mac_algorithm(generated.mac_algorithm());
  request.set_mac(mac);
  v1::VerifyMacResponse response;
  return client.Call(&v1::KeyService::Stub::VerifyMac, request, &response);
}

Outcome DescribeKey(const Client& client, const std::string& key_id,
                    std::chrono::milliseconds within) {
  v1::DescribeKeyRequest request;
  request.set_key_id(key_id);
  v1::DescribeKeyResponse response;
  return client.Call(&v1::KeyService::Stub::DescribeKey, request, &response, within);
}

std::string Scrape(const TestDaemon& daemon) {
  const std::string endpoints = ReadFile(daemon.home() / "endpoints.json");
  const std::size_t begin = endpoints.find("http://") + 7;
  const RawConnection connection(endpoints.substr(begin, endpoints.find('/', begin) - begin));
  connection.Write("GET /metrics HTTP/1.0\r\n\r\n");
  return connection.ReadToEnd();
}

std::vector<std::string> ListKeys(const Client& client) {
  std::vector<std::string> ids;
  v1::ListKeysRequest request;
  request.set_limit(100);
  for (;;) {
    v1::ListKeysResponse page;
    Require(client.Call(&v1::KeyService::Stub::ListKeys, request, &page), "ListKeys");
    for (const auto& entry : page.keys()) ids.push_back(entry.key_id());
    if (!page.truncated()) return ids;
    request.set_marker(page.next_marker());
  }
}

}  // namespace hallmark::testing
