#include "tests/support/full_disk.h"

#include "keystate/mutex.h"
#include "tests/support/control_file.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

namespace hallmark::testing {
namespace {

// What the control file asks for.
struct Order {
  bool first_is_short = false;
  std::size_t first = 0;  // 0: nothing goes wrong
  std::size_t count = 0;  // 0: all from the first on
};

Order ParseOrder(const std::string& text) {
  std::istringstream words(text);
  std::string verb;
  Order order;
  words >> verb;
  if (verb.empty()) return order;
  order.first_is_short = verb == "short";
  if ((verb != "fail" && verb != "short") || !(words >> order.first >> order.count)) {
    static_cast<void>(std::fprintf(stderr, "disk control: not understood: %s\n", text.c_str()));
    return {};
  }
  return order;
}

enum class Fate { kDone, kShort, kFails };

class Disk {
 public:
  // Never destroyed: files are still written while the process exits.
  static Disk& Get() {
    static auto* const disk = new Disk;
    return *disk;
  }

  // What becomes of this call on the file.
  Fate Next(int fd) {
    if (!control_.watching() || !IsAuditLog(fd)) return Fate::kDone;
    MutexLock lock(mu_);
    if (const std::optional<std::string> text = control_.ReadIfChanged()) {
      order_ = ParseOrder(*text);
      call_ = 0;
    }
    ++call_;
    if (order_.first == 0 || call_ < order_.first) return Fate::kDone;
    if (order_.count != 0 && call_ >= order_.first + order_.count) return Fate::kDone;
    ::close(::open((control_.path() + ".struck").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    return order_.first_is_short && call_ == order_.first ? Fate::kShort : Fate::kFails;
  }

 private:
  Disk() : control_(EnvironmentValue("HALLMARK_DISK_CONTROL")) {}

  static bool IsAuditLog(int fd) {
    std::array<char, 4096> target{};
    const ssize_t size =
        ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), target.data(), target.size());
    return size > 0 && std::string_view(target.data(), static_cast<std::size_t>(size))
                           .ends_with("/audit.jsonl");
  }

  ControlFile control_;
  Mutex mu_;
  Order order_ HALLMARK_GUARDED_BY(mu_);
  std::size_t call_ HALLMARK_GUARDED_BY(mu_) = 0;
};

template <class Function>
Function Next(Function /*ours*/, const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

int DiskFull() {
  errno = ENOSPC;
  return -1;
}

}  // namespace
}  // namespace hallmark::testing

using hallmark::testing::Disk;
using hallmark::testing::DiskFull;
using hallmark::testing::Fate;
using hallmark::testing::Next;

extern "C" {
#define HALLMARK_EXPORT __attribute__((visibility("default")))

HALLMARK_EXPORT ssize_t write(int fd, const void* data, size_t size) {
  static const auto next = Next(&write, "write");
  const Fate fate = Disk::Get().Next(fd);
  if (fate == Fate::kFails || (fate == Fate::kShort && size < 2)) return DiskFull();
  return next(fd, data, fate == Fate::kShort ? size / 2 : size);
}

HALLMARK_EXPORT int fallocate(int fd, int mode, off_t offset, off_t size) {
  static const auto next = Next(&fallocate, "fallocate");
  if (Disk::Get().Next(fd) != Fate::kDone) return DiskFull();
  return next(fd, mode, offset, size);
}

HALLMARK_EXPORT int ftruncate(int fd, off_t size) noexcept {
  static const auto next = Next(&ftruncate, "ftruncate");
  if (Disk::Get().Next(fd) != Fate::kDone) return DiskFull();
  return next(fd, size);
}
}
