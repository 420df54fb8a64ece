#include "launch/api/openapi.h"

namespace ferry {

namespace {

constexpr std::string_view kDocument = R"json({
"openapi": "3.1.0",
"info": {"title": "Ferry", "version": "1",
  "description": "Completions as OpenAI's API has them; docs/api.md says which fields count"},
"components": {
 "responses": {
  "completion": {"description": "The answer; with stream: chunks of it as events, then [DONE]", "content": {
   "application/json": {"schema": {"$ref": "#/components/schemas/completion"}},
   "text/event-stream": {"schema": {"type": "string"}}}},
  "error": {"description": "Why not", "content": {"application/json": {"schema": {
   "$ref": "#/components/schemas/error"}}}}},
 "schemas": {
  "error": {"type": "object", "required": ["error"], "properties": {"error": {"type": "object",
    "required": ["message", "type", "param", "code"], "properties": {
     "message": {"type": "string"}, "type": {"type": "string"},
     "param": {"type": ["string", "null"]}, "code": {"type": ["string", "null"]}}}}},
  "message": {"type": "object", "required": ["role", "content"], "properties": {
    "role": {"enum": ["system", "developer", "user", "assistant"]},
    "content": {"oneOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {"type": "object",
      "required": ["type", "text"], "properties": {"type": {"const": "text"}, "text": {"type": "string"}}}}]}}},
  "generation": {"type": "object", "properties": {
    "model": {"type": ["string", "null"], "description": "As GET /v1/models names it; none: the one that is served"},
    "min_tokens": {"type": ["integer", "null"], "minimum": 0},
    "temperature": {"type": ["number", "null"], "minimum": 0, "maximum": 100, "default": 1,
     "description": "0: greedy"},
    "top_p": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
    "top_k": {"type": ["integer", "null"], "minimum": 0, "description": "0: all"},
    "min_p": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
    "presence_penalty": {"type": ["number", "null"], "minimum": -2, "maximum": 2},
    "frequency_penalty": {"type": ["number", "null"], "minimum": -2, "maximum": 2},
    "repetition_penalty": {"type": ["number", "null"], "minimum": 0.01, "maximum": 100},
    "logit_bias": {"type": ["object", "null"], "maxProperties": 1024, "propertyNames": {"pattern": "^[0-9]+$"},
      "additionalProperties": {"type": "number", "minimum": -100, "maximum": 100}},
    "seed": {"type": ["integer", "null"]},
    "stop": {"oneOf": [{"type": "null"}, {"type": "string", "minLength": 1, "maxLength": 4096},
      {"type": "array", "maxItems": 16, "items": {"type": "string", "minLength": 1, "maxLength": 4096}}]},
    "ignore_eos": {"type": ["boolean", "null"]},
    "n": {"type": ["integer", "null"], "minimum": 1, "maximum": 128},
    "stream": {"type": ["boolean", "null"]},
    "stream_options": {"type": ["object", "null"], "additionalProperties": false, "properties": {
      "include_usage": {"type": "boolean"}, "include_obfuscation": {"type": "boolean"}}},
    "service_tier": {"enum": ["auto", "default", "flex", "priority", null],
      "description": "Where many wait: priority is served first, flex last"},
    "user": {"description": "Ignored"}}},
  "chat_request": {"allOf": [{"$ref": "#/components/schemas/generation"}, {"type": "object", "required": ["messages"],
   "properties": {
    "messages": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/message"}},
    "max_tokens": {"type": ["integer", "null"], "minimum": 1},
    "max_completion_tokens": {"type": ["integer", "null"], "minimum": 1},
    "logprobs": {"type": ["boolean", "null"]},
    "top_logprobs": {"type": ["integer", "null"], "minimum": 0, "maximum": 20},
    "metadata": {"description": "Ignored"}, "parallel_tool_calls": {"description": "Ignored"},
    "prediction": {"description": "Ignored"}, "prompt_cache_key": {"description": "Ignored"},
    "prompt_cache_retention": {"description": "Ignored"}, "safety_identifier": {"description": "Ignored"},
    "store": {"description": "Ignored"},
    "audio": {"type": "null", "description": "Refused"}, "functions": {"maxItems": 0, "description": "Refused"},
    "function_call": {"enum": ["none", null], "description": "Refused"},
    "modalities": {"description": "Only [\"text\"]"}, "reasoning_effort": {"type": "null", "description": "Refused"},
    "response_format": {"description": "Only {\"type\": \"text\"}"},
    "tool_choice": {"enum": ["none", "auto", null]}, "tools": {"maxItems": 0, "description": "Refused"},
    "verbosity": {"type": "null", "description": "Refused"},
    "web_search_options": {"type": "null", "description": "Refused"}}}]},
  "text_request": {"allOf": [{"$ref": "#/components/schemas/generation"}, {"type": "object", "required": ["prompt"],
   "properties": {
    "prompt": {"oneOf": [{"type": "string"},
      {"type": "array", "minItems": 1, "items": {"type": "string"}},
      {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 0}},
      {"type": "array", "minItems": 1, "items": {"type": "array", "minItems": 1, "items": {"type": "integer",
       "minimum": 0}}}]},
    "max_tokens": {"type": ["integer", "null"], "minimum": 0, "description": "0 only with echo"},
    "echo": {"type": ["boolean", "null"]},
    "logprobs": {"type": ["integer", "null"], "minimum": 0, "maximum": 20},
    "best_of": {"enum": [1, null]}, "suffix": {"enum": ["", null]}}}]},
  "group": {"type": "object", "required": ["group", "state", "requests"], "properties": {
    "group": {"type": "string"},
    "state": {"enum": ["ready", "draining", "drained", "silent", "failing", "probed"]},
    "requests": {"type": "integer", "description": "That it takes part in"}}},
  "usage": {"type": "object", "required": ["prompt_tokens", "completion_tokens", "total_tokens"], "properties": {
    "prompt_tokens": {"type": "integer"}, "completion_tokens": {"type": "integer"}, "total_tokens": {
     "type": "integer"},
    "prompt_tokens_details": {"type": "object", "properties": {"cached_tokens": {"type": "integer"}}},
    "ms": {"type": "object", "description": "Where the time to the first token went, in milliseconds",
      "additionalProperties": {"type": "number"}},
    "route": {"type": "object", "description": "The groups that served, and attempts that failed before"}}},
  "completion": {"type": "object", "required": ["id", "object", "created", "model", "choices"], "properties": {
    "id": {"type": "string"}, "object": {"enum": ["chat.completion", "text_completion"]}, "created": {
     "type": "integer"},
    "model": {"type": "string"}, "system_fingerprint": {"type": "string"},
    "choices": {"type": "array", "items": {"type": "object", "required": ["index", "finish_reason"], "properties": {
      "index": {"type": "integer"}, "finish_reason": {"enum": ["stop", "length"]},
      "text": {"type": "string"}, "logprobs": {"type": ["object", "null"]},
      "message": {"type": "object", "properties": {"role": {"const": "assistant"}, "content": {"type": "string"}}}}}},
    "usage": {"$ref": "#/components/schemas/usage"}}}}},
