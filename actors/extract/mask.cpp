#include "actors/extract/mask.hpp"

#include "actors/extract/mask_keyed.hpp"
#include "runtime/ums/calendar.hpp"
#include "runtime/ums/codec.hpp"

#include <simdjson.h>

#include <algorithm>
#include <limits>
#include <openssl/evp.h>
#include <re2/re2.h>

namespace rtdp::extract {

namespace {

using mask_kind = mask_settings::kind;
using unit = mask_settings::unit;
using unmatched = mask_settings::unmatched;
using failures = std::vector<mask_failure>;

constexpr const char* not_utf8 = "the text is not UTF-8";
constexpr const char* openssl_failed = "OpenSSL computes nothing";

/// Calls `each(row)` for every row with a value; it appends one value and says why not otherwise.
template<class Each>
void for_values(const ums::column& from, ums::column& to, failures& failed, Each each) {
  to.reserve(from.size());
  for (size_t row = 0; row < from.size(); ++row) {
    if (from.is_null(row)) {
      to.append_null();
    } else if (const char* why = each(row)) {
      failed.push_back({row, why});
      to.append_null();
    }
  }
}

/// A cell as the wire has it, binary as its bytes; `buffer` keeps its memory from call to call.
std::string_view text_of(const ums::column& c, size_t row, std::string& buffer) {
  if (ums::storage_of(c.type()) == ums::storage::texts)
    return c.text(row);
  buffer.clear();
  ums::append_cell(c, row, buffer);
  return buffer;
}

class replace_mask final : public mask {
public:
  explicit replace_mask(std::string text) : text_(std::move(text)) {}
  void apply(const ums::column& from, ums::column& to, failures& failed) override {
    for_values(from, to, failed, [&](size_t) -> const char* {
      to.append_text(text_);
      return nullptr;
    });
  }

private:
  std::string text_;
};

class null_mask final : public mask {
public:
  void apply(const ums::column& from, ums::column& to, failures&) override {
    for (size_t row = 0; row < from.size(); ++row)
      to.append_null();
  }
};

class partial_mask final : public mask {
public:
  explicit partial_mask(const mask_settings& m) : fill_(m.fill), first_(m.first), last_(m.last) {}
  void apply(const ums::column& from, ums::column& to, failures& failed) override {
    for_values(from, to, failed, [&](size_t row) { return hide(from.text(row), to); });
  }

private:
  static bool begins_character(char c) { return (c & 0xc0) != 0x80; }

  const char* hide(std::string_view text, ums::column& to) {
    if (!simdjson::validate_utf8(text.data(), text.size()))
      return not_utf8;
    auto count = size_t(std::count_if(text.begin(), text.end(), begins_character));
    bool all = count <= first_ + last_;
    size_t at = 0;
    out_.clear();
    for (size_t i = 0; i < text.size(); ++i) {
      bool begins = begins_character(text[i]);
      at += begins;
      // `at` counts from 1 here.
      if (!all && (at <= first_ || at > count - last_))
        out_ += text[i];
      else if (begins)
        out_ += fill_;
    }
    to.append_text(out_);
    return nullptr;
  }

