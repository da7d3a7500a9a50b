/// A child process of a test that does its work until it is killed with SIGKILL: what is left on
/// the disk is what a crash leaves. It tells the parent how far it came, byte by byte or in lines.
#pragma once

#include <csignal>
#include <cstdint>
#include <functional>
#include <sys/wait.h>
#include <unistd.h>

namespace rtdp::test {

class child {
public:
  /// `work` runs in the child; `done(n)` says that n units are finished.
  using report = std::function<void(int64_t)>;
  explicit child(const std::function<void(const report&)>& work) {
    int ends[2];
    if (pipe(ends) != 0)
      std::abort();
    pid_ = fork();
    if (pid_ == 0) {
      close(ends[0]);
      work([&](int64_t n) {
        if (write(ends[1], &n, sizeof n) != sizeof n)
          _exit(2);
      });
      _exit(0);
    }
    close(ends[1]);
    from_ = ends[0];
  }
  ~child() {
    kill();
    close(from_);
  }
  child(const child&) = delete;
  child& operator=(const child&) = delete;

  /// Waits for the next report; -1 when the child ended.
  int64_t next() {
    int64_t n = -1;
    return read(from_, &n, sizeof n) == sizeof n ? n : -1;
  }
  /// SIGKILL, then reaps. Reports sent before are still there to be read.
  void kill() {
    if (pid_ <= 0)
      return;
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  /// Waits for the end of its own accord; its exit code, or -1 when a signal ended it.
  int wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

private:
  pid_t pid_ = 0;
  int from_ = -1;
};

} // namespace rtdp::test
