#include "measure/kl_base.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"

namespace plumb {
namespace {

constexpr std::string_view kMagic = "_logits_", kFollowingMagic = "_ln_p_of";
constexpr float kDeepest = 16;  // nats below the largest
constexpr float kMostCode = 65535;
constexpr double kSlack = 1e-3;  // of sums and limits: more than rounding to codes makes

struct Sizes {
  uint32_t n_context;
  int32_t n_vocab, n_windows;
};

template <typename T>
std::string_view bytes_of(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

size_t codes_per_row(int64_t n_vocab) {
  return static_cast<size_t>((n_vocab + 1) / 2 * 2);
}

Sizes sizes_of(const Windows& windows, int64_t n_vocab) {
  return {static_cast<uint32_t>(windows.n_context()), static_cast<int32_t>(n_vocab),
          static_cast<int32_t>(windows.size())};
}

}  // namespace

KlBaseWriter::KlBaseWriter(const std::filesystem::path& path, Windows& windows, int64_t n_vocab)
    : file_(path), codes_(codes_per_row(n_vocab)) {
  const Sizes sizes = sizes_of(windows, n_vocab);
  file_.write(kMagic);
  file_.write(bytes_of(std::span(&sizes, 1)));
  for (int64_t i = 0; i < windows.size(); ++i) file_.write(bytes_of(windows.text_ids(i)));
}

void KlBaseWriter::add(std::span<const float> logits, int32_t following) {
  const auto [least, most] = std::ranges::minmax(logits);
  const float smallest = std::max(least, most - kDeepest);
  const float scale = (most - smallest) / kMostCode;
  for (size_t i = 0; i < logits.size(); ++i)
    codes_[i] = scale > 0 && logits[i] > smallest
                    ? static_cast<uint16_t>(std::lround((logits[i] - smallest) / scale))
                    : 0;
  const double log_sum = log_sum_exp(logits);
  const float header[] = {scale, static_cast<float>(smallest - log_sum)};
  file_.write(bytes_of(std::span<const float>(header)));
  file_.write(bytes_of(std::span<const uint16_t>(codes_)));
  following_.push_back(
      static_cast<float>(double{logits[static_cast<size_t>(following)]} - log_sum));
}

void KlBaseWriter::commit() {
  file_.write(kFollowingMagic);
  file_.write(bytes_of(std::span<const float>(following_)));
  file_.commit();
}

KlBaseReader::KlBaseReader(const std::filesystem::path& path, Windows& windows, int64_t n_vocab)
    : name_(path.string()), file_(path), row_(static_cast<size_t>(n_vocab)) {
  const auto bytes = file_.bytes();
  const Sizes expected = sizes_of(windows, n_vocab);
  Sizes got{};
  const size_t header = kMagic.size() + sizeof got;
  if (bytes.size() < header || std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0)
    fail("[kl-base] {}: expected a file that begins with \"{}\" and sizes, got something else",
         name_, kMagic);
  std::memcpy(&got, bytes.data() + kMagic.size(), sizeof got);
  const auto same = [&](const char* field, int64_t want, int64_t have) {
    if (want != have) fail("[kl-base] {}: {}: expected {}, got {}", name_, field, want, have);
  };
  same("tokens of a window", expected.n_context, got.n_context);
  same("tokens of the vocabulary", expected.n_vocab, got.n_vocab);
  same("windows", expected.n_windows, got.n_windows);
  const auto n_ids = static_cast<size_t>(windows.size() * windows.n_context());
  const size_t row_bytes = 2 * sizeof(float) + codes_per_row(n_vocab) * sizeof(uint16_t);
  const auto n_rows = static_cast<size_t>(windows.scored_tokens());
  at_ = header + n_ids * sizeof(int32_t);
  const size_t rows_end = at_ + n_rows * row_bytes;
  const size_t whole = rows_end + kFollowingMagic.size() + n_rows * sizeof(float);
  if (bytes.size() != rows_end) {
    same("bytes", static_cast<int64_t>(whole), static_cast<int64_t>(bytes.size()));
    if (std::memcmp(bytes.data() + rows_end, kFollowingMagic.data(), kFollowingMagic.size()) != 0)
      fail("[kl-base] {}: byte {}: expected \"{}\", got something else", name_, rows_end,
           kFollowingMagic);
    following_at_ = rows_end + kFollowingMagic.size();
  }
  check_ids(windows, bytes.data() + header);
}

void KlBaseReader::check_ids(Windows& windows, const uint8_t* ids) const {
  for (int64_t i = 0; i < windows.size(); ++i) {
    const auto window = bytes_of(windows.text_ids(i));
    if (std::memcmp(ids, window.data(), window.size()) != 0)
      fail("[kl-base] {}: expected the tokens of this text, got others in window {}", name_, i);
    ids += window.size();
  }
}

// Probabilities add up to 1 but for those taken for 16 below the largest.
void KlBaseReader::check_row(float scale, float smallest) const {
  const double least = -kDeepest - std::log(static_cast<double>(row_.size())) - kSlack;
  if (!(scale >= 0 && scale <= kDeepest / kMostCode * (1 + kSlack)))
    fail("[kl-base] {}: byte {}: expected a scale from 0 to {:.6g}, got {}", name_, at_,
         kDeepest / kMostCode, scale);
  if (!(smallest >= least && smallest <= kSlack))
    fail("[kl-base] {}: byte {}: expected a smallest logarithm from {:.6g} to 0, got {}", name_,
         at_ + sizeof scale, least, smallest);
  double sum = 0;
  for (const float ln_p : row_) sum += std::exp(static_cast<double>(ln_p));
  const double most = 1 + kSlack + static_cast<double>(row_.size()) * std::exp(-double{kDeepest});
  if (sum < 1 - kSlack || sum > most)
    fail("[kl-base] {}: byte {}: expected probabilities that add up to 1, got {:.6g}", name_, at_,
         sum);
}

Distribution KlBaseReader::next() {
  const uint8_t* row = file_.bytes().data() + at_;
  float header[2];
  std::memcpy(header, row, sizeof header);
  for (size_t i = 0; i < row_.size(); ++i) {
    uint16_t code;
    std::memcpy(&code, row + sizeof header + i * sizeof code, sizeof code);
    row_[i] = header[1] + header[0] * static_cast<float>(code);
  }
  check_row(header[0], header[1]);
  at_ += sizeof header + codes_per_row(static_cast<int64_t>(row_.size())) * sizeof(uint16_t);
  return Distribution::recorded(row_, -kDeepest);
}

double KlBaseReader::ln_p(const Distribution& row, int32_t following) {
  const double coarse = row.ln_p(following);
  const bool known = row.knows(following);
  if (following_at_ == 0) {
    cut_off_ += !known;
    return coarse;
  }
  float exact;
  std::memcpy(&exact, file_.bytes().data() + following_at_, sizeof exact);
  if (!std::isfinite(exact) || exact > coarse + kSlack || (known && exact < coarse - kSlack))
    fail("[kl-base] {}: byte {}: expected {:.6g} as in the row, got {}", name_, following_at_,
         coarse, exact);
  following_at_ += sizeof exact;
  return exact;
}

}  // namespace plumb
