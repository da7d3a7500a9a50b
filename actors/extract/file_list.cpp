#include "actors/extract/file_list.hpp"

#include <algorithm>
#include <fnmatch.h>
#include <glob.h>
#include <sys/stat.h>

namespace rtdp::extract::files {

namespace {

struct glob_list {
  glob_t found{};
  ~glob_list() { globfree(&found); }
};

bool matches_any(const std::vector<std::string>& patterns, const char* path) {
  return std::any_of(patterns.begin(), patterns.end(), [path](const std::string& p) {
    return fnmatch(p.c_str(), path, 0) == 0;
  });
}

} // namespace

result<std::vector<seen>> list_files(const std::vector<std::string>& paths,
                                     const std::vector<std::string>& exclude) {
  std::vector<seen> out;
  for (const auto& pattern : paths) {
    glob_list names;
    auto code = ::glob(pattern.c_str(), 0, nullptr, &names.found);
    if (code != 0 && code != GLOB_NOMATCH)
      return unavailable("cannot list " + pattern);
    for (size_t i = 0; code == 0 && i < names.found.gl_pathc; ++i) {
      struct stat s {};
      const char* path = names.found.gl_pathv[i];
      if (matches_any(exclude, path) || ::stat(path, &s) != 0 || !S_ISREG(s.st_mode))
        continue;
      auto is_known = std::any_of(out.begin(), out.end(), [&](const seen& o) {
        return o.inode == s.st_ino && o.device == s.st_dev;
      });
      if (!is_known)
        out.push_back({path, s.st_dev, s.st_ino, s.st_size,
                       s.st_mtim.tv_sec * 1'000'000'000 + s.st_mtim.tv_nsec});
    }
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const seen& a, const seen& b) { return a.modified < b.modified; });
  return out;
}

} // namespace rtdp::extract::files
