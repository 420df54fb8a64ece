#include "core/model/model_config.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/base/quoted.h"
#include "core/model/families.h"
#include "core/model/gguf.h"

namespace ferry {
namespace {

// No model comes near these; below them, no product of two sizes leaves an int.
constexpr int kMaxLayers = 4096;
constexpr int kMaxWidth = 1 << 20;
constexpr int kMaxHeads = 4096;
constexpr int kMaxHeadDim = 4096;
constexpr int kMaxVocabulary = 1 << 24;
constexpr int kMaxContext = 1 << 30;
constexpr double kDefaultRopeBase = 10000;

bool is_positive_f32(double value) {  // and not so small that it is one only in name
  return value >= std::numeric_limits<float>::min() && value <= std::numeric_limits<float>::max();
}

// The metadata of one family: its keys begin with the family's name.
class Settings {
 public:
  Settings(const GgufFile& file, std::string family) : file_(file), family_(std::move(family)) {}

  std::string key(std::string_view name) const { return str(family_, ".", name); }

  template <class... Parts>
  [[noreturn]] void fail(std::string_view name, const Parts&... parts) const {
    throw Error(str(file_.name(), ": metadata ", quoted(key(name)), ": ", parts...));
  }

  int count(std::string_view name, int max) const { return checked(name, file_.value<int64_t>(key(name)), max); }
  int count_or(std::string_view name, int max, int64_t otherwise) const {
    return checked(name, file_.find<int64_t>(key(name)).value_or(otherwise), max);
  }

  double positive(std::string_view name) const { return checked(name, file_.value<double>(key(name))); }
  double positive_or(std::string_view name, double otherwise) const {
    return checked(name, file_.find<double>(key(name)).value_or(otherwise));
  }

  std::string_view text_or(std::string_view name, std::string_view otherwise) const {
    return file_.find<std::string_view>(key(name)).value_or(otherwise);
  }

 private:
  int checked(std::string_view name, int64_t value, int max) const {
    if (value < 1 || value > max) fail(name, "is ", value, ", must be 1 to ", max);
    return static_cast<int>(value);
  }
  double checked(std::string_view name, double value) const {
    if (!is_positive_f32(value)) fail(name, "is ", value, ", must be a normal f32 above 0");
    return value;
  }