  std::string fill_, out_;
  size_t first_, last_;
};

/// Lower-case hexadecimal digits of 32 bytes.
void append_hex(const uint8_t* bytes, ums::column& to) {
  constexpr char digits[] = "0123456789abcdef";
  char out[64];
  for (size_t i = 0; i < 32; ++i) {
    out[2 * i] = digits[bytes[i] >> 4];
    out[2 * i + 1] = digits[bytes[i] & 15];
  }
  to.append_text({out, sizeof out});
}

/// SHA-256 of the salt and the value behind it.
class sha256_mask final : public mask {
public:
  explicit sha256_mask(const mask_settings& m)
      : salt_(m.salt), algorithm_(EVP_MD_fetch(nullptr, "SHA256", nullptr), EVP_MD_free),
        context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {}
  bool works() const { return algorithm_ && context_; }
  void apply(const ums::column& from, ums::column& to, failures& failed) override {
    const auto& salt = salt_.reveal();
    auto* c = context_.get();
    for_values(from, to, failed, [&](size_t row) -> const char* {
      auto text = text_of(from, row, buffer_);
      uint8_t digest[32];
      if (EVP_DigestInit_ex2(c, algorithm_.get(), nullptr) != 1 ||
          EVP_DigestUpdate(c, salt.data(), salt.size()) != 1 ||
          EVP_DigestUpdate(c, text.data(), text.size()) != 1 ||
          EVP_DigestFinal_ex(c, digest, nullptr) != 1)
        return openssl_failed;
      append_hex(digest, to);
      return nullptr;
    });
  }

private:
  config::secret salt_;
  std::unique_ptr<EVP_MD, void (*)(EVP_MD*)> algorithm_;
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
  std::string buffer_;
};

class hmac_mask final : public mask {
public:
  explicit hmac_mask(hmac_sha256 mac) : mac_(std::move(mac)) {}
  void apply(const ums::column& from, ums::column& to, failures& failed) override {
    for_values(from, to, failed, [&](size_t row) -> const char* {
      hmac_sha256::digest digest;
      if (!mac_.of(text_of(from, row, buffer_), digest))
        return openssl_failed;
      append_hex(digest.data(), to);
      return nullptr;
    });
  }

private:
  hmac_sha256 mac_;
  std::string buffer_;
};

RE2::Options quiet() {
  RE2::Options o;
  o.set_log_errors(false);
  return o;
}

class regex_mask final : public mask {
public:
  explicit regex_mask(const mask_settings& m)
      : pattern_(m.pattern, quiet()), replacement_(m.replacement), unmatched_(m.when_unmatched) {}
  void apply(const ums::column& from, ums::column& to, failures& failed) override {
    for_values(from, to, failed, [&](size_t row) -> const char* {
      auto text = from.text(row);
      if (!simdjson::validate_utf8(text.data(), text.size()))
        return not_utf8;
      out_.assign(text);
      if (RE2::GlobalReplace(&out_, pattern_, replacement_) == 0) {
        if (unmatched_ == unmatched::refuse)
          return "the pattern matches nowhere in the value; `unmatched` says what else to do";
        if (unmatched_ == unmatched::blank)
          out_.clear();
      }
      to.append_text(out_);
      return nullptr;
    });
  }

private:
  RE2 pattern_;
  std::string replacement_, out_;
  unmatched unmatched_;
};

class date_mask final : public mask {
public:
  explicit date_mask(unit to) : to_(to) {}
  void apply(const ums::column& from, ums::column& to, failures& failed) override {
    bool has_time = from.type() == ums::type::datetime;
    for_values(from, to, failed, [&](size_t row) -> const char* {
      auto value = from.ints()[row];
      if (value == ums::plus_infinity || value == ums::minus_infinity) {
        to.append_int(value);
        return nullptr;
      }
      int64_t rounded = has_time ? value : day_of(value);
      if (has_time && !round_time(value, rounded))
        return "the beginning of the period lies before the first time that UMS can hold";
      to.append_int(rounded);
      return nullptr;
    });
  }

private:
  static constexpr int64_t minute_us = 60'000'000, hour_us = 60 * minute_us, day_us = 24 * hour_us;

  /// The first day of the period that `days` lies in.
  int64_t day_of(int64_t days) const {
    if (to_ >= unit::day)
      return days;
    auto d = ums::calendar::from_days(days);
    return ums::calendar::to_days(d.year, to_ == unit::year ? 1 : d.month, 1);
  }
  bool round_time(int64_t micros, int64_t& out) const {
    auto step = to_ == unit::minute ? minute_us : to_ == unit::hour ? hour_us : day_us;
    auto periods = ums::calendar::floor_div(micros, step);
    return !__builtin_mul_overflow(step == day_us ? day_of(periods) : periods, step, &out);
  }

