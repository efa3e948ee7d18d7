// Linked into every test of an AddressSanitizer build: looks for leaks when the tests are over,
// instead of in the process's last moments, when OpenSSL has let go of its threads' error queues
// while gRPC's detached threads still run, and LeakSanitizer calls those queues leaks.
#include <gtest/gtest.h>
#include <sanitizer/lsan_interface.h>

namespace {

class LeakCheck : public ::testing::Environment {
 public:
  void TearDown() override { __lsan_do_leak_check(); }
};

// GoogleTest owns it.
[[maybe_unused]] const ::testing::Environment* const kLeakCheck =
    ::testing::AddGlobalTestEnvironment(new LeakCheck);

}  // namespace
