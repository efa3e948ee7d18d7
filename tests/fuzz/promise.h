// What a fuzz target claims about the code, beyond that it does not crash.
#pragma once

#include <cstdio>
#include <cstdlib>

// Aborts with the broken promise, so that libFuzzer keeps the input that broke it.
#define HALLMARK_PROMISE(condition)                                                        \
  do {                                                                                     \
    if (!(condition)) {                                                                    \
      std::fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                        \
    }                                                                                      \
  } while (false)
