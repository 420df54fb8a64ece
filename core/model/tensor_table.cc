#include "core/model/tensor_table.h"

#include <array>
#include <set>
#include <string_view>

#include "core/base/check.h"
#include "core/base/error.h"
#include "core/base/quoted.h"
#include "core/model/families.h"

namespace ferry {
namespace {

enum class Size : uint8_t { one, width, ffn_width, q_width, kv_width, head_dim, vocabulary };

template <class Owner>
struct Row {
  std::string_view name;
  MatrixView Owner::*place;
  Size n_rows;  // one: a vector
  Size n_cols;
  Presence Family::*presence = nullptr;  // what the family's row says; null: every family has it
};

constexpr std::array kModelRows = {
    Row<ModelTensors>{"token_embd.weight", &ModelTensors::embedding, Size::vocabulary, Size::width},
    Row<ModelTensors>{"output_norm.weight", &ModelTensors::output_norm, Size::one, Size::width},
    Row<ModelTensors>{"output.weight", &ModelTensors::output, Size::vocabulary, Size::width, &Family::output},
};

// Names follow "blk.<layer>.".
using Layer = LayerTensors;
constexpr std::array kLayerRows = {
    Row<Layer>{"attn_norm.weight", &Layer::attention_norm, Size::one, Size::width},
    Row<Layer>{"attn_q.weight", &Layer::q, Size::q_width, Size::width},
    Row<Layer>{"attn_k.weight", &Layer::k, Size::kv_width, Size::width},
    Row<Layer>{"attn_v.weight", &Layer::v, Size::kv_width, Size::width},
    Row<Layer>{"attn_q.bias", &Layer::q_bias, Size::one, Size::q_width, &Family::biases},
    Row<Layer>{"attn_k.bias", &Layer::k_bias, Size::one, Size::kv_width, &Family::biases},
    Row<Layer>{"attn_v.bias", &Layer::v_bias, Size::one, Size::kv_width, &Family::biases},
    Row<Layer>{"attn_q_norm.weight", &Layer::q_norm, Size::one, Size::head_dim, &Family::head_norms},
    Row<Layer>{"attn_k_norm.weight", &Layer::k_norm, Size::one, Size::head_dim, &Family::head_norms},
    Row<Layer>{"attn_output.weight", &Layer::attention_out, Size::width, Size::q_width},
    Row<Layer>{"post_attention_norm.weight", &Layer::post_attention_norm, Size::one, Size::width, &Family::post_norms},
    Row<Layer>{"ffn_norm.weight", &Layer::ffn_norm, Size::one, Size::width},
    Row<Layer>{"ffn_gate.weight", &Layer::gate, Size::ffn_width, Size::width},
    Row<Layer>{"ffn_up.weight", &Layer::up, Size::ffn_width, Size::width},
    Row<Layer>{"ffn_down.weight", &Layer::down, Size::width, Size::ffn_width},
    Row<Layer>{"post_ffw_norm.weight", &Layer::post_ffn_norm, Size::one, Size::width, &Family::post_norms},
};

// Not used by the table, and still no sign of a model that computes something else.
constexpr std::string_view kReadElsewhere = "rope_freqs.weight";

int size_of(Size size, const ModelConfig& config) {
  switch (size) {
    case Size::one:
      return 1;
    case Size::width:
      return config.width;
    case Size::ffn_width:
      return config.ffn_width;
    case Size::q_width:
      return config.n_heads * config.head_dim;
    case Size::kv_width:
      return config.n_kv_heads * config.head_dim;
    case Size::head_dim:
      return config.head_dim;
    case Size::vocabulary:
      return config.n_vocab;
  }
  check(false, "a size of the table");
  return 0;
}

std::string shape_text(const std::vector<int64_t>& dims) {
  std::string text;
  for (const int64_t size : dims) text += (text.empty() ? "[" : ", ") + std::to_string(size);
  return text + "]";
}

// Takes tensors out of a file by name and remembers which.
class Picker {
 public:
  Picker(const GgufFile& file, const ModelConfig& config)
      : file_(file), config_(config), family_(*find_family(config.family)) {}

  template <class Owner, size_t n>
  void fill(Owner& owner, const std::array<Row<Owner>, n>& rows, const std::string& prefix) {
    for (const Row<Owner>& row : rows) {
      const Presence presence = row.presence == nullptr ? Presence::required : family_.*row.presence;
      if (presence != Presence::absent) owner.*row.place = pick(prefix + std::string(row.name), row, presence);
    }
  }

  // A tensor that nothing reads belongs to a computation that Ferry would leave out without a word.
  void refuse_the_rest() const {
    for (const GgufTensor& tensor : file_.tensors()) {
      if (picked_.contains(tensor.name) || tensor.name == kReadElsewhere) continue;
      throw Error(str(file_.name(), ": tensor ", quoted(tensor.name), ": is none that Ferry uses in a model of family ",
                      config_.family, " with ", config_.n_layers, " layers"));
    }
  }

 private:
  template <class Owner>
  MatrixView pick(const std::string& name, const Row<Owner>& row, Presence presence) {
    std::vector<int64_t> expected = {size_of(row.n_cols, config_)};
    if (row.n_rows != Size::one) expected.push_back(size_of(row.n_rows, config_));
    const GgufTensor* tensor = file_.find_tensor(name);
    if (tensor == nullptr) {
      if (presence == Presence::optional) return {};
      throw Error(str(file_.name(), ": tensor ", quoted(name), ": is missing, must be ", shape_text(expected)));
    }
    if (tensor->dims != expected) {
      throw Error(str(file_.name(), ": tensor ", quoted(name), ": is ", shape_text(tensor->dims), ", must be ",
                      shape_text(expected)));
    }
    picked_.insert(tensor->name);
    return tensor->matrix;
  }

  const GgufFile& file_;
  const ModelConfig& config_;
  const Family& family_;
  std::set<std::string_view> picked_;
};

}  // namespace

ModelTensors tensors_of(const GgufFile& file, const ModelConfig& config) {
  check(find_family(config.family) != nullptr, "a configuration that config_of made");
  Picker picker(file, config);
  ModelTensors tensors;
  picker.fill(tensors, kModelRows, "");
  if (tensors.output.data == nullptr) tensors.output = tensors.embedding;
  for (int layer = 0; layer < config.n_layers; ++layer) {
    picker.fill(tensors.layers.emplace_back(), kLayerRows, str("blk.", layer, "."));
  }
  picker.refuse_the_rest();
  return tensors;
}

}  // namespace ferry
