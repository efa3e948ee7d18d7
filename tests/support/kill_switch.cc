#include "tests/support/kill_switch.h"

#include "keystate/mutex.h"
#include "tests/support/control_file.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio_ext.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

namespace hallmark::testing {
namespace {

// What the control file asks for.
struct Order {
  bool record = false;
  std::size_t stage = 0;  // 0: the first of that name
  std::size_t call = 0;   // 0: kill nowhere
  bool after = false;
  std::string name;
};

Order ParseOrder(const std::string& text) {
  std::istringstream words(text);
  std::string verb;
  std::string when;
  Order order;
  words >> verb;
  if (verb.empty()) return order;
  if (verb == "record") {
    order.record = true;
  } else if (verb == "kill" && words >> order.stage >> order.call >> when &&
             (when == "before" || when == "after")) {
    order.after = when == "after";
    std::getline(words >> std::ws, order.name);
  } else {
    static_cast<void>(std::fprintf(stderr, "kill control: not understood: %s\n", text.c_str()));
  }
  return order;
}

class KillSwitch {
 public:
  // Never destroyed: files are still closed while the process exits.
  static KillSwitch& Get() {
    static auto* const the_switch = new KillSwitch;
    return *the_switch;
  }

  // At a point. Kills, or says whether to kill once the call has returned.
  bool Reach(const std::string& name) {
    if (!control_.watching()) return false;
    MutexLock lock(mu_);
    if (const std::optional<std::string> text = control_.ReadIfChanged()) {
      order_ = ParseOrder(*text);
      stage_ = call_ = 0;
      name_.clear();
    }
    if (name != name_) {
      name_ = name;
      ++stage_;
      call_ = 0;
    }
    ++call_;
    if (order_.record) Append(control_.path() + ".trace", name + "\n");
    if (call_ != order_.call || name != order_.name) return false;
    if (order_.stage != 0 && order_.stage != stage_) return false;
    if (!order_.after) Die();
    return true;
  }

  [[noreturn]] void Die() {
    Append(control_.path() + ".struck", "");
    // Not raise(): every thread must be stopped at once, and this one must not go on.
    for (;;) ::kill(::getpid(), SIGKILL);
  }

  // The file as a point names it; empty unless it is in the store's or the token's directory.
  std::string NameOf(int fd) const {
    std::array<char, 4096> target{};
    const ssize_t size =
        ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), target.data(), target.size());
    return size <= 0 ? "" : NameOf(std::string_view(target.data(), static_cast<std::size_t>(size)));
  }
  std::string NameOf(std::string_view path) const {
    if (!control_.watching() || !path.starts_with(home_)) return "";
    path.remove_prefix(home_.size());
    constexpr std::string_view kStore = "store/";
    if (path.starts_with(kStore)) return std::string(path.substr(kStore.size()));
    return path.starts_with("tokens") ? "tokens" : "";
  }

 private:
  KillSwitch() : control_(EnvironmentValue("HALLMARK_KILL_CONTROL")) {
    // Canonical, as the kernel tells the paths of descriptors.
    std::error_code error;
    const auto home = std::filesystem::path(control_.path()).parent_path();
    home_ = std::filesystem::canonical(home, error).string() + "/";
  }

  static void Append(const std::string& file, const std::string& text) {
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return;
    static_cast<void>(::write(fd, text.data(), text.size()) < 0);
    ::close(fd);
  }

  ControlFile control_;
  std::string home_;  // with a slash at its end
  Mutex mu_;
  Order order_ HALLMARK_GUARDED_BY(mu_);
  std::string name_ HALLMARK_GUARDED_BY(mu_);
  std::size_t stage_ HALLMARK_GUARDED_BY(mu_) = 0;
  std::size_t call_ HALLMARK_GUARDED_BY(mu_) = 0;
};

// The call of PKCS#11 that this thread is in.
thread_local const char* token_call = nullptr;
thread_local bool die_after_token_call = false;

// Around one call on a file.
class Passage {
 public:
  Passage(std::string_view call, const std::string& file)
      : die_(!file.empty() &&
             KillSwitch::Get().Reach(token_call != nullptr ? "in " + std::string(token_call)
                                                           : std::string(call) + " " + file)) {}
  ~Passage() {
    if (die_) KillSwitch::Get().Die();
  }
  Passage(const Passage&) = delete;
  Passage& operator=(const Passage&) = delete;

 private:
  const bool die_;
};

template <class Function>
Function Next(Function /*ours*/, const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

}  // namespace
}  // namespace hallmark::testing

using hallmark::testing::KillSwitch;
using hallmark::testing::Next;
using hallmark::testing::Passage;

void HallmarkTokenCallBegins(const char* function) {
  hallmark::testing::die_after_token_call = KillSwitch::Get().Reach(function);
  hallmark::testing::token_call = function;
}

void HallmarkTokenCallEnded() {
  hallmark::testing::token_call = nullptr;
  if (hallmark::testing::die_after_token_call) KillSwitch::Get().Die();
}

// The calls of SQLite, of SoftHSM and of our own by which something becomes durable.
extern "C" {
#define HALLMARK_EXPORT __attribute__((visibility("default")))

HALLMARK_EXPORT ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) {
  static const auto next = Next(&pwrite64, "pwrite64");
  const Passage passage("write", KillSwitch::Get().NameOf(fd));
  return next(fd, data, size, offset);
}

HALLMARK_EXPORT int fdatasync(int fd) {
  static const auto next = Next(&fdatasync, "fdatasync");
  const Passage passage("sync", KillSwitch::Get().NameOf(fd));
  return next(fd);
}

HALLMARK_EXPORT int fsync(int fd) {
  static const auto next = Next(&fsync, "fsync");
  const Passage passage("sync", KillSwitch::Get().NameOf(fd));
  return next(fd);
}

HALLMARK_EXPORT int syncfs(int fd) noexcept {
  static const auto next = Next(&syncfs, "syncfs");
  const Passage passage("syncfs", KillSwitch::Get().NameOf(fd));
  return next(fd);
}

HALLMARK_EXPORT int ftruncate64(int fd, off64_t size) noexcept {
  static const auto next = Next(&ftruncate64, "ftruncate64");
  const Passage passage("truncate", KillSwitch::Get().NameOf(fd));
  return next(fd, size);
}

HALLMARK_EXPORT int ftruncate(int fd, off_t size) noexcept {
  static const auto next = Next(&ftruncate, "ftruncate");
  const Passage passage("truncate", KillSwitch::Get().NameOf(fd));
  return next(fd, size);
}

HALLMARK_EXPORT int unlink(const char* path) noexcept {
  static const auto next = Next(&unlink, "unlink");
  const Passage passage("remove", KillSwitch::Get().NameOf(path));
  return next(path);
}

HALLMARK_EXPORT int remove(const char* path) noexcept {
  static const auto next = Next(&remove, "remove");
  const Passage passage("remove", KillSwitch::Get().NameOf(path));
  return next(path);
}

// What is still in the buffer is not on disk: these are the writes of a program that uses stdio.
HALLMARK_EXPORT int fflush(FILE* file) {
  static const auto next = Next(&fflush, "fflush");
  const bool writes = file != nullptr && __fpending(file) > 0;
  const Passage passage("write", writes ? KillSwitch::Get().NameOf(::fileno(file)) : "");
  return next(file);
}

HALLMARK_EXPORT int fclose(FILE* file) {
  static const auto next = Next(&fclose, "fclose");
  const Passage passage("write",
                        __fpending(file) > 0 ? KillSwitch::Get().NameOf(::fileno(file)) : "");
  return next(file);
}
}
