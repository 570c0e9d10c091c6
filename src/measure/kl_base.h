#pragma once
// A file of log-probabilities, so that configurations can be compared that do not fit in memory
// together: the layout that llama.cpp's perplexity tool writes with --kl-divergence-base, 16 bits
// for each entry of the vocabulary at every scored position.
//
//   "_logits_", u32 n_context, i32 n_vocab, i32 n_windows, i32 ids[n_windows * n_context],
//   then for each scored position: f32 scale, f32 smallest, u16 codes[n_vocab], u16 padding where
//   n_vocab is odd; ln p = smallest + scale * code. What lies more than 16 below the largest has
//   code 0, which stands for 16 below: too much, so that a reader must leave out what is not above
//   -16, as llama.cpp does.
//
// A token of the text that lies deeper would count as more likely than it is, so that plumb's files
// have more behind the last position, which llama.cpp does not read: "_ln_p_of", f32 ln p of the
// token that follows at each scored position.

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "base/file.h"
#include "measure/perplexity.h"

namespace plumb {

class KlBaseWriter {
 public:
  KlBaseWriter(const std::filesystem::path& path, Windows& windows, int64_t n_vocab);
  // Positions in the order of the windows, with the id that follows.
  void add(std::span<const float> logits, int32_t following);
  void commit();  // until then there is no file under the name

 private:
  OutputFile file_;
  std::vector<uint16_t> codes_;
  std::vector<float> following_;  // ln p
};

class KlBaseReader {
 public:
  // Error names file, field, expected, got: not such a file, cut short, or made for another text,
  // another window or another vocabulary.
  KlBaseReader(const std::filesystem::path& path, Windows& windows, int64_t n_vocab);
  // The next position's; until the next call. Error: numbers that no writer writes.
  Distribution next();
  // Of the id that follows at that position: exact where the file has it, else as the row has it.
  // Error: the two are not the same.
  double ln_p(const Distribution& row, int32_t following);
  // How many of these lie deeper than the file says.
  int64_t cut_off() const { return cut_off_; }

 private:
  void check_row(float scale, float smallest) const;
  void check_ids(Windows& windows, const uint8_t* ids) const;

  std::string name_;
  MappedFile file_;
  size_t at_ = 0, following_at_ = 0;  // 0: the file has none of them
  int64_t cut_off_ = 0;
  std::vector<float> row_;
};

}  // namespace plumb
