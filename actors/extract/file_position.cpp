#include "actors/extract/file_position.hpp"

#include <nlohmann/json.hpp>

#include <openssl/evp.h>

namespace rtdp::extract::files {

std::string hash_of(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  std::string out;
  for (size_t i = 0; i < 8 && i < size; ++i)
    for (auto half : {digest[i] >> 4, digest[i] & 15})
      out += "0123456789abcdef"[half];
  return out;
}

std::string position::text() const {
  auto list = nlohmann::json::array();
  for (const auto& f : files) {
    nlohmann::json one{{"device", f.device}, {"inode", f.inode}, {"path", f.path},
                       {"offset", f.offset}, {"head", f.head},   {"head_bytes", f.head_bytes},
                       {"tail", f.tail}};
    if (f.cut != 0)
      one["cut"] = f.cut;
    if (f.skipping)
      one["skipping"] = true;
    list.push_back(std::move(one));
  }
  // A path need not be UTF-8.
  return nlohmann::json{{"plan", plan}, {"turn", turn}, {"files", std::move(list)}}.dump(
      -1, ' ', false, nlohmann::json::error_handler_t::replace);
}

result<position> position::parse(const std::string& text) {
  position out;
  if (text.empty())
    return out;
  try {
    auto json = nlohmann::json::parse(text);
    out.plan = json.at("plan").get<std::string>();
    out.turn = json.at("turn").get<std::string>();
    for (const auto& f : json.at("files"))
      out.files.push_back({.device = f.at("device").get<uint64_t>(),
                           .inode = f.at("inode").get<uint64_t>(),
                           .path = f.at("path").get<std::string>(),
                           .offset = f.at("offset").get<int64_t>(),
                           .head_bytes = f.at("head_bytes").get<int64_t>(),
                           .head = f.at("head").get<std::string>(),
                           .tail = f.at("tail").get<std::string>(),
                           .cut = f.value("cut", int64_t{0}),
                           .skipping = f.value("skipping", false)});
  } catch (const nlohmann::json::exception& e) {
    return rejected(std::string("the stored position is not one of a file source: ") + e.what());
  }
  return out;
}

} // namespace rtdp::extract::files