"paths": {
 "/v1/chat/completions": {"post": {"summary": "Go on with a conversation",
  "requestBody": {"required": true, "content": {"application/json": {"schema": {
   "$ref": "#/components/schemas/chat_request"}}}},
  "responses": {"200": {"$ref": "#/components/responses/completion"}, "4XX": {"$ref": "#/components/responses/error"},
   "503": {"$ref": "#/components/responses/error"}}}},
 "/v1/completions": {"post": {"summary": "Go on with a text",
  "requestBody": {"required": true, "content": {"application/json": {"schema": {
   "$ref": "#/components/schemas/text_request"}}}},
  "responses": {"200": {"$ref": "#/components/responses/completion"}, "4XX": {"$ref": "#/components/responses/error"},
   "503": {"$ref": "#/components/responses/error"}}}},
 "/v1/models": {"get": {"summary": "The model that is served", "responses": {"200": {"description": "A list of one",
   "content": {"application/json": {"schema": {"type": "object"}}}}}}},
 "/v1/models/{id}": {"get": {"summary": "One model",
   "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
   "responses": {"200": {"description": "It", "content": {"application/json": {"schema": {"type": "object"}}}},
    "4XX": {"$ref": "#/components/responses/error"}}}},
 "/tokenize": {"post": {"summary": "Tokens of a text or a conversation",
  "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object", "properties": {
    "prompt": {"type": "string"}, "messages": {"type": "array", "items": {"$ref": "#/components/schemas/message"}},
    "model": {"type": ["string", "null"]}, "add_special_tokens": {"type": "boolean"}}}}}},
  "responses": {"200": {"description": "Them", "content": {"application/json": {"schema": {"type": "object",
   "properties": {
    "tokens": {"type": "array", "items": {"type": "integer"}}, "count": {"type": "integer"}, "max_model_len": {
     "type": "integer"}}}}}},
   "4XX": {"$ref": "#/components/responses/error"}}}},
 "/detokenize": {"post": {"summary": "The text of tokens",
  "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object", "required": [
   "tokens"], "properties": {
    "tokens": {"type": "array", "items": {"type": "integer", "minimum": 0}}, "model": {"type": ["string", "null"]}}}}}},
  "responses": {"200": {"description": "It", "content": {"application/json": {"schema": {"type": "object",
   "properties": {
    "prompt": {"type": "string"}}}}}},
   "4XX": {"$ref": "#/components/responses/error"}}}},
 "/health": {"get": {"summary": "The process lives", "responses": {"200": {"description": "Yes"}}}},
 "/ready": {"get": {"summary": "A request of one token went all the way lately", "responses": {
   "200": {"description": "Yes"}, "503": {"$ref": "#/components/responses/error"}}}},
 "/metrics": {"get": {"summary": "For Prometheus", "responses": {"200": {"description": "Metrics", "content": {
  "text/plain": {"schema": {"type": "string"}}}}}}},
 "/openapi.json": {"get": {"summary": "This document", "responses": {"200": {"description": "It"}}}},
 "/": {"get": {"summary": "The cluster, live, as a page", "responses": {"200": {"description": "HTML", "content": {
  "text/html": {"schema": {"type": "string"}}}}}}},
 "/debug/cluster": {"get": {"summary": "Groups, paths, requests and latencies at this moment", "responses": {"200": {
  "description": "A snapshot", "content": {"application/json": {"schema": {"type": "object"}}}}}}},
 "/debug/requests": {"get": {"summary": "What became of the latest requests", "responses": {"200": {
  "description": "Newest first"}}}},
 "/debug/requests/{id}": {"get": {"summary": "Where the time of one request went; id: its x-request-id",
   "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
   "responses": {"200": {"description": "It"}, "4XX": {"$ref": "#/components/responses/error"}}}},
 "/admin/groups": {"get": {"summary": "The groups that have joined, and what each is at; for admin keys",
  "responses": {"200": {"description": "Them", "content": {"application/json": {"schema": {"type": "object",
   "properties": {"groups": {"type": "array", "items": {"$ref": "#/components/schemas/group"}}}}}}},
   "4XX": {"$ref": "#/components/responses/error"}}}},
 "/admin/drain": {"post": {"summary": "Give a group nothing new, or, with undo, give it again; for admin keys",
  "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object",
   "required": ["group"], "additionalProperties": false, "properties": {
    "group": {"type": "string", "pattern": "^[A-Za-z0-9._][A-Za-z0-9._-]{0,63}$"}, "undo": {
     "type": ["boolean", "null"]}}}}}},
  "responses": {"200": {"description": "What it is at now", "content": {"application/json": {"schema": {
   "$ref": "#/components/schemas/group"}}}},
   "4XX": {"$ref": "#/components/responses/error"}}}}
}})json";

}  // namespace

std::string_view openapi_document() { return kDocument; }

}  // namespace ferry
