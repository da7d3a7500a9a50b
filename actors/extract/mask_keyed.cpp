#include "actors/extract/mask_keyed.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <utility>

namespace rtdp::extract {

namespace {

constexpr size_t block_digits = 36;
constexpr uint32_t rounds = 10;
/// A walk leaves the numbers that fit after fewer than ten steps on average; it must end anyway.
constexpr int walk_max = 100'000;

__extension__ using uint128 = unsigned __int128;

constexpr std::array<uint64_t, 19> powers = [] {
  std::array<uint64_t, 19> p{1};
  for (size_t i = 1; i < p.size(); ++i)
    p[i] = p[i - 1] * 10;
  return p;
}();

uint64_t number_of(std::span<const uint8_t> digits) {
  uint64_t n = 0;
  for (auto d : digits)
    n = n * 10 + d;
  return n;
}

void put_digits(uint64_t n, std::span<uint8_t> digits) {
  for (size_t i = digits.size(); i-- > 0; n /= 10)
    digits[i] = uint8_t(n % 10);
}

} // namespace

void hmac_sha256::freed::operator()(evp_mac_ctx_st* c) const { EVP_MAC_CTX_free(c); }

result<hmac_sha256> hmac_sha256::make(std::string_view key) {
  hmac_sha256 out;
  auto* algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  if (algorithm != nullptr)
    out.context_.reset(EVP_MAC_CTX_new(algorithm));
  EVP_MAC_free(algorithm);
  char name[] = "SHA256";
  OSSL_PARAM how[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                      OSSL_PARAM_construct_end()};
  auto bytes = reinterpret_cast<const unsigned char*>(key.data());
  if (!out.context_ || EVP_MAC_init(out.context_.get(), bytes, key.size(), how) != 1)
    return rejected("OpenSSL offers no HMAC with SHA-256");
  return out;
}

bool hmac_sha256::of(std::string_view bytes, digest& out) {
  auto* c = context_.get();
  size_t size = 0;
  // Without a key it begins anew with the one it has, already worked in.
  return EVP_MAC_init(c, nullptr, 0, nullptr) == 1 &&
         EVP_MAC_update(c, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()) ==
             1 &&
         EVP_MAC_final(c, out.data(), &size, out.size()) == 1 && size == out.size();
}

result<digit_permutation> digit_permutation::make(std::string_view key) {
  auto mac = hmac_sha256::make(key);
  if (!mac)
    return mac.error();
  digit_permutation out(std::move(*mac));
  if (!out.make_table())
    return rejected("OpenSSL computes no HMAC with SHA-256");
  return out;
}

bool digit_permutation::make_table() {
  hmac_sha256::digest noise;
  if (!mac_.of("one digit", noise))
    return false;
  std::iota(table_.begin(), table_.end(), uint8_t(0));
  // Three bytes a choice: the remainder favours none by more than one in a million.
  for (size_t i = 9; i > 0; --i) {
    auto* at = &noise[(9 - i) * 3];
    auto choice = (uint32_t(at[0]) << 16 | uint32_t(at[1]) << 8 | at[2]) % (i + 1);
    std::swap(table_[i], table_[choice]);
  }
  return true;
}

bool digit_permutation::apply_block(std::span<uint8_t> digits, uint32_t block, uint32_t total) {
  if (digits.size() == 1) {
    digits[0] = table_[digits[0]];
    return true;
  }
  size_t sizes[2] = {digits.size() / 2, digits.size() - digits.size() / 2};
  uint64_t left = number_of(digits.first(sizes[0])), right = number_of(digits.subspan(sizes[0]));
  struct {
    uint32_t total, block, round, padding;
    uint64_t half;
  } input{total, block, 0, 0, 0};
  static_assert(sizeof input == 24, "no byte of it is left unset");
  for (uint32_t i = 0; i < rounds; ++i) {
    input.round = i;
    input.half = right;
    char bytes[sizeof input];
    std::memcpy(bytes, &input, sizeof input);
    hmac_sha256::digest noise;
    if (!mac_.of({bytes, sizeof bytes}, noise))
      return false;
    uint128 wide = 0;
    std::memcpy(&wide, noise.data(), sizeof wide);
    auto modulus = powers[sizes[i % 2]];
    auto next = uint64_t((left + uint64_t(wide % modulus)) % modulus);
    left = right;
    right = next;
  }
  put_digits(left, digits.first(sizes[0]));
  put_digits(right, digits.subspan(sizes[0]));
  return true;
}

bool digit_permutation::apply(std::span<uint8_t> digits) {
  auto total = uint32_t(digits.size());
  uint32_t block = 0;
  for (size_t at = 0; at < digits.size(); at += block_digits)
    if (!apply_block(digits.subspan(at, std::min(block_digits, digits.size() - at)), block++,
                     total))
      return false;
  return true;
}

bool digit_permutation::apply_number(uint64_t& number, uint64_t min, uint64_t max) {
  size_t size = 1;
  while (size < 20 && (size == 19 ? number / 10 >= powers[18] : number >= powers[size]))
    ++size;
  // Beyond 19 digits no 64-bit number with a sign goes.
  if (size > 19)
    return false;
  uint8_t digits[19];
  std::span<uint8_t> used(digits, size);
  put_digits(number, used);
  for (int step = 0; step < walk_max; ++step) {
    if (!apply(used))
      return false;
    if (size > 1 && used[0] == 0)
      continue;
    auto image = number_of(used);
    if (image < min || image > max)
      continue;
    number = image;
    return true;
  }
  return false;
}

} // namespace rtdp::extract
