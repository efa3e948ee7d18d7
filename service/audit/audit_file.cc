#include "service/audit/audit_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace hallmark::audit {
namespace {

// Set aside at once: some thousand calls.
constexpr off_t kAllocationBytes = 1024 * 1024;
// Between two attempts to get out of a failure.
constexpr std::chrono::milliseconds kRetryInterval{200};

Unexpected<std::string> Refuse(const std::filesystem::path& file, const std::string& reason) {
  return Unexpected<std::string>("the audit log " + file.string() + ": " + reason);
}

// The length up to the end of the last whole line.
Result<off_t, std::string> LengthOfWholeLines(const std::filesystem::path& file, int fd,
                                              off_t size) {
  std::array<char, 4096> block{};
  off_t end = size;
  while (end > 0) {
    const off_t begin = std::max<off_t>(0, end - static_cast<off_t>(block.size()));
    const ssize_t got = pread(fd, block.data(), static_cast<std::size_t>(end - begin), begin);
    if (got != end - begin) return Refuse(file, "cannot be read; see to the disk");
    for (off_t i = end; i > begin; --i) {
      if (block[static_cast<std::size_t>(i - begin - 1)] == '\n') return i;
    }
    end = begin;
  }
  return off_t{0};
}

// Whether what a call failed for may be over at the next attempt.
bool MayPass(int reason) {
  return reason == ENOSPC || reason == EDQUOT || reason == EIO || reason == EINTR;
}

// Cuts off what stands behind `length`. To cut is also to lengthen, with bytes that are no record:
// not for a file that somebody else has cut.
int CutTo(FileCalls& calls, int fd, off_t& length) {
  struct stat status {};
  if (fstat(fd, &status) == 0) length = std::min(length, status.st_size);
  return calls.Truncate(fd, length);
}

// Leaves no part of a line behind `whole`: cuts it off or, in a file that may only grow, ends it,
// so that it stands alone. The length then; nothing: neither could be done.
std::optional<off_t> EndWithWholeLine(FileCalls& calls, int fd, off_t whole) {
  if (CutTo(calls, fd, whole) == 0) return whole;
  const int reason = errno;
  struct stat status {};
  if (fstat(fd, &status) != 0) return std::nullopt;
  if (status.st_size <= whole) return status.st_size;  // there is no part of a line
  if (MayPass(reason) || calls.Write(fd, "\n", 1) != 1) return std::nullopt;
  return status.st_size + 1;
}

// Closes on every way out but one.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }
  int Take() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

int OpenForAppend(const std::filesystem::path& file) {
  return open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW,
              0600);
}

// What `fd` is, if lines can be appended to it.
Result<struct stat, std::string> StatusOf(const std::filesystem::path& file, int fd) {
  if (fd < 0) {
    return Refuse(file, std::string("cannot be opened: ") + std::strerror(errno) +
                            "; correct audit.file or its folder");
  }
  struct stat status {};
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    return Refuse(file, "is not a file; correct audit.file");
  }
  return status;
}

// The length, once the file ends with a whole line.
Result<off_t, std::string> EndWithWholeLine(const std::filesystem::path& file, int fd, off_t size,
                                            FileCalls& calls) {
  HALLMARK_ASSIGN_OR_RETURN(const off_t whole, LengthOfWholeLines(file, fd, size));
  if (whole == size) return size;
  char first = 0;
  if (pread(fd, &first, 1, whole) != 1) return Refuse(file, "cannot be read; see to the disk");
  if (first != '{') {
    return Refuse(file,
                  "ends with something that is no record; if it is an audit log, move it away, and "
                  "if not, correct audit.file");
  }
  const std::optional<off_t> ended = EndWithWholeLine(calls, fd, whole);
  if (!ended) {
    return Refuse(file,
                  std::string("cannot be cut: ") + std::strerror(errno) + "; see to the disk");
  }
  return *ended;
}

bool CannotAllocate(int reason) { return reason == EOPNOTSUPP || reason == ENOSYS; }

}  // namespace

ssize_t FileCalls::Write(int fd, const void* data, std::size_t size) {
  return write(fd, data, size);
}

int FileCalls::Allocate(int fd, off_t offset, off_t size) {
  return fallocate(fd, FALLOC_FL_KEEP_SIZE, offset, size);
}

int FileCalls::Truncate(int fd, off_t size) { return ftruncate(fd, size); }

std::chrono::steady_clock::time_point FileCalls::Now() { return std::chrono::steady_clock::now(); }

class AuditFile::UnderWay {
 public:
  explicit UnderWay(AuditFile& file) : file_(file) {
    file_.under_way_since_.store(file_.calls_->Now().time_since_epoch().count(),
                                 std::memory_order_relaxed);
  }
  ~UnderWay() { file_.under_way_since_.store(0, std::memory_order_relaxed); }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;

 private:
  AuditFile& file_;
};

AuditFile::AuditFile(std::filesystem::path file, std::shared_ptr<FileCalls> calls, int fd,
                     off_t size)
    : file_(std::move(file)), calls_(std::move(calls)), fd_(fd), size_(size) {}

Result<std::unique_ptr<AuditFile>, std::string> AuditFile::Open(const std::filesystem::path& file,
                                                                std::shared_ptr<FileCalls> calls) {
  Descriptor opened(OpenForAppend(file));
  HALLMARK_ASSIGN_OR_RETURN(const struct stat status, StatusOf(file, opened.get()));
  HALLMARK_ASSIGN_OR_RETURN(const off_t size,
                            EndWithWholeLine(file, opened.get(), status.st_size, *calls));
  return std::unique_ptr<AuditFile>(new AuditFile(file, std::move(calls), opened.Take(), size));
}

