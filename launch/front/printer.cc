#include "launch/front/printer.h"

#include <unistd.h>

#include <cstdio>

namespace ferry {

namespace {

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

}  // namespace

Front::Sinks printing_sinks(OutputForm form) {
  const Colours colours = colours_for(STDOUT_FILENO);
  return {.on_result =
              [form, colours](const Result& r) {
                print((form == OutputForm::json ? json_line(r) : readable(r, colours)) + "\n");
              },
          .on_text = {}};
}

Front::Sinks streaming_sinks() {
  return {.on_result =
              [](const Result& r) {
                print("\n");
                if (!r.error.empty()) std::fprintf(stderr, "ferry: %s\n", r.error.c_str());
              },
          .on_text = print};
}

}  // namespace ferry
