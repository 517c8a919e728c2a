#include "base/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <memory>

#include "base/check.h"

namespace atalaya {
namespace {

constexpr int kGzipWindowBits = 15 + 16;  // zlib.h: 16 more asks for a gzip wrapper.
constexpr int kLevel = 1;
constexpr int kMemoryLevel = 8;
constexpr std::size_t kChunkBytes = 64u << 10;

Bytef* AsBytes(std::string_view text) {
  // zlib takes its input as non-const and does not write to it.
  return reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
}

// A deflate state takes 260 KiB: each thread keeps one.
class Deflater {
 public:
  Deflater() {
    ATALAYA_CHECK(deflateInit2(&stream_, kLevel, Z_DEFLATED, kGzipWindowBits, kMemoryLevel,
                               Z_DEFAULT_STRATEGY) == Z_OK);
  }
  ~Deflater() { deflateEnd(&stream_); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  std::string Compress(std::string_view plain) {
    std::string out(deflateBound(&stream_, plain.size()), '\0');
    stream_.next_in = AsBytes(plain);
    stream_.avail_in = static_cast<uInt>(plain.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    ATALAYA_CHECK(deflate(&stream_, Z_FINISH) == Z_STREAM_END);
    out.resize(stream_.total_out);
    deflateReset(&stream_);
    return out;
  }

 private:
  z_stream stream_{};
};

}  // namespace

std::string GzipCompress(std::string_view plain) {
  ATALAYA_CHECK(plain.size() < (1u << 30));
  thread_local Deflater deflater;
  return deflater.Compress(plain);
}

Result<std::string> GzipDecompress(std::string_view compressed, std::size_t limit_bytes) {
  z_stream stream{};
  ATALAYA_CHECK(inflateInit2(&stream, kGzipWindowBits) == Z_OK);
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, &inflateEnd);
  stream.next_in = AsBytes(compressed);
  stream.avail_in = static_cast<uInt>(std::min<std::size_t>(compressed.size(), 1u << 30));
  std::string plain;
  int status = Z_OK;
  while (status == Z_OK) {
    const std::size_t have = plain.size();
    plain.resize(have + kChunkBytes);
    stream.next_out = reinterpret_cast<Bytef*>(plain.data() + have);
    stream.avail_out = static_cast<uInt>(kChunkBytes);
    status = inflate(&stream, Z_NO_FLUSH);
    plain.resize(have + kChunkBytes - stream.avail_out);
    if (plain.size() > limit_bytes) {
      return Fail(ErrorCode::kLimit, "gzip: more than {} bytes when decompressed", limit_bytes);
    }
  }
  if (status != Z_STREAM_END || stream.avail_in != 0) {
    return Fail(ErrorCode::kInvalid, "gzip: the content is damaged or cut off");
  }
  return plain;
}

}  // namespace atalaya
