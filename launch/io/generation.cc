#include "launch/io/generation.h"

#include <array>

namespace ferry {
namespace {

using nlohmann::json;

constexpr double kMostTemperature = 100;
constexpr double kMostPenalty = 2;         // as OpenAI's API has it
constexpr double kLeastRepetition = 0.01;  // it divides
constexpr double kMostRepetition = 100;

constexpr std::array kFields = {
    GenerationField{"max_tokens", [](const json& v, Generation& g) { return set_whole(v, 1, kMaxInt, g.max_tokens); }},
    GenerationField{"min_tokens", [](const json& v, Generation& g) { return set_whole(v, 0, kMaxInt, g.min_tokens); }},
    GenerationField{
        "temperature",
        [](const json& v, Generation& g) { return set_real(v, 0, kMostTemperature, g.sampling.temperature); }},
    GenerationField{"top_p", [](const json& v, Generation& g) { return set_real(v, 0, 1, g.sampling.top_p); }},
    GenerationField{"top_k", [](const json& v, Generation& g) { return set_whole(v, 0, kMaxInt, g.sampling.top_k); }},
    GenerationField{"min_p", [](const json& v, Generation& g) { return set_real(v, 0, 1, g.sampling.min_p); }},
    GenerationField{"presence_penalty",
                    [](const json& v, Generation& g) {
                      return set_real(v, -kMostPenalty, kMostPenalty, g.sampling.presence_penalty);
                    }},
    GenerationField{"frequency_penalty",
                    [](const json& v, Generation& g) {
                      return set_real(v, -kMostPenalty, kMostPenalty, g.sampling.frequency_penalty);
                    }},
    GenerationField{"repetition_penalty",
                    [](const json& v, Generation& g) {
                      return set_real(v, kLeastRepetition, kMostRepetition, g.sampling.repetition_penalty);
                    }},
    GenerationField{"logit_bias",
                    [](const json& v, Generation& g) { return set_logit_bias(v, g.sampling.logit_bias); }},
    GenerationField{"seed", [](const json& v, Generation& g) { return set_seed(v, g.seed); }},
    GenerationField{"stop", [](const json& v, Generation& g) { return set_stop(v, g.stop); }},
    GenerationField{"ignore_eos", [](const json& v, Generation& g) { return set_flag(v, g.ignore_eos); }},
};

}  // namespace

std::span<const GenerationField> generation_fields() { return kFields; }

Request request_of(const Generation& generation, std::vector<int> prompt, const GenerationDefaults& defaults) {
  Request request = {.prompt = std::move(prompt),
                     .max_tokens = generation.max_tokens.value_or(defaults.max_tokens),
                     .min_tokens = generation.min_tokens,
                     .sampling = generation.sampling,
                     .n_logprobs = generation.logprobs.value_or(-1),
                     .ignore_eos = generation.ignore_eos};
  request.sampling.seed = generation.seed.value_or(defaults.seed);
  return request;
}

}  // namespace ferry
