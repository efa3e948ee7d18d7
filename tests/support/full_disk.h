// hallmark-full-disk.so: a library to be preloaded into a process, for which the disk is full
// whenever a test says so.
//
// HALLMARK_DISK_CONTROL names a file, replaced by rename. It holds nothing, or one of
//
//   fail 3 2    of the calls that change the audit log (write, fallocate and ftruncate on a file of
//               the name audit.jsonl) the third and the fourth fail with ENOSPC
//   short 3 2   the third writes half of what it should, if it writes, and the fourth fails
//   fail 3 0    every call from the third on fails
//
// The count starts anew, from 1, with each version of the file. FILE.struck exists once a call has
// gone wrong.
#pragma once
