// Linked into our programs in an AddressSanitizer build, by --wrap=main: looks for leaks at the end
// of main, for the reason that leak_check.cc gives.
#include <sanitizer/lsan_interface.h>

// The names that the linker's --wrap demands.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" int __real_main(int argc, char** argv);
extern "C" int __wrap_main(int argc, char** argv) {
  const int exit_code = __real_main(argc, argv);
  __lsan_do_leak_check();
  return exit_code;
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
