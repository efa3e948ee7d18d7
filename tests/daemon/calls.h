// The calls that these tests make again and again.
#pragma once

#include "keystate/key_spec.h"
#include "tests/support/test_daemon.h"

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace hallmark::testing {

using namespace std::chrono_literals;

// Whether `condition` becomes true in time.
bool Eventually(const std::function<bool()>& condition, std::chrono::milliseconds within = 10s);

v1::CreateKeyRequest CreateKeyRequestFor(KeySpec spec);
// The id of a new key; aborts on failure.
std::string CreateKey(const Client& client, KeySpec spec = KeySpec::kHmac256);

v1::GenerateMacRequest MacRequest(const std::string& key_id, const std::string& message,
                                  KeySpec spec = KeySpec::kHmac256);

struct MacAnswer {
  Outcome outcome;
  std::string mac;
  std::chrono::milliseconds took{0};
};
MacAnswer GenerateMac(const Client& client, const std::string& key_id, const std::string& message,
                      std::chrono::milliseconds within = 30s);
MacAnswer GenerateMac(const Client& client, const v1::GenerateMacRequest& request,
                      std::chrono::milliseconds within = 30s);
Outcome VerifyMac(const Client& client, const v1::GenerateMacRequest& generated,
                  const std::string& mac);

Outcome DescribeKey(const Client& client, const std::string& key_id,
                    std::chrono::milliseconds within = 30s);
// What the daemon says of itself, as Prometheus sees it.
std::string Scrape(const TestDaemon& daemon);
// Every key of the account, by all pages.
std::vector<std::string> ListKeys(const Client& client);

}  // namespace hallmark::testing
