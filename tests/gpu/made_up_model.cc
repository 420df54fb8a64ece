// made_up_model FILE.gguf [TYPE] [LAYERS]: layers of the shape of Llama 3's 8B, of random weights, for benchmarks on
// machines that have no model of that size. TYPE: q4_k, q8_0, bf16, …; the embedding is of the same type.

#include <iostream>
#include <string>

#include "core/base/error.h"
#include "tests/support/tiny_model.h"

namespace {

ferry::TensorType type_named(const std::string& name) {
  for (const auto type : {ferry::TensorType::q4_0, ferry::TensorType::q4_1, ferry::TensorType::q4_k,
                          ferry::TensorType::q6_k, ferry::TensorType::q8_0, ferry::TensorType::bf16}) {
    if (ferry::format_of(type).name == std::string_view(name)) return type;
  }
  throw ferry::Error(ferry::str("no type is called ", name, ": q4_0, q4_1, q4_k, q6_k, q8_0, bf16"));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 2) throw ferry::Error("made_up_model FILE.gguf [TYPE] [LAYERS]");
    const ferry::TensorType type = type_named(argc > 2 ? argv[2] : "q4_k");
    ferry::write_gguf(ferry::tiny_model({.n_layers = argc > 3 ? std::stoi(argv[3]) : 4,
                                         .width = 4096,
                                         .n_heads = 32,
                                         .n_kv_heads = 8,
                                         .head_dim = 128,
                                         .ffn_width = 14336,
                                         .n_vocab = 128256,
                                         .max_context = 131072,
                                         .type = type,
                                         .embedding_type = type}),
                      argv[1]);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "made_up_model: " << error.what() << "\n";
    return 1;
  }
}
