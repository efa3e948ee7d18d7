#include "service/audit/audit_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace hallmark::audit {
namespace {

// Set aside at once: some thousand calls.
constexpr off_t kAllocationBytes = 1024 * 1024;
// Between two attempts to get out of a failure.
constexpr std::chrono::milliseconds kRetryInterval{200};

struct Opened {
  int fd;
  off_t size;
};

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

Result<Opened, std::string> OpenForAppend(const std::filesystem::path& file) {
  const int fd =
      open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0600);
  if (fd < 0) {
    return Refuse(file, std::string("cannot be opened: ") + std::strerror(errno) +
                            "; correct audit.file or its folder");
  }
  struct stat status {};
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(fd);
    return Refuse(file, "is not a file; correct audit.file");
  }
  Result<off_t, std::string> whole = LengthOfWholeLines(file, fd, status.st_size);
  if (whole.has_value() && *whole < status.st_size && ftruncate(fd, *whole) != 0) {
    whole = Refuse(file, std::string("cannot be cut: ") + std::strerror(errno));
  }
  if (!whole.has_value()) {
    close(fd);
    return Unexpected(std::move(whole).error());
  }
  return Opened{fd, *whole};
}

}  // namespace

ssize_t FileCalls::Write(int fd, const void* data, std::size_t size) {
  return write(fd, data, size);
}

int FileCalls::Allocate(int fd, off_t offset, off_t size) {
  return fallocate(fd, FALLOC_FL_KEEP_SIZE, offset, size);
}

int FileCalls::Truncate(int fd, off_t size) { return ftruncate(fd, size); }

AuditFile::AuditFile(std::filesystem::path file, std::shared_ptr<FileCalls> calls, int fd,
                     off_t size)
    : file_(std::move(file)), calls_(std::move(calls)), fd_(fd), size_(size) {}

Result<std::unique_ptr<AuditFile>, std::string> AuditFile::Open(const std::filesystem::path& file,
                                                                std::shared_ptr<FileCalls> calls) {
  HALLMARK_ASSIGN_OR_RETURN(const Opened opened, OpenForAppend(file));
  return std::unique_ptr<AuditFile>(new AuditFile(file, std::move(calls), opened.fd, opened.size));
}

AuditFile::~AuditFile() {
  MutexLock lock(mu_);
  // Blocks that were set aside and are not used go back.
  static_cast<void>(calls_->Truncate(fd_, size_));
  close(fd_);
}

bool AuditFile::Reserve(std::size_t bytes) {
  MutexLock lock(mu_);
  if (!healthy() && !Recover()) return false;
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
  reserved_ -= reserved;
  if ((healthy() || Recover()) && AppendLocked(line)) return true;
  ++lost_;
  return false;
}

bool AuditFile::AppendLocked(std::string_view line) {
  std::string whole(line);
  whole += '\n';
  std::size_t done = 0;
  while (done < whole.size()) {
    const ssize_t written = calls_->Write(fd_, whole.data() + done, whole.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      // Half a line would spoil the next one. If it cannot be cut off, the next line begins behind
      // an end of line of its own.
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
  if (calls_->Allocate(fd_, from, size) == 0) {
    allocated_ = from + size;
    return true;
  }
  can_allocate_ = errno != EOPNOTSUPP && errno != ENOSYS;
  return !can_allocate_;
}

bool AuditFile::Recover() {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_try_) return false;
  next_try_ = now + kRetryInterval;
  if (calls_->Truncate(fd_, size_) != 0) return false;
  allocated_ = 0;
  if (!AllocateFor(0)) return false;
  healthy_.store(true, std::memory_order_relaxed);
  // Told to whoever reads the file: between the lines before and after it some were never written.
  const std::string told =
      R"({"eventType":"AuditResumed","recordsLost":)" + std::to_string(lost_) + "}";
  if (!AppendLocked(told)) return false;
  lost_ = 0;
  return true;
}

void AuditFile::Fail() {
  healthy_.store(false, std::memory_order_relaxed);
  next_try_ = std::chrono::steady_clock::now() + kRetryInterval;
}

bool AuditFile::Probe() {
  MutexLock lock(mu_);
  return healthy() || Recover();
}

Result<void, std::string> AuditFile::Reopen() {
  HALLMARK_ASSIGN_OR_RETURN(const Opened opened, OpenForAppend(file_));
  MutexLock lock(mu_);
  static_cast<void>(calls_->Truncate(fd_, size_));
  close(std::exchange(fd_, opened.fd));
  size_ = opened.size;
  allocated_ = 0;
  can_allocate_ = true;
  return {};
}

}  // namespace hallmark::audit