  const GgufFile& file_;
  std::string family_;
};

const Family& family_of(const GgufFile& file) {
  const auto name = file.value<std::string_view>("general.architecture");
  if (const Family* family = find_family(name)) return *family;
  std::string known;
  for (const Family& family : families()) known.append(known.empty() ? "" : ", ").append(family.name);
  throw Error(str(file.name(), ": metadata 'general.architecture': is ", quoted(name), ", Ferry runs ", known));
}

int vocabulary_size_of(const GgufFile& file, const Settings& settings) {
  if (file.find<int64_t>(settings.key("vocab_size"))) return settings.count("vocab_size", kMaxVocabulary);
  const size_t n = file.value<std::vector<std::string_view>>("tokenizer.ggml.tokens").size();
  if (n < 1 || n > kMaxVocabulary) {
    throw Error(
        str(file.name(), ": metadata 'tokenizer.ggml.tokens': has ", n, " items, must be 1 to ", kMaxVocabulary));
  }
  return static_cast<int>(n);
}

void read_heads(const Settings& settings, ModelConfig& config) {
  config.n_heads = settings.count("attention.head_count", kMaxHeads);
  config.n_kv_heads = settings.count_or("attention.head_count_kv", kMaxHeads, config.n_heads);
  if (config.n_heads % config.n_kv_heads != 0) {
    settings.fail("attention.head_count_kv", "is ", config.n_kv_heads, ", which does not divide the ", config.n_heads,
                  " query heads");
  }
  config.head_dim = settings.count_or("attention.key_length", kMaxHeadDim, config.width / config.n_heads);
  const int value_dim = settings.count_or("attention.value_length", kMaxHeadDim, config.head_dim);
  if (value_dim != config.head_dim) {
    settings.fail("attention.value_length", "is ", value_dim, ", but attention.key_length is ", config.head_dim,
                  "; Ferry needs them equal");
  }
  config.attention_scale =
      static_cast<float>(settings.positive_or("attention.scale", 1 / std::sqrt(static_cast<double>(config.head_dim))));
}

double linear_rope_scale_of(const Settings& settings) {
  const double factor = settings.positive_or("rope.scaling.factor", settings.positive_or("rope.scale_linear", 1));
  const std::string_view type = settings.text_or("rope.scaling.type", "linear");
  if (type == "linear") return factor;
  if (type == "none") return 1;
  settings.fail("rope.scaling.type", "is ", quoted(type), ", Ferry knows 'none' and 'linear'");
}

// What a file divides each frequency by, beyond linear scaling: long-context Llama 3 stores it ready to use.
std::vector<float> rope_divisors_of(const GgufFile& file, int n_pairs) {
  std::vector<float> divisors(static_cast<size_t>(n_pairs), 1);
  const GgufTensor* tensor = file.find_tensor("rope_freqs.weight");
  if (tensor == nullptr) return divisors;
  const MatrixView& row = tensor->matrix;
  if (row.n_rows != 1 || row.n_cols != n_pairs) {
    throw Error(str(file.name(), ": tensor 'rope_freqs.weight': has ", row.n_rows, " × ", row.n_cols,
                    " values, must have 1 × ", n_pairs));
  }
  dequantize(row.type, row.data, divisors);
  for (const float divisor : divisors) {
    if (is_positive_f32(divisor)) continue;
    throw Error(str(file.name(), ": tensor 'rope_freqs.weight': holds ", divisor, ", must hold normal f32 above 0"));
  }
  return divisors;
}

void read_rope(const GgufFile& file, const Settings& settings, ModelConfig& config) {
  config.n_rotated = settings.count_or("rope.dimension_count", config.head_dim, config.head_dim);
  if (config.n_rotated % 2 != 0) settings.fail("rope.dimension_count", "is ", config.n_rotated, ", must be even");
  const double base = settings.positive_or("rope.freq_base", kDefaultRopeBase);
  const double scale = linear_rope_scale_of(settings);
  for (const float divisor : rope_divisors_of(file, config.n_rotated / 2)) {
    const auto pair = static_cast<double>(config.inverse_frequencies.size());
    const double frequency = std::pow(base, -2 * pair / config.n_rotated) / scale / divisor;
    if (!is_positive_f32(frequency))
      settings.fail("rope.freq_base", "is ", base, ", which makes a frequency of ", frequency);
    config.inverse_frequencies.push_back(static_cast<float>(frequency));
  }
}

// Full attention, which is what Ferry computes, and attention to a window agree up to the window's length.
int context_of(const Settings& settings) {
  const int length = settings.count("context_length", kMaxContext);
  return std::min(length, settings.count_or("attention.sliding_window", kMaxContext, length));
}

}  // namespace

ModelConfig config_of(const GgufFile& file) {
  const Family& family = family_of(file);
  const Settings settings(file, std::string(family.name));
  const auto n_experts = file.find<int64_t>(settings.key("expert_count")).value_or(0);
  if (n_experts != 0) settings.fail("expert_count", "is ", n_experts, ", Ferry runs no mixtures of experts");

  ModelConfig config;
  config.family = family.name;
  config.name = file.find<std::string_view>("general.name").value_or(family.name);
  config.n_layers = settings.count("block_count", kMaxLayers);
  config.width = settings.count("embedding_length", kMaxWidth);
  config.ffn_width = settings.count("feed_forward_length", kMaxWidth);
  config.n_vocab = vocabulary_size_of(file, settings);
  config.max_context = context_of(settings);
  config.rms_epsilon = static_cast<float>(settings.positive("attention.layer_norm_rms_epsilon"));
  config.activation = family.activation;
  config.rope_pairs = family.rope_pairs;
  if (family.embedding_scale == EmbeddingScale::root_of_width) {
    config.embedding_scale = std::sqrt(static_cast<float>(config.width));
  }
  read_heads(settings, config);
  read_rope(file, settings, config);
  return config;
}

}  // namespace ferry
