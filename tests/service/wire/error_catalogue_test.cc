// service/wire/ERRORS.md is made from exceptions.def and the error map.
#include "service/wire/error_map.h"
#include "tests/support/golden.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>

namespace hallmark::wire {
namespace {

constexpr Exception kEveryException[] = {
#define HALLMARK_EXCEPTION(name, fault, retry, meaning) Exception::k##name,
#include "keystate/exceptions.def"
#undef HALLMARK_EXCEPTION
};

const std::map<grpc::StatusCode, std::string_view> kCodeNames{
    {grpc::INVALID_ARGUMENT, "INVALID_ARGUMENT"},
    {grpc::NOT_FOUND, "NOT_FOUND"},
    {grpc::ALREADY_EXISTS, "ALREADY_EXISTS"},
    {grpc::PERMISSION_DENIED, "PERMISSION_DENIED"},
    {grpc::UNAUTHENTICATED, "UNAUTHENTICATED"},
    {grpc::FAILED_PRECONDITION, "FAILED_PRECONDITION"},
    {grpc::UNIMPLEMENTED, "UNIMPLEMENTED"},
    {grpc::RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED"},
    {grpc::ABORTED, "ABORTED"},
    {grpc::UNAVAILABLE, "UNAVAILABLE"},
    {grpc::INTERNAL, "INTERNAL"},
};

std::string Catalogue() {
  std::string page =
      "# Errors\n\n"
      "Every exception that a caller can see. Made from `keystate/exceptions.def` and "
      "`service/wire/error_map.cc` by\n`error_map_test`; do not edit it.\n\n"
      "Dispatch on the name: over gRPC it is the `reason` of `google.rpc.ErrorInfo`, over HTTP "
      "`__type`. *Fault* is whose\nmistake it is. *Repeat* is whether the same request can succeed "
      "after a pause; over gRPC clients read it as\n`retryable` in the metadata of ErrorInfo.\n\n"
      "| exception | gRPC | HTTP | fault | repeat | what it means and what to do |\n"
      "|---|---|---|---|---|---|\n";
  for (const Exception exception : kEveryException) {
    const ExceptionTraits& traits = Describe(exception);
    page += "| " + std::string(traits.name) + " | " +
            std::string(kCodeNames.at(ToGrpc(exception))) + " | " +
            std::to_string(ToHttp(exception)) + " | " +
            (traits.fault == Fault::kCaller ? "caller" : "service") + " | " +
            (traits.retry == Retry::kBackoff ? "yes" : "no") + " | " + std::string(traits.meaning) +
            " |\n";
  }
  return page;
}

TEST(ErrorCatalogueTest, TheCommittedPageIsThatOfTheTable) {
  hallmark::testing::ExpectGolden(HALLMARK_ERROR_CATALOGUE, Catalogue());
}

TEST(ErrorCatalogueTest, EveryRowSaysWhatItMeansAndWhatToDo) {
  for (const Exception exception : kEveryException) {
    const std::string_view meaning = Describe(exception).meaning;
    EXPECT_NE(meaning.find(". "), std::string_view::npos) << Describe(exception).name;
    EXPECT_TRUE(meaning.ends_with('.')) << Describe(exception).name;
    EXPECT_EQ(meaning.find('|'), std::string_view::npos) << "would end the cell of the table";
  }
}

TEST(ErrorCatalogueTest, TheHttpStatusTellsWhoseFaultItIs) {
  EXPECT_EQ(ToHttp(Exception::kNotFoundException), 400);
  EXPECT_EQ(ToHttp(Exception::kKeyUnavailableException), 500);
  EXPECT_EQ(ToHttp(Exception::kDependencyTimeoutException), 503);
}

}  // namespace
}  // namespace hallmark::wire
