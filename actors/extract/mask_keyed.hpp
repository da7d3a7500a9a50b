/// The keyed parts of masks: HMAC-SHA-256, and a permutation of decimal digits made of it. Owned by
/// a mask; one thread. A call that gives false has a broken OpenSSL below it: mask nothing then.
#pragma once

#include "runtime/core/error.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

struct evp_mac_ctx_st;

namespace rtdp::extract {

class hmac_sha256 {
public:
  using digest = std::array<uint8_t, 32>;

  static result<hmac_sha256> make(std::string_view key);
  [[nodiscard]] bool of(std::string_view bytes, digest& out);

private:
  struct freed {
    void operator()(evp_mac_ctx_st* c) const;
  };
  std::unique_ptr<evp_mac_ctx_st, freed> context_;
};

/// Maps the texts of n decimal digits onto themselves, one to one, for every n: a Feistel network
/// of ten rounds as in FF1 (NIST SP 800-38G) with HMAC-SHA-256 instead of AES; a single digit by a
/// keyed table; more than 36 digits in pieces of 36.
///
/// It hides no more than there is: with six digits, whoever can have values masked may try all
/// million of them.
class digit_permutation {
public:
  static result<digit_permutation> make(std::string_view key);

  /// `digits` hold 0 to 9 and are changed in place.
  [[nodiscard]] bool apply(std::span<uint8_t> digits);

  /// For a number without leading zeros: the image has none either and lies within [min, max] as
  /// the number does, which keeps it one to one among such numbers of this length.
  [[nodiscard]] bool apply_number(uint64_t& number, uint64_t min, uint64_t max);

private:
  explicit digit_permutation(hmac_sha256 mac) : mac_(std::move(mac)) {}
  bool make_table();
  bool apply_block(std::span<uint8_t> digits, uint32_t block, uint32_t total);

  hmac_sha256 mac_;
  std::array<uint8_t, 10> table_{};
};

} // namespace rtdp::extract
