#include "service/app/token_inventory.h"

#include <set>

namespace hallmark::app {
namespace {

Bytes ToBytes(const CkaId& id) { return {id.begin(), id.end()}; }

}  // namespace

TokenInventory TakeInventory(const std::vector<Bytes>& listed, const StoreImage& image,
                             const Hsm& hsm) {
  TokenInventory inventory;
  const std::set<Bytes> on_token(listed.begin(), listed.end());
  std::set<Bytes> recorded;
  for (const TokenRecord& token : image.tokens) recorded.insert(ToBytes(token.anchor_cka_id));
  for (const BindingRecord& binding : image.bindings) {
    if (binding.token_id != hsm.token_id()) continue;
    recorded.insert(ToBytes(binding.cka_id));
    if (binding.state == BindingState::kReady && !on_token.contains(ToBytes(binding.cka_id))) {
      inventory.missing.push_back(binding);
    }
  }
  // Not from the set: debris without CKA_ID can be there many times.
  for (const Bytes& id : listed) {
    if (!recorded.contains(id)) inventory.orphans.push_back(id);
  }
  return inventory;
}

}  // namespace hallmark::app
