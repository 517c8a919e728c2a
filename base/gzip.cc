#include "base/gzip.h"

#include <libdeflate.h>

#include <memory>

#include "base/check.h"

namespace atalaya {
namespace {

constexpr int kLevel = 1;

}  // namespace

std::string GzipCompress(std::string_view plain) {
  using Compressor = std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)>;
  // Its tables are large and cost their filling: each thread keeps one.
  thread_local const Compressor compressor(libdeflate_alloc_compressor(kLevel),
                                           &libdeflate_free_compressor);
  ATALAYA_CHECK(compressor != nullptr);
  std::string out(libdeflate_gzip_compress_bound(compressor.get(), plain.size()), '\0');
  out.resize(libdeflate_gzip_compress(compressor.get(), plain.data(), plain.size(), out.data(),
                                      out.size()));
  ATALAYA_CHECK(!out.empty());
  return out;
}

Result<std::string> GzipDecompress(std::string_view compressed, std::size_t limit_bytes) {
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)>
      decompressor(libdeflate_alloc_decompressor(), &libdeflate_free_decompressor);
  ATALAYA_CHECK(decompressor != nullptr);
  std::string plain(limit_bytes, '\0');
  std::size_t read = 0;
  std::size_t written = 0;
  const libdeflate_result result =
      libdeflate_gzip_decompress_ex(decompressor.get(), compressed.data(), compressed.size(),
                                    plain.data(), plain.size(), &read, &written);
  if (result == LIBDEFLATE_INSUFFICIENT_SPACE) {
    return Fail(ErrorCode::kLimit, "gzip: more than {} bytes when decompressed", limit_bytes);
  }
  if (result != LIBDEFLATE_SUCCESS || read != compressed.size()) {
    return Fail(ErrorCode::kInvalid, "gzip: the content is damaged or cut off");
  }
  plain.resize(written);
  return plain;
}

}  // namespace atalaya
