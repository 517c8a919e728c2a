#include "history/chunk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <random>

namespace atalaya::history {
namespace {

using telemetry::Sample;

constexpr std::int64_t kStart = 1'700'000'000'000;

// Equality by bits, so that NaNs count too.
void ExpectRoundTrip(const std::vector<Sample>& samples) {
  std::vector<Sample> back;
  const Status done = DecodeChunk(EncodeChunk(samples), back);
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_EQ(back.size(), samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    ASSERT_EQ(back[i].time_ms, samples[i].time_ms) << i;
    ASSERT_EQ(std::bit_cast<std::uint64_t>(back[i].value),
              std::bit_cast<std::uint64_t>(samples[i].value))
        << i;
  }
}

TEST(Chunk, KeepsOneSample) { ExpectRoundTrip({{kStart, 1.5}}); }

TEST(Chunk, KeepsEveryBitOfSpecialValues) {
  const double values[] = {0.0,
                           -0.0,
                           telemetry::StaleMarker(),
                           std::numeric_limits<double>::quiet_NaN(),
                           std::numeric_limits<double>::infinity(),
                           -std::numeric_limits<double>::infinity(),
                           std::numeric_limits<double>::denorm_min(),
                           std::numeric_limits<double>::max(),
                           -1.0};
  std::vector<Sample> samples;
  for (const double value : values) {
    samples.push_back({kStart + static_cast<std::int64_t>(samples.size()) * 5000, value});
  }
  ExpectRoundTrip(samples);
}

TEST(Chunk, KeepsTimesOnBothSidesOfEachBucket) {
  std::vector<Sample> samples{{0, 1}};
  std::int64_t distance = 40'000'000;
  for (const std::int64_t change :
       {0L, 1L, -1L, 31L, 32L, -32L, -33L, 511L, 512L, -512L, -513L, 32767L, 32768L, -32768L,
        -32769L, 1'000'000'000L, -1'000'000'000L}) {
    distance += change;
    samples.push_back({samples.back().time_ms + distance, 1});
  }
  samples.push_back({kMaxTimeMs, 1});
  ExpectRoundTrip(samples);
}

TEST(Chunk, KeepsRandomSeries) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<Sample> samples;
    std::int64_t time = static_cast<std::int64_t>(random() % kStart);
    const std::size_t count = 1 + random() % kMaxChunkSamples;
    while (samples.size() < count) {
      const double value = random() % 3 == 0 ? std::bit_cast<double>(random())
                                             : static_cast<double>(random() % 1000) / 8;
      samples.push_back({time, value});
      time += 1 + static_cast<std::int64_t>(random() % (round % 2 == 0 ? 20 : 2'000'000));
    }
    ExpectRoundTrip(samples);
  }
}

// Tenths are not exact in binary; they must come back bit by bit all the same.
TEST(Chunk, KeepsDecimalsAndWhatOnlyLooksLikeThem) {
  std::mt19937_64 random(9);
  for (int round = 0; round < 500; ++round) {
    std::vector<Sample> samples;
    double value = static_cast<double>(random() % 100'000'000);
    const double unit = std::pow(10.0, -static_cast<int>(random() % 14));
    for (int i = 0; i < 100; ++i) {
      value += static_cast<double>(random() % 100);
      double shown = value * unit;
      if (round % 7 == 0 && random() % 50 == 0) shown = std::nextafter(shown, 1e300);
      if (round % 11 == 0 && random() % 50 == 0) shown = -0.0;
      if (round % 13 == 0) shown = value * 1e9;
      samples.push_back({kStart + i * 5000 + static_cast<std::int64_t>(random() % 9), shown});
    }
    ExpectRoundTrip(samples);
  }
}

TEST(Chunk, SteadySeriesTakesNextToNothing) {
  std::vector<Sample> samples;
  for (int i = 0; i < 360; ++i) samples.push_back({kStart + i * 5000, 42});
  EXPECT_LE(EncodeChunk(samples).size(), 20u);
  for (int i = 0; i < 360; ++i) samples[static_cast<std::size_t>(i)].value = 1000 + i * 0.25;
  EXPECT_LE(EncodeChunk(samples).size(), 20u + 360 / 8);
}

// As scrapes come that are a few ms late: three bits say how late.
TEST(Chunk, ScrapesThatAreALittleLateTakeFewBitsMore) {
  std::vector<Sample> samples;
  for (int i = 0; i < 360; ++i) samples.push_back({kStart + i * 5000 + i * i % 5, 42});
  EXPECT_LE(EncodeChunk(samples).size(), 25u + 360 * 3 / 8);
  ExpectRoundTrip(samples);
}

// As memory, in pages: the unit takes no bits of each sample.
TEST(Chunk, StepsThatShareAUnitAreCountedInIt) {
  std::vector<Sample> samples;
  for (int i = 0; i < 360; ++i) samples.push_back({kStart + i * 5000, 1e9 + i * i % 8 * 4096.0});
  EXPECT_LE(EncodeChunk(samples).size(), 25u + 360 * 4 / 8);
  ExpectRoundTrip(samples);
}

