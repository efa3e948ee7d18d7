#include "service/app/paging.h"

namespace hallmark::app {

std::string Page::Context(const Engine& engine, Operation operation, const AccountId& account,
                          std::string_view filter) {
  std::string context = "marker ";
  context += Name(operation);
  context += " " + engine.store_id + " ";
  context += account.text();
  context += " ";
  context += filter;
  return context;
}

Status Page::Resume(const std::string& marker) {
  std::optional<std::string> last_item = engine_.sealer.Open(context_, marker);
  if (!last_item) return Fail(Exception::kInvalidMarkerException);
  after_ = *std::move(last_item);
  return {};
}

std::string Page::Seal(std::string_view last_item) const {
  return engine_.sealer.Seal(context_, last_item);
}

}  // namespace hallmark::app
