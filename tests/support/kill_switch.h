// hallmark-kill.so: a library to be preloaded into a process, which kills it (SIGKILL) at one exact
// point between what it does to its disk and what it asks of its token.
//
// The points are the calls that change or sync a file of the home's store or token directory, and
// the calls of PKCS#11, of which the fault module tells. Runs of the same call form a stage,
// counted from 1; what a token does to its files within one call of PKCS#11 is a stage "in
// C_GenerateKey".
//
// HALLMARK_KILL_CONTROL names a file in the home, replaced by rename. The count starts anew with
// each version of it. It holds nothing, or one of
//
//   record                               each point's stage is appended to FILE.trace, one a line
//   kill 3 2 before write hallmark.db-wal   at the second call of the third stage, which must have
//                                        that name
//   kill 0 1 before C_Sign               at the first stage of that name
//   kill 9 1 after syncfs tokens         when that call has returned
//
// FILE.struck exists once a kill has struck.
#pragma once

// Told by the fault module around every call of PKCS#11. Weak: null where nothing is preloaded.
extern "C" __attribute__((weak, visibility("default"))) void HallmarkTokenCallBegins(
    const char* function);
extern "C" __attribute__((weak, visibility("default"))) void HallmarkTokenCallEnded();
