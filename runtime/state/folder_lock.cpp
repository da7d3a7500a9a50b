#include "runtime/state/folder_lock.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <unistd.h>

namespace rtdp::state {

result<folder_lock> folder_lock::take(const std::string& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed)
    return rejected("data_dir " + folder + " cannot be made: " + failed.message());
  auto path = folder + "/lock";
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    return rejected(path + " cannot be opened: " + std::strerror(errno));
  folder_lock held{fd};
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    char holder[24] = {};
    if (::pread(fd, holder, sizeof(holder) - 1, 0) <= 0)
      std::strcpy(holder, "unknown");
    return rejected("data_dir " + folder + " is used by another process (pid " + holder +
                    "): stop it, or give this node a data_dir of its own");
  }
  auto mine = std::to_string(::getpid());
  // The number is for people; the lock itself does not depend on it.
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, mine.data(), mine.size(), 0) < 0)
    return unavailable(path + " cannot be written: " + std::strerror(errno));
  return held;
}

folder_lock::~folder_lock() {
  if (fd_ >= 0)
    ::close(fd_);
}

} // namespace rtdp::state
