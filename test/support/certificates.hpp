/// Certificates of a test's own: an authority, and what it signs. Keys are of P-256, which takes no
/// time to make.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace rtdp::test {

/// What a certificate says beside its name.
struct certificate_wish {
  /// From now; the past for an expired one.
  int days = 1;
  /// Extended key usage, such as "serverAuth"; empty: none, so all.
  std::string usage;
};

class authority {
public:
  explicit authority(const std::string& name) : key_(EVP_EC_gen("P-256")) {
    certificate_ = make(name, key_, {}, true);
  }
  ~authority() {
    X509_free(certificate_);
    EVP_PKEY_free(key_);
  }
  authority(const authority&) = delete;
  authority& operator=(const authority&) = delete;

  /// Appends, so that a file can hold several.
  void write(const std::string& path) const { write(path, certificate_); }

  /// A certificate that it signed and the key of it.
  void issue(const std::string& name, const std::string& path, const std::string& key_path,
             const certificate_wish& wish = {}) const {
    auto* key = EVP_EC_gen("P-256");
    auto* made = make(name, key, wish, false);
    write(path, made);
    auto* out = open(key_path);
    PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(out);
    X509_free(made);
    EVP_PKEY_free(key);
  }

private:
  static std::FILE* open(const std::string& path) {
    auto* out = std::fopen(path.c_str(), "a");
    if (out == nullptr)
      std::abort();
    return out;
  }
  static void write(const std::string& path, X509* what) {
    auto* out = open(path);
    PEM_write_X509(out, what);
    std::fclose(out);
  }
  static void extend(X509* to, int id, const std::string& value) {
    auto* made = X509V3_EXT_conf_nid(nullptr, nullptr, id, value.c_str());
    X509_add_ext(to, made, -1);
    X509_EXTENSION_free(made);
  }

  X509* make(const std::string& name, EVP_PKEY* key, const certificate_wish& wish,
             bool signs) const {
    static long serial = 0;
    constexpr long day = 24 * 3600;
    auto* out = X509_new();
    X509_set_version(out, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(out), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(out), -10 * day);
    X509_gmtime_adj(X509_getm_notAfter(out), wish.days * day);
    X509_set_pubkey(out, key);
    auto* subject = X509_get_subject_name(out);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(out, signs ? subject : X509_get_subject_name(certificate_));
    if (signs)
      extend(out, NID_basic_constraints, "critical,CA:TRUE");
    if (!wish.usage.empty())
      extend(out, NID_ext_key_usage, wish.usage);
    X509_sign(out, key_, EVP_sha256());
    return out;
  }

  EVP_PKEY* key_;
  X509* certificate_ = nullptr;
};

} // namespace rtdp::test