TEST(Chunk, KeepsNumbersOfEveryWidth) {
  std::mt19937_64 random(3);
  for (int width = 1; width <= 52; ++width) {
    std::vector<Sample> samples;
    for (int i = 0; i < 60; ++i) {
      const auto value = static_cast<double>(random() >> (64 - width));
      samples.push_back({kStart + i * 5000, i % 2 == 0 ? value : -value});
    }
    ExpectRoundTrip(samples);
    std::sort(samples.begin(), samples.end(),
              [](const Sample& a, const Sample& b) { return a.value < b.value; });
    for (std::size_t i = 0; i < samples.size(); ++i) {
      samples[i].time_ms = kStart + static_cast<std::int64_t>(i) * 5000;
    }
    ExpectRoundTrip(samples);
  }
}

TEST(Chunk, RefusesEveryTruncation) {
  const auto steady = [](int i) { return i * 0.7; };
  const auto wandering = [](int i) { return i * i % 7 * 8.0; };
  const auto odd = [](int i) { return std::sin(i); };
  for (const std::function<double(int)>& value :
       std::vector<std::function<double(int)>>{steady, wandering, odd}) {
    std::vector<Sample> samples;
    for (int i = 0; i < 50; ++i) samples.push_back({kStart + i * 5000 + i % 3, value(i)});
    const std::string whole = EncodeChunk(samples);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      std::vector<Sample> out{{1, 1}};
      EXPECT_FALSE(DecodeChunk(std::string_view(whole).substr(0, size), out)) << size;
      EXPECT_EQ(out.size(), 1u);
    }
  }
}

TEST(Chunk, NamesANewerFormat) {
  std::string bytes = EncodeChunk(std::vector<Sample>{{kStart, 1}});
  bytes[0] = 4;
  std::vector<Sample> out;
  EXPECT_EQ(DecodeChunk(bytes, out).error().code, ErrorCode::kVersion);
  bytes[0] = 0;
  EXPECT_EQ(DecodeChunk(bytes, out).error().code, ErrorCode::kDamaged);
}

// Kept from the first release of the format: what is on disk must stay readable.
TEST(Chunk, ReadsAKeptChunkOfFormat1) {
  constexpr char kKept[] =
      "\x01\x04\x80\xd0\x95\xff\xbc\x31\x00\x00\x00\x00\x00\x00\xf8\x3f\xe1"
      "\x38\x84\x0e\x03\x3f\xff\x7d\x83\xeb\xff\x00\x00\x00\x00\x00\x00\x20";
  std::vector<Sample> samples;
  ASSERT_TRUE(DecodeChunk(std::string_view(kKept, sizeof kKept - 1), samples));
  ASSERT_EQ(samples.size(), 4u);
  EXPECT_EQ(samples[0], (Sample{1'700'000'000'000, 1.5}));
  EXPECT_EQ(samples[1], (Sample{1'700'000'005'000, 1.5}));
  EXPECT_EQ(samples[2], (Sample{1'700'000'010'001, -2}));
  EXPECT_EQ(samples[3].time_ms, 1'700'000'015'000);
  EXPECT_TRUE(telemetry::IsStaleMarker(samples[3].value));
}

// Of format 2: decimals with steady times, and XOR with unsteady ones.
TEST(Chunk, ReadsKeptChunksOfFormat2) {
  const std::string decimals(
      "\x02\x06\x80\xd0\x95\xff\xbc\x31\x88\x27\xff\x03\x02\xd2\x9c\x01\x03\x1b\x22\x0e\x86\xb0",
      22);
  std::vector<Sample> samples;
  ASSERT_TRUE(DecodeChunk(decimals, samples));
  ASSERT_EQ(samples.size(), 6u);
  EXPECT_EQ(samples[0], (Sample{kStart, 100.25}));
  EXPECT_EQ(samples[4], (Sample{kStart + 20'000, 102.5}));
  EXPECT_EQ(samples[5], (Sample{kStart + 25'000, 102.75}));
  const std::string odd(
      "\x02\x04\x80\xd0\x95\xff\xbc\x31\x89\x27\x02\xf8\x01\xbf\xaa\xd7\xaa\xd5\xaa\xd5\xaa\x55"
      "\xd4\x0f\x87\xe8\x02\xaa\xaa\xaa\xaa\xaa\xaa\xf3\xfe\xc0\x00\x00\x00\x00\x00\x20",
      42);
  samples.clear();
  ASSERT_TRUE(DecodeChunk(odd, samples));
  ASSERT_EQ(samples.size(), 4u);
  EXPECT_EQ(samples[1], (Sample{kStart + 5001, 2.0 / 3}));
  EXPECT_TRUE(telemetry::IsStaleMarker(samples[2].value));
  EXPECT_EQ(samples[3], (Sample{kStart + 15'000, 7}));
}

}  // namespace
}  // namespace atalaya::history
