#include "launch/commands/tokenize.h"

#include <iostream>
#include <memory>

#include "core/base/error.h"
#include "core/model/gguf_text.h"
#include "core/text/detokenizer.h"
#include "launch/io/json_line.h"

namespace ferry {
namespace {

using nlohmann::json;

std::vector<int> ids_of(const json& value, int n_vocab) {
  if (!value.is_array()) throw Error("expected a list of token ids, such as [1, 2]");
  std::vector<int> ids;
  for (const json& item : value) {
    const bool fits = item.is_number_unsigned() && item.get<uint64_t>() < static_cast<uint64_t>(n_vocab);
    if (!fits) throw Error(str("item ", ids.size(), ": expected a token id below ", n_vocab));
    ids.push_back(item.get<int>());
  }
  return ids;
}

std::string text_of(const Tokenizer& tokenizer, const std::vector<int>& ids, ControlTokens control) {
  Detokenizer detokenizer(tokenizer, control);
  std::string text;
  for (const int id : ids) text += detokenizer.append(id);
  return text + detokenizer.flush();
}

struct Options {
  std::string model;
  bool special = false;
  bool decode = false;
};

int run(const Options& options) {
  const Tokenizer tokenizer(tokenizer_data_of(GgufFile(options.model)));
  const Tokenize tokenize{
      .tokenizer = tokenizer,
      .direction = options.decode ? TokenizeDirection::ids_to_text : TokenizeDirection::text_to_ids,
      .special = options.special ? SpecialTokens::parsed : SpecialTokens::plain,
  };
  return tokenize.lines(std::cin, std::cout, std::cerr);
}

}  // namespace

void add_tokenize(CLI::App& app, Chosen& chosen) {
  CLI::App* command = app.add_subcommand("tokenize", "text to token ids, or back");
  auto options = std::make_shared<Options>();  // lives as long as the command line, which shares it
  command->add_option("--model", options->model, "GGUF file with the vocabulary")->required()->type_name("FILE");
  command->add_flag("--special", options->special, "names of control tokens are these tokens, not text");
  command->add_flag("--decode", options->decode, "ids in, text out");
  command->add_flag("--json")->description("as ever: both directions read and write JSON lines");
  command->footer(
      "Example:\n"
      "  echo '\"Hello, world\"' | ferry tokenize --model build/models/smollm2-135m-instruct-q4_1.gguf");
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

int Tokenize::lines(std::istream& in, std::ostream& out, std::ostream& errors) const {
  int exit_code = kDone;
  for (int number = 1; const std::optional<std::string> text = next_line(in); ++number) {
    if (is_blank(*text)) continue;
    try {
      out << line(*text) << std::endl;  // at once: a program may wait for each answer
    } catch (const Error& e) {
      errors << "ferry: line " << number << ": " << e.what() << '\n';
      exit_code = kSomeFailed;
    }
  }
  return exit_code;
}

std::string Tokenize::line(const std::string& text) const {
  const json value = parse_json_line(text);
  if (direction == TokenizeDirection::ids_to_text) {
    const ControlTokens control = special == SpecialTokens::parsed ? ControlTokens::shown : ControlTokens::hidden;
    return json(text_of(tokenizer, ids_of(value, tokenizer.n_vocab()), control)).dump();
  }
  if (!value.is_string()) throw Error("expected a text in quotes, such as \"Hello\"");
  return json(tokenizer.encode(value.get_ref<const std::string&>(), special)).dump();
}

}  // namespace ferry
