#pragma once
// Checks of single JSON values that people and programs hand in. Each fills its target, or says why it does not.

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/request.h"

namespace ferry {

using Problem = std::string;  // why a value is refused; empty: it is not

constexpr int kMaxInt = std::numeric_limits<int>::max();
constexpr size_t kMostStops = 16;
constexpr size_t kMostStopBytes = 4096;  // of each
constexpr size_t kMostBiases = 1024;

// "expected …, found …": with the value as it stands there where it is short, its kind where it may be long.
Problem expected(std::string_view what, const nlohmann::json& found);

// Counts, ids: none is negative.
Problem set_whole(const nlohmann::json& value, int low, int high, int& out);
Problem set_whole(const nlohmann::json& value, int low, int high, std::optional<int>& out);
Problem set_real(const nlohmann::json& value, double low, double high, float& out);
Problem set_text(const nlohmann::json& value, std::string& out);  // not empty
Problem set_flag(const nlohmann::json& value, bool& out);
// Any whole number of 64 bits; below zero it is taken as its two's complement.
Problem set_seed(const nlohmann::json& value, std::optional<uint64_t>& out);
Problem set_ids(const nlohmann::json& value, std::vector<int>& out);               // a list, not empty
Problem set_stop(const nlohmann::json& value, std::vector<std::string>& out);      // a text, or some
Problem set_logit_bias(const nlohmann::json& value, std::vector<LogitBias>& out);  // {"token id": bias}

}  // namespace ferry