AuditFile::~AuditFile() {
  MutexLock lock(mu_);
  // Blocks that were set aside and are not used go back.
  static_cast<void>(CutTo(*calls_, fd_, size_));
  close(fd_);
}

bool AuditFile::Reserve(std::size_t bytes) {
  MutexLock lock(mu_);
  if (failed() && !Recover()) return false;
  if (!AllocateFor(bytes)) {
    Fail();
    return false;
  }
  reserved_ += bytes;
  return true;
}

void AuditFile::Release(std::size_t bytes) {
  MutexLock lock(mu_);
  reserved_ -= bytes;
}

bool AuditFile::Append(std::string_view line, std::size_t reserved) {
  MutexLock lock(mu_);
  const bool appended = (!failed() || Recover()) && AppendLocked(line);
  reserved_ -= reserved;
  if (!appended) ++lost_;
  return appended;
}

bool AuditFile::AppendLocked(std::string_view line) {
  std::string whole(line);
  whole += '\n';
  std::size_t done = 0;
  const UnderWay under_way(*this);
  while (done < whole.size()) {
    const ssize_t written = calls_->Write(fd_, whole.data() + done, whole.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      // Half a line would spoil the next one. If it stays now, Recover sees to it. Where somebody
      // has cut the file, it begins further in front.
      struct stat status {};
      if (fstat(fd_, &status) == 0) {
        size_ = std::min(size_, status.st_size - static_cast<off_t>(done));
      }
      static_cast<void>(calls_->Truncate(fd_, size_));
      Fail();
      return false;
    }
    done += static_cast<std::size_t>(written);
  }
  size_ += static_cast<off_t>(whole.size());
  return true;
}

bool AuditFile::AllocateFor(std::size_t bytes) {
  const off_t needed = size_ + static_cast<off_t>(reserved_ + bytes);
  if (!can_allocate_ || needed <= allocated_) return true;
  const off_t from = std::max(size_, allocated_);
  const off_t size = std::max(kAllocationBytes, needed - from);
  const UnderWay under_way(*this);
  if (calls_->Allocate(fd_, from, size) == 0) {
    allocated_ = from + size;
    return true;
  }
  can_allocate_ = !CannotAllocate(errno);
  return !can_allocate_;
}

bool AuditFile::Recover() {
  const auto now = calls_->Now();
  if (now < next_try_) return false;
  next_try_ = now + kRetryInterval;
  {
    const UnderWay under_way(*this);
    const std::optional<off_t> ended = EndWithWholeLine(*calls_, fd_, size_);
    if (!ended) return false;
    size_ = *ended;
  }
  allocated_ = 0;
  // Told to whoever reads the file: between the lines before and after it some were never written.
  const std::string told =
      R"({"eventType":"AuditResumed","recordsLost":)" + std::to_string(lost_) + "}";
  // Room beside what is reserved for others.
  if (!AllocateFor(told.size() + 1) || !AppendLocked(told)) return false;
  lost_ = 0;
  healthy_.store(true, std::memory_order_relaxed);
  return true;
}

void AuditFile::Fail() {
  healthy_.store(false, std::memory_order_relaxed);
  next_try_ = calls_->Now() + kRetryInterval;
}

bool AuditFile::Hangs() const {
  const auto since = under_way_since_.load(std::memory_order_relaxed);
  if (since == 0) return false;
  const std::chrono::steady_clock::time_point begun{std::chrono::steady_clock::duration(since)};
  return calls_->Now() - begun > kPatience;
}

bool AuditFile::Probe() {
  // Whoever holds it is writing, or trying to.
  if (!mu_.try_lock()) return healthy();
  const bool takes_lines = !failed() || Recover();
  mu_.unlock();
  return takes_lines;
}

Result<void, std::string> AuditFile::Reopen() {
  // Nothing may be appended between looking at a file and using it.
  MutexLock lock(mu_);
  const UnderWay under_way(*this);
  Descriptor opened(OpenForAppend(file_));
  HALLMARK_ASSIGN_OR_RETURN(const struct stat status, StatusOf(file_, opened.get()));
  struct stat current {};
  if (fstat(fd_, &current) == 0 && current.st_dev == status.st_dev &&
      current.st_ino == status.st_ino) {
    return {};
  }
  HALLMARK_ASSIGN_OR_RETURN(const off_t size,
                            EndWithWholeLine(file_, opened.get(), status.st_size, *calls_));
  off_t allocated = 0;
  bool can_allocate = true;
  if (reserved_ > 0) {
    // Calls that are under way count on it.
    const off_t bytes = std::max(kAllocationBytes, static_cast<off_t>(reserved_));
    if (calls_->Allocate(opened.get(), size, bytes) == 0) {
      allocated = size + bytes;
    } else if (CannotAllocate(errno)) {
      can_allocate = false;
    } else {
      return Refuse(file_, std::string("has no room: ") + std::strerror(errno) +
                               "; make room on the disk and reload again");
    }
  }
  static_cast<void>(CutTo(*calls_, fd_, size_));
  close(std::exchange(fd_, opened.Take()));
  size_ = size;
  allocated_ = allocated;
  can_allocate_ = can_allocate;
  return {};
}

}  // namespace hallmark::audit
