// Pages of lists, and the markers between them.
#pragma once

#include "keystate/ids.h"
#include "keystate/operation.h"
#include "keystate/result.h"
#include "service/app/engine.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace hallmark::app {

// Items on a page. A request for more than `most` gets `most`: a page may always hold fewer items
// than were asked for.
struct PageSize {
  std::size_t usual;
  std::size_t most;
};

// Where a list goes on. A marker is sealed, and bound to this store's history, account, operation
// and filters: an altered or foreign one, or one of another list, is none of ours.
class Page {
 public:
  // `filter` is what else the list depends on; empty: nothing.
  //
  // Errors: InvalidMarkerException, without a text.
  template <class Request>
  static Result<Page> Open(const Engine& engine, Operation operation, const AccountId& account,
                           std::string_view filter, const Request& request, PageSize size) {
    Page page(engine, Context(engine, operation, account, filter), size.usual);
    if (request.has_limit()) {
      page.limit_ = std::min(static_cast<std::size_t>(request.limit()), size.most);
    }
    if (request.has_marker()) {
      HALLMARK_RETURN_IF_ERROR(page.Resume(request.marker()));
    }
    return page;
  }

  std::size_t limit() const { return limit_; }
  // One more than the page holds tells whether there is another page.
  std::size_t to_fetch() const { return limit_ + 1; }
  // The last item of the page before; empty on the first page.
  const std::string& after() const { return after_; }

  // Whether the page does not hold all that was fetched.
  bool Truncates(std::size_t fetched) const { return fetched > limit_; }
  // Says in the response whether, and behind which item, the list goes on.
  template <class Response>
  void Close(bool truncated, std::string_view last_item, Response* response) const {
    response->set_truncated(truncated);
    if (truncated) response->set_next_marker(Seal(last_item));
  }

 private:
  Page(const Engine& engine, std::string context, std::size_t limit)
      : engine_(engine), context_(std::move(context)), limit_(limit) {}
  static std::string Context(const Engine& engine, Operation operation, const AccountId& account,
                             std::string_view filter);
  Status Resume(const std::string& marker);
  std::string Seal(std::string_view last_item) const;

  const Engine& engine_;
  std::string context_;
  std::size_t limit_;
  std::string after_;
};

}  // namespace hallmark::app