  unit to_;
};

class digits_mask final : public mask {
public:
  explicit digits_mask(digit_permutation permutation) : permutation_(std::move(permutation)) {}
  void apply(const ums::column& from, ums::column& to, failures& failed) override {
    auto type = from.type();
    for_values(from, to, failed, [&](size_t row) {
      if (type == ums::type::string)
        return mask_text(from.text(row), to);
      return type == ums::type::decimal
                 ? mask_decimal(from.text(row), to)
                 : mask_number(from.ints()[row], type == ums::type::int_, to);
    });
  }

private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  const char* mask_text(std::string_view text, ums::column& to) {
    out_.assign(text);
    if (!permute(0))
      return openssl_failed;
    to.append_text(out_);
    return nullptr;
  }

  /// A single zero in front of the point stays, and a number never begins with another one.
  const char* mask_decimal(std::string_view text, ums::column& to) {
    if (text.find_first_of("eE") != text.npos)
      return "the number has an exponent";
    auto first = text.find_first_of("0123456789");
    if (first == text.npos) {
      to.append_text(text);
      return nullptr;
    }
    bool has_whole = text[first] != '0';
    out_.assign(text);
    // As with whole numbers: on until it is a number of that length again.
    for (int step = 0; step < 1000; ++step) {
      if (!permute(has_whole ? first : first + 1))
        return openssl_failed;
      if (has_whole && out_[first] == '0')
        continue;
      to.append_text(out_);
      return nullptr;
    }
    return "no other number of that length was found";
  }

  const char* mask_number(int64_t value, bool is_int, ums::column& to) {
    bool negative = value < 0;
    auto size = negative ? ~uint64_t(value) + 1 : uint64_t(value);
    auto max = uint64_t(is_int ? std::numeric_limits<int32_t>::max()
                               : std::numeric_limits<int64_t>::max());
    // There is no -0, and one more number below zero than above it.
    if (!permutation_.apply_number(size, negative, max + negative))
      return openssl_failed;
    to.append_int(int64_t(negative ? ~size + 1 : size));
    return nullptr;
  }

  /// The digits of `out_` from `first` on.
  bool permute(size_t first) {
    digits_.clear();
    for (size_t i = first; i < out_.size(); ++i)
      if (is_digit(out_[i]))
        digits_.push_back(uint8_t(out_[i] - '0'));
    if (!permutation_.apply(digits_))
      return false;
    size_t used = 0;
    for (size_t i = first; i < out_.size(); ++i)
      if (is_digit(out_[i]))
        out_[i] = char('0' + digits_[used++]);
    return true;
  }

  digit_permutation permutation_;
  std::string out_;
  std::vector<uint8_t> digits_;
};

} // namespace

result<std::unique_ptr<mask>> make_mask(const mask_settings& m) {
  using made = std::unique_ptr<mask>;
  switch (m.with) {
  case mask_kind::replace:
    return made(std::make_unique<replace_mask>(m.text));
  case mask_kind::null:
    return made(std::make_unique<null_mask>());
  case mask_kind::partial:
    return made(std::make_unique<partial_mask>(m));
  case mask_kind::regex:
    return made(std::make_unique<regex_mask>(m));
  case mask_kind::date:
    return made(std::make_unique<date_mask>(m.to));
  case mask_kind::sha256: {
    auto hash = std::make_unique<sha256_mask>(m);
    if (!hash->works())
      return rejected("OpenSSL offers no SHA-256");
    return made(std::move(hash));
  }
  case mask_kind::hmac: {
    auto mac = hmac_sha256::make(m.salt.reveal());
    if (!mac)
      return mac.error();
    return made(std::make_unique<hmac_mask>(std::move(*mac)));
  }
  case mask_kind::digits:
    break;
  }
  auto permutation = digit_permutation::make(m.salt.reveal());
  if (!permutation)
    return permutation.error();
  return made(std::make_unique<digits_mask>(std::move(*permutation)));
}

} // namespace rtdp::extract
