#include "actors/extract/mysql_charset.hpp"

#include <simdjson.h>

#include <algorithm>
#include <iconv.h>

namespace rtdp::extract::my {

namespace {

struct known {
  std::string_view name;
  /// As iconv names it; null: the text is UTF-8 already.
  const char* foreign;
  size_t bytes_max;
};

/// latin1 is Windows-1252 to these servers.
constexpr known sets[] = {
    {"utf8mb4", nullptr, 4},
    {"utf8mb3", nullptr, 3},
    {"utf8", nullptr, 3},
    {"ascii", nullptr, 1},
    {"binary", nullptr, 1},
    {"latin1", "CP1252", 1},
    {"latin2", "ISO-8859-2", 1},
    {"latin5", "ISO-8859-9", 1},
    {"latin7", "ISO-8859-13", 1},
    {"greek", "ISO-8859-7", 1},
    {"hebrew", "ISO-8859-8", 1},
    {"cp1250", "CP1250", 1},
    {"cp1251", "CP1251", 1},
    {"cp1256", "CP1256", 1},
    {"cp1257", "CP1257", 1},
    {"cp850", "CP850", 1},
    {"cp852", "CP852", 1},
    {"cp866", "CP866", 1},
    {"koi8r", "KOI8-R", 1},
    {"koi8u", "KOI8-U", 1},
    {"macroman", "MACINTOSH", 1},
    {"tis620", "TIS-620", 1},
    {"armscii8", "ARMSCII-8", 1},
    {"ucs2", "UCS-2BE", 2},
    {"utf16", "UTF-16BE", 4},
    {"utf16le", "UTF-16LE", 4},
    {"utf32", "UTF-32BE", 4},
    {"gbk", "CP936", 2},
    {"gb2312", "GB2312", 2},
    {"gb18030", "GB18030", 4},
    {"big5", "BIG5", 2},
    {"sjis", "SHIFT_JIS", 2},
    {"cp932", "CP932", 2},
    {"ujis", "EUC-JP", 3},
    {"eucjpms", "EUC-JP-MS", 3},
    {"euckr", "CP949", 2},
};

iconv_t no_iconv() { return iconv_t(-1); }

} // namespace

charset::~charset() {
  if (iconv_ != nullptr)
    iconv_close(iconv_);
}

std::shared_ptr<charset> charset::find(std::string_view name) {
  const auto* at = std::find_if(std::begin(sets), std::end(sets),
                                [&](const known& k) { return k.name == name; });
  if (at == std::end(sets))
    return {};
  std::shared_ptr<charset> out(new charset);
  out->name_ = name;
  out->bytes_max_ = at->bytes_max;
  out->way_ = way::check;
  if (at->foreign == nullptr)
    return out;
  auto opened = iconv_open("UTF-8", at->foreign);
  if (opened == no_iconv())
    return {};
  out->iconv_ = opened;
  out->way_ = way::iconv;
  if (at->bytes_max == 1) {
    out->way_ = way::table;
    if (!out->fill_table(at->foreign))
      return {};
  }
  return out;
}

bool charset::fill_table(const char* foreign) {
  ascii_below_ = true;
  for (unsigned byte = 0; byte < 256; ++byte) {
    char one = char(byte);
    auto text = through_iconv({&one, 1});
    if (text.data() != nullptr)
      table_[byte] = text;
    else if (byte < 0x80)
      ascii_below_ = false;
    else if (std::string_view(foreign) == "CP1252") // The server maps its five holes to C1 controls.
      table_[byte] = {char(0xc0 | byte >> 6), char(0x80 | (byte & 0x3f))};
  }
  return true;
}

std::string_view charset::through_iconv(std::string_view text) {
  out_.resize(text.size() * 4 + 4);
  auto* from = const_cast<char*>(text.data());
  auto left = text.size(), room = out_.size();
  auto* to = out_.data();
  iconv(iconv_, nullptr, nullptr, nullptr, nullptr);
  if (iconv(iconv_, &from, &left, &to, &room) == size_t(-1) || left != 0)
    return {};
  return std::string_view(out_).substr(0, out_.size() - room);
}

std::string_view charset::to_utf8(std::string_view text) {
  // The data pointer says "not text": an empty text has one.
  if (text.empty())
    return "";
  switch (way_) {
  case way::check:
    return simdjson::validate_utf8(text.data(), text.size()) ? text : std::string_view{};
  case way::table: {
    auto plain = [](char c) { return uint8_t(c) < 0x80; };
    if (ascii_below_ && std::all_of(text.begin(), text.end(), plain))
      return text;
    out_.clear();
    for (char c : text) {
      const auto& utf8 = table_[uint8_t(c)];
      if (utf8.empty())
        return {};
      out_ += utf8;
    }
    return out_;
  }
  case way::iconv:
    return through_iconv(text);
  case way::none:
    break;
  }
  return {};
}

} // namespace rtdp::extract::my
