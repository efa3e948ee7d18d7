#include "service/config/config_keys.h"

#include <algorithm>

namespace hallmark::service {

std::vector<std::string> ConfigKeys() {
  std::vector<std::string> keys;
  for (const KeyRow<Config>& row : KeysOfFile()) keys.push_back(Qualified(row.section, row.key));
  for (const auto& row : KeysOfToken()) keys.push_back(Qualified("token.<id>", row.key));
  return keys;
}

std::vector<ConfigChange> ChangedKeys(const Config& running, const Config& wanted) {
  std::vector<ConfigChange> changes;
  for (const KeyRow<Config>& row : KeysOfFile()) {
    if (!row.value.same(running, wanted)) {
      changes.push_back({Qualified(row.section, row.key), row.effect});
    }
  }
  const auto find = [](const Config& config, const std::string& id) {
    return std::find_if(
        config.tokens.begin(), config.tokens.end(),
        [&id](const pkcs11::TokenOptions& candidate) { return candidate.token_id == id; });
  };
  for (const pkcs11::TokenOptions& token : running.tokens) {
    const std::string shown = Qualified(kTokenSection, token.token_id);
    const auto same_id = find(wanted, token.token_id);
    if (same_id == wanted.tokens.end()) {
      changes.push_back({shown, Effect::kNextStart});
      continue;
    }
    for (const auto& row : KeysOfToken()) {
      if (!row.value.same(token, *same_id)) {
        changes.push_back({Qualified(shown, row.key), row.effect});
      }
    }
  }
  for (const pkcs11::TokenOptions& token : wanted.tokens) {
    if (find(running, token.token_id) == running.tokens.end()) {
      changes.push_back({Qualified(kTokenSection, token.token_id), Effect::kNextStart});
    }
  }
  return changes;
}

void TakeOverLive(const Config& wanted, Config& running) {
  for (const KeyRow<Config>& row : KeysOfFile()) {
    if (row.effect == Effect::kLive) row.value.copy(wanted, running);
  }
}

bool IsLive(std::string_view key) {
  const auto rows = KeysOfFile();
  return std::any_of(rows.begin(), rows.end(), [key](const KeyRow<Config>& row) {
    return row.effect == Effect::kLive && Qualified(row.section, row.key) == key;
  });
}

}  // namespace hallmark::service
