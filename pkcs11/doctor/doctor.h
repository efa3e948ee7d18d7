// Examines a token by using it: what it can do, whether it keeps what it promises, how fast it is.
#pragma once

#include "keystate/random.h"
#include "keystate/result.h"
#include "pkcs11/doctor/diagnosis.h"
#include "pkcs11/options.h"

#include <chrono>
#include <cstddef>

namespace hallmark::pkcs11 {

// The label of the keys that an examination makes. One that was killed may leave one of them.
inline constexpr const char* kDoctorKeyLabel = "hallmark doctor";

struct ExaminationOptions {
  // Of each of the two measurements of rate.
  std::chrono::milliseconds rate_time{500};
  std::size_t rate_threads = 2;
};

// Calls the token from this process, beside a daemon too, whatever `token.hosts` says: a driver
// that hangs holds up the caller. Makes keys, some of them token objects, and destroys what it
// made. A refused PIN is latched as at every login. Errors: as those of Open, where the token
// cannot be reached at all.
Result<Diagnosis, OpenError> Examine(const TokenOptions& token, RandomSource& random,
                                     const ExaminationOptions& options);

// Only whether the token lets keys out, by one key that it makes; nothing else is found out.
Result<Diagnosis, OpenError> ExamineEnforcement(const TokenOptions& token, RandomSource& random);

}  // namespace hallmark::pkcs11
