#include "service/app/operation_functions.h"
#include "service/app/optimistic.h"
#include "service/app/paging.h"
#include "service/app/pipeline.h"
#include "service/app/tags.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hallmark::app {
namespace {

// Source: KMS API reference, ListResourceTags.
constexpr PageSize kTagPage{.usual = 50, .most = 50};

// The key goes into the store with its tags: whoever changes either at the same time is noticed.
Result<Revision> CommitTags(Engine& engine, std::vector<StoreWrite> writes,
                            std::shared_ptr<KeyView> next,
                            const std::vector<std::size_t>& written_tags) {
  writes.push_back(Put(next->key));
  HALLMARK_ASSIGN_OR_RETURN(const Revision revision, engine.store.Commit(writes));
  next->key.revision = revision;
  for (const std::size_t i : written_tags) next->tags[i].revision = revision;
  engine.keys.Publish(std::move(next));
  return revision;
}

}  // namespace

Status TagResource(Engine& engine, CallContext& call, const v1::TagResourceRequest& request,
                   v1::TagResourceResponse* /*response*/) {
  // Before anybody is asked: what policies judge costs time.
  HALLMARK_RETURN_IF_ERROR(CheckTags(request.tags()));
  const TagWords words(request.tags());
  RequestContext context;
  words.FillIn(&context);
  return UntilWon(engine, call, [&]() -> Status {
    HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr view,
                              AdmitKey(engine, call, request.key_id(), context));
    auto next = std::make_shared<KeyView>(*view);
    HALLMARK_ASSIGN_OR_RETURN(const std::vector<std::size_t> changed,
                              MergeTags(view->key.id, request.tags(), &next->tags));
    if (changed.empty()) return {};
    std::vector<StoreWrite> writes;
    writes.reserve(changed.size() + 1);  // the key comes, too
    for (const std::size_t i : changed) writes.push_back(Put(next->tags[i]));
    HALLMARK_RETURN_IF_ERROR(CommitTags(engine, std::move(writes), std::move(next), changed));
    return {};
  });
}

Status UntagResource(Engine& engine, CallContext& call, const v1::UntagResourceRequest& request,
                     v1::UntagResourceResponse* /*response*/) {
  const TagWords words(request.tag_keys());
  RequestContext context;
  words.FillIn(&context);
  return UntilWon(engine, call, [&]() -> Status {
    HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr view,
                              AdmitKey(engine, call, request.key_id(), context));
    HALLMARK_RETURN_IF_ERROR(CheckTagKeys(request.tag_keys()));
    auto next = std::make_shared<KeyView>(*view);
    std::vector<StoreWrite> writes;
    std::erase_if(next->tags, [&](const TagRecord& tag) {
      const auto& keys = request.tag_keys();
      if (std::find(keys.begin(), keys.end(), tag.tag_key) == keys.end()) return false;
      writes.push_back(Remove(tag));
      return true;
    });
    if (writes.empty()) return {};
    HALLMARK_RETURN_IF_ERROR(CommitTags(engine, std::move(writes), std::move(next), {}));
    return {};
  });
}

Status ListResourceTags(Engine& engine, CallContext& call,
                        const v1::ListResourceTagsRequest& request,
                        v1::ListResourceTagsResponse* response) {
  HALLMARK_ASSIGN_OR_RETURN(const KeyViewPtr view, AdmitKey(engine, call, request.key_id()));
  HALLMARK_ASSIGN_OR_RETURN(const Page page, Page::Open(engine, call.operation, view->key.account,
                                                        view->arn, request, kTagPage));
  // A position outlives its tag, so a list goes on where it was even if that tag is gone.
  std::uint32_t next_position = 0;
  if (!page.after().empty()) {
    std::from_chars(page.after().data(), page.after().data() + page.after().size(), next_position);
    ++next_position;
  }
  std::uint32_t last_position = 0;
  bool truncated = false;
  for (const TagRecord& tag : view->tags) {
    if (tag.position < next_position) continue;
    truncated = page.Truncates(static_cast<std::size_t>(response->tags_size()) + 1);
    if (truncated) break;
    v1::Tag* listed = response->add_tags();
    listed->set_tag_key(tag.tag_key);
    listed->set_tag_value(tag.tag_value);
    last_position = tag.position;
  }
  page.Close(truncated, std::to_string(last_position), response);
  return {};
}

}  // namespace hallmark::app
