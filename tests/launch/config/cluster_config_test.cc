#include "launch/config/cluster_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/base/error.h"
#include "tests/support/scratch_folder.h"

namespace ferry {
namespace {

constexpr const char* kGroups = "groups:\n  - {name: a, role: mixed}\n";

std::string message_of(const std::string& yaml) {
  try {
    parse_cluster(yaml, "cluster.yaml");
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

std::string with_groups(const std::string& rest) { return "model: m.gguf\n" + rest + "\n" + kGroups; }

TEST(ClusterConfig, TheExampleOfTheManualIsRead) {
  const ClusterConfig c = parse_cluster(R"(
model: smollm2-135m.gguf
compute: cpu
threads: 3
kv:
  page_tokens: 32
  dtype: bf16
  memory: 1.5GB
groups:
  - {name: prefill-0, role: prefill, tp: 2, hosts: [localhost]}
  - {name: decode-0,  role: decode,  tp: 3, hosts: ["node1:2", node2]}
scheduling: {max_batch_tokens: 256, max_sequences: 8}
link:
  transport: rdma
  require: rdma
  min_gb_per_s: 2.5
  verify: all
  overlap: after_prefill
router:
  listen: 0.0.0.0:9000
  control: head.cluster:9001
deadline_ms: 1000
)",
                                        "cluster.yaml");
  EXPECT_EQ(c.model, "smollm2-135m.gguf");
  EXPECT_EQ(c.compute, ClusterConfig::Compute::cpu);
  EXPECT_EQ(c.threads, 3);
  EXPECT_EQ(c.max_context, std::nullopt);
  EXPECT_EQ(c.kv, (KvConfig{.page_tokens = 32, .dtype = KvDtype::bf16, .memory = 1'500'000'000}));
  ASSERT_EQ(c.groups.size(), 2u);
  EXPECT_EQ(c.groups[0], (GroupConfig{.name = "prefill-0", .role = GroupConfig::Role::prefill, .tp = 2}));
  EXPECT_EQ(c.groups[1].hosts, (std::vector<std::string>{"node1:2", "node2"}));
  EXPECT_EQ(c.n_ranks(), 5);
  EXPECT_EQ(c.scheduling, (SchedulingConfig{.max_batch_tokens = 256, .max_sequences = 8}));
  EXPECT_EQ(c.link, (LinkConfig{.transport = LinkConfig::Transport::rdma,
                                .require = LinkConfig::Require::rdma,
                                .min_gb_per_s = 2.5,
                                .verify = LinkConfig::Verify::all,
                                .overlap = LinkConfig::Overlap::after_prefill}));
  EXPECT_EQ(c.router.listen, (HostPort{"0.0.0.0", 9000}));
  EXPECT_EQ(c.router.control.text(), "head.cluster:9001");
  EXPECT_EQ(c.deadline_ms, 1000);
}

TEST(ClusterConfig, CardsHaveASectionOfTheirOwn) {
  const ClusterConfig c =
      parse_cluster(with_groups("cuda: {products: f32, share_cards: on, all_reduce: nccl}"), "cluster.yaml");
  EXPECT_EQ(c.cuda, (CudaConfig{.products = CudaConfig::Products::f32,
                                .weights = CudaConfig::Weights::file,
                                .share_cards = Switch::on,
                                .all_reduce = CudaConfig::AllReduce::nccl}));
  EXPECT_EQ(message_of(with_groups("cuda: {products: f16}")),
            "cluster.yaml:2: cuda.products: expected one of bf16, f32, found 'f16'");
  EXPECT_EQ(message_of(with_groups("cuda: {share_card: on}")),
            "cluster.yaml:2: unknown key 'share_card' in 'cuda'; did you mean 'share_cards'?");
}

TEST(ClusterConfig, WeightsAreMadeBf16OnlyForProductsThatRound) {
  EXPECT_EQ(parse_cluster(with_groups("cuda: {weights: bf16}"), "c.yaml").cuda,
            CudaConfig{.weights = CudaConfig::Weights::bf16});
  EXPECT_EQ(message_of(with_groups("cuda: {weights: f16}")),
            "cluster.yaml:2: cuda.weights: expected one of file, bf16, bf16_in_prefill, found 'f16'");
  EXPECT_EQ(message_of(with_groups("cuda:\n  weights: bf16\n  products: f32")),
            "cluster.yaml:3: cuda.weights: bf16 rounds weights, and cuda.products: f32 is there to round nothing; use "
            "one of them");
  EXPECT_EQ(message_of(with_groups("cuda: {weights: file, products: f32}")), "no error");
  ClusterConfig c;
  apply_overrides(c, {"cuda.weights=bf16"});
  EXPECT_EQ(c.cuda.weights, CudaConfig::Weights::bf16);
  EXPECT_THROW(apply_overrides(c, {"cuda.products=f32"}), Error);
}

TEST(ClusterConfig, OverridesChangeWhatNoFileGives) {
  ClusterConfig c;
  apply_overrides(c, {"cuda.products=f32", "kv.memory=1GiB"});
  EXPECT_EQ(c.cuda.products, CudaConfig::Products::f32);
  EXPECT_EQ(c.kv.memory, size_t{1} << 30);
  EXPECT_THROW(apply_overrides(c, {"cuda.product=f32"}), Error);
  EXPECT_THROW(apply_overrides(c, {"cuda.products"}), Error);
}

TEST(ClusterConfig, WhatTheFileLeavesOutHasItsDefault) {
  const ClusterConfig c = parse_cluster("model: m\ngroups: [{name: a, role: mixed}]", "c.yaml");
  EXPECT_EQ(c.kv, KvConfig{});
  EXPECT_EQ(c.kv.memory, size_t{256} << 20);
  EXPECT_EQ(c.link, LinkConfig{});
  EXPECT_EQ(c.router, RouterConfig{});
  EXPECT_EQ(c.scheduling, SchedulingConfig{});
  EXPECT_EQ(c.groups[0].tp, 1);
  EXPECT_EQ(c.groups[0].hosts, std::vector<std::string>{"localhost"});
}

struct Mistake {
  const char* yaml;
  const char* message;
};

TEST(ClusterConfig, AnUnknownKeyIsRefusedWithTheNearestKnownOne) {
  const std::vector<Mistake> mistakes = {
      {"scheduling: {max_sequnces: 1}",
       "cluster.yaml:2: unknown key 'max_sequnces' in 'scheduling'; did you mean 'max_sequences'?"},
      {"kv: {page_token: 1}", "cluster.yaml:2: unknown key 'page_token' in 'kv'; did you mean 'page_tokens'?"},
      {"link:\n  verfiy: all", "cluster.yaml:3: unknown key 'verfiy' in 'link'; did you mean 'verify'?"},
      {"deadline: 5", "cluster.yaml:2: unknown key 'deadline'; did you mean 'deadline_ms'?"},
      {"? [a, b]\n: 5", "cluster.yaml:2: a key: expected a name, found a list"},
  };
  for (const Mistake& m : mistakes) EXPECT_EQ(message_of(with_groups(m.yaml)), m.message);
  EXPECT_EQ(message_of("modle: m\ngroups: [{name: a, role: mixed}]"),
            "cluster.yaml:1: unknown key 'modle'; did you mean 'model'?");
  EXPECT_EQ(message_of("model: m\ngroups:\n- {name: a, role: mixed}\n- {name: b, role: mixed,\n   pt: 1}"),
            "cluster.yaml:5: unknown key 'pt' in 'groups[1]'; did you mean 'tp'?");
}

TEST(ClusterConfig, AWrongValueIsRefusedWithWhatIsAllowed) {
  const std::vector<Mistake> mistakes = {
      {"compute: gpu", "cluster.yaml:2: compute: expected one of auto, reference, cpu, cuda, found 'gpu'"},
      {"kv: {page_tokens: 0}", "cluster.yaml:2: kv.page_tokens: expected a whole number from 1 to 1024, found '0'"},
      {"kv: {page_tokens: 16.5}",
       "cluster.yaml:2: kv.page_tokens: expected a whole number from 1 to 1024, found '16.5'"},
      {"kv: {page_tokens: 99999999999999999999}",
       "cluster.yaml:2: kv.page_tokens: expected a whole number from 1 to 1024, found '99999999999999999999'"},
      {"kv: {page_tokens: [16]}",
       "cluster.yaml:2: kv.page_tokens: expected a whole number from 1 to 1024, found a list"},
      {"kv: {dtype: f8}", "cluster.yaml:2: kv.dtype: expected one of f32, f16, bf16, found 'f8'"},
      {"kv: {memory: 3 parsecs}",
       "cluster.yaml:2: kv.memory: expected a size from 64KiB to 64TiB, such as 256MiB or 1.5GB, found '3 parsecs'"},
      {"kv: {memory: -1GiB}",
       "cluster.yaml:2: kv.memory: expected a size from 64KiB to 64TiB, such as 256MiB or 1.5GB, found '-1GiB'"},
      {"kv: 7", "cluster.yaml:2: kv: expected a map (key: value), found '7'"},
      {"kv:", "cluster.yaml:2: kv: expected a map (key: value), found nothing"},
      {"threads: many", "cluster.yaml:2: threads: expected 'auto' or a whole number from 1 to 1024, found 'many'"},
      {"link: {min_gb_per_s: .nan}",
       "cluster.yaml:2: link.min_gb_per_s: expected a number from 0 to 10000, found '.nan'"},
      {"link: {min_gb_per_s: nan}",
       "cluster.yaml:2: link.min_gb_per_s: expected a number from 0 to 10000, found 'nan'"},
      {"router: {listen: here}",
       "cluster.yaml:2: router.listen: expected host:port, such as 127.0.0.1:8000, found 'here'"},
      {"router: {listen: 'here:'}",
       "cluster.yaml:2: router.listen: expected host:port, such as 127.0.0.1:8000, found 'here:'"},
      {"router: {listen: ':80'}",
       "cluster.yaml:2: router.listen: expected host:port, such as 127.0.0.1:8000, found ':80'"},
      {"router: {listen: 'a:65536'}",
       "cluster.yaml:2: router.listen: expected host:port, such as 127.0.0.1:8000, found 'a:65536'"},
      {"deadline_ms: {}",
       "cluster.yaml:2: deadline_ms: expected a whole number from 1 to 86400000, found an empty map"},
  };
  for (const Mistake& m : mistakes) EXPECT_EQ(message_of(with_groups(m.yaml)), m.message);
}

TEST(ClusterConfig, GroupsThatCannotWorkAreRefused) {
  const std::vector<Mistake> mistakes = {
      {"", "cluster.yaml:1: groups is missing"},
      {"groups: []",
       "cluster.yaml:2: groups: expected a list of groups, each {name: …, role: …, tp: …}, found an empty list"},
      {"groups: [x]", "cluster.yaml:2: groups[0]: expected a map (key: value), found 'x'"},
      {"groups: [{role: mixed}]", "cluster.yaml:2: groups[0].name is missing"},
      {"groups: [{name: a}]", "cluster.yaml:2: groups[0].role is missing"},
      {"groups: [{name: '--help', role: mixed}]",
       "cluster.yaml:2: groups[0].name: expected a name of letters, digits, '.', '_' and '-', found '--help'"},
      {"groups: [{name: a, role: decoder}]",
       "cluster.yaml:2: groups[0].role: expected one of prefill, decode, mixed, found 'decoder'"},
      {"groups: [{name: a, role: mixed, tp: 0}]",
       "cluster.yaml:2: groups[0].tp: expected a whole number from 1 to 1024, found '0'"},
      {"groups: [{name: a, role: mixed, hosts: localhost}]",
       "cluster.yaml:2: groups[0].hosts: expected a list of hosts, such as [node1, node2], found 'localhost'"},
      {"groups: [{name: a, role: mixed, hosts: ['a,b']}]",
       "cluster.yaml:2: groups[0].hosts: expected a host, found 'a,b'"},
      {"groups: [{name: a, role: mixed, hosts: [-H]}]", "cluster.yaml:2: groups[0].hosts: expected a host, found '-H'"},
      {"groups:\n- {name: a, role: prefill}\n- {name: b, role: decode}\n- {name: a, role: decode}",
       "cluster.yaml:5: group 'a' is named twice (first on line 3)"},
      {"groups: [{name: a, role: prefill}]",
       "cluster.yaml:2: no group can decode; one needs role: decode or role: mixed"},
      {"groups: [{name: a, role: decode}]",
       "cluster.yaml:2: no group can prefill; one needs role: prefill or role: mixed"},
  };
  for (const Mistake& m : mistakes) EXPECT_EQ(message_of(std::string("model: m\n") + m.yaml), m.message);
}

TEST(ClusterConfig, AKeyGivenTwiceIsRefused) {
  EXPECT_EQ(message_of(with_groups("compute: cpu\nkv: {}\ncompute: auto")),
            "cluster.yaml:4: compute is given twice (first on line 2)");
  EXPECT_EQ(message_of(with_groups("link:\n  verify: all\n  verify: all")),
            "cluster.yaml:4: link.verify is given twice (first on line 3)");
}

TEST(ClusterConfig, WhatIsNoYamlIsAnErrorWithItsLine) {
  EXPECT_THAT(message_of("model: m\ngroups: [\n"), testing::StartsWith("cluster.yaml:3: not valid YAML: "));
  EXPECT_EQ(message_of(""), "cluster.yaml: the file is empty");
  EXPECT_EQ(message_of("# only a comment\n"), "cluster.yaml: the file is empty");
  EXPECT_EQ(message_of("a: 1\n---\nb: 2\n"), "cluster.yaml: expected one YAML document, found 2");
  EXPECT_EQ(message_of("- a\n"), "cluster.yaml:1: the file: expected a map (key: value), found a list");
  EXPECT_THAT(message_of("model: *nobody\n"), testing::StartsWith("cluster.yaml:1: not valid YAML: "));
}

TEST(ClusterConfig, HostileYamlIsAnErrorAndNotACrash) {
  EXPECT_THAT(message_of(std::string(10'000, '[')), testing::HasSubstr("not valid YAML"));
  EXPECT_THAT(message_of("model: " + std::string(10'000, '[') + std::string(10'000, ']')),
              testing::HasSubstr("not valid YAML"));
  std::string nested;
  for (int i = 0; i < 1200; ++i) nested += std::string(i, ' ') + "a:\n";
  EXPECT_THAT(message_of(nested), testing::HasSubstr("cluster.yaml:"));
  EXPECT_EQ(message_of(std::string((1 << 20) + 1, '#')), "cluster.yaml: larger than 1 MiB, which no cluster YAML is");

  std::string bomb = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 40; ++i) bomb += str("a", i, ": &a", i, " [*a", i - 1, ", *a", i - 1, "]\n");
  EXPECT_THAT(message_of(bomb), testing::HasSubstr("unknown key 'a0'"));
}

TEST(ClusterConfig, EveryEffectiveValueIsPrintedWithWhereItComesFrom) {
  std::ostringstream out;
  print_effective(parse_cluster("model: m\nkv:\n  dtype: f16\ngroups:\n- {name: a, role: mixed}\n", "c.yaml"), out);
  EXPECT_EQ(out.str(), R"(model: m (c.yaml:1)
compute: auto (default)
threads: auto (default)
max_context: auto (default)
chat_format: auto (default)
cuda.products: bf16 (default)
cuda.weights: file (default)
cuda.share_cards: off (default)
cuda.all_reduce: auto (default)
kv.page_tokens: 16 (default)
kv.dtype: f16 (c.yaml:3)
kv.memory: 256MiB (default)
kv.prefix_cache: on (default)
groups[0].name: a (c.yaml:5)
groups[0].role: mixed (c.yaml:5)
groups[0].tp: 1 (default)
groups[0].hosts: [localhost] (default)
scheduling.max_batch_tokens: 512 (default)
scheduling.max_sequences: 64 (default)
scheduling.step_ms: 200 (default)
link.transport: auto (default)
link.require: any (default)
link.min_gb_per_s: 0 (default)
link.verify: sampled (default)
link.overlap: layers (default)
link.staging: 64MiB (default)
router.listen: 127.0.0.1:8000 (default)
router.control: 127.0.0.1:8001 (default)
router.colocated_retry: on (default)
router.colocate_below: 0 (default)
router.max_queued: 65536 (default)
router.spans: none (default)
router.keys: none (default)
router.join_token: none (default)
router.tls.certificate: none (default)
router.tls.key: none (default)
router.control_tls.certificate: none (default)
router.control_tls.key: none (default)
router.control_tls.ca: none (default)
router.allow_unauthenticated: off (default)
router.limits.connections: 16384 (default)
router.limits.header_bytes: 16KiB (default)
router.limits.body_bytes: 8MiB (default)
router.limits.header_ms: 10000 (default)
router.limits.body_ms: 60000 (default)
router.limits.idle_ms: 75000 (default)
router.limits.write_ms: 30000 (default)
router.limits.prompt_tokens: auto (default)
router.limits.choices: 128 (default)
router.limits.stops: 16 (default)
router.limits.stop_bytes: 4KiB (default)
router.limits.streams_per_key: 1024 (default)
router.limits.queued_per_key: 1024 (default)
deadline_ms: 60000 (default)
)");
}

TEST(ClusterConfig, ASwitchIsAlsoTrueOrFalse) {
  const auto reads = [](const char* word) {
    return parse_cluster(with_groups(str("router: {allow_unauthenticated: ", word, "}")), "c.yaml")
        .router.allow_unauthenticated;
  };
  EXPECT_EQ(reads("true"), Switch::on);
  EXPECT_EQ(reads("on"), Switch::on);
  EXPECT_EQ(reads("false"), Switch::off);
  EXPECT_EQ(message_of(with_groups("router: {allow_unauthenticated: yes}")),
            "cluster.yaml:2: router.allow_unauthenticated: expected one of on, off, found 'yes'");
}

TEST(ClusterConfig, TlsIsWholeOrAbsent) {
  EXPECT_EQ(message_of(with_groups("router: {tls: {certificate: a.pem}}")),
            "cluster.yaml:2: router.tls.key is missing");
  EXPECT_EQ(message_of(with_groups("router: {control_tls: {certificate: a, key: b}}")),
            "cluster.yaml:2: router.control_tls.ca is missing");
  EXPECT_FALSE(parse_cluster(with_groups(""), "c.yaml").router.tls.given());
}

class LoadCluster : public testing::Test {
 protected:
  LoadCluster() { std::filesystem::create_directories(directory_ / "models"); }

  std::filesystem::path write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ / name) << text;
    return directory_ / name;
  }

  const ScratchFolder scratch_;
  const std::filesystem::path directory_ = scratch_.path();
};

TEST_F(LoadCluster, ARelativeModelIsLookedForBesideTheYaml) {
  const auto model = write("models/m.gguf", "GGUF");
  const auto yaml = write("c.yaml", "model: models/../models/m.gguf\ngroups: [{name: a, role: mixed}]\n");
  EXPECT_EQ(load_cluster(yaml).model, model);
}

TEST_F(LoadCluster, FilesOfSecretsAreBesideTheYamlAndNeedNotBeThere) {
  write("m.gguf", "GGUF");
  const auto yaml = write("c.yaml",
                          "model: m.gguf\ngroups: [{name: a, role: mixed}]\n"
                          "router: {keys: k/../clients.keys, join_token: /etc/token}\n");
  const ClusterConfig config = load_cluster(yaml);
  EXPECT_EQ(config.router.keys, directory_ / "clients.keys");
  EXPECT_EQ(config.router.join_token, "/etc/token");
  EXPECT_EQ(config.router.tls, TlsConfig{});
}

TEST_F(LoadCluster, AModelThatIsNowhereIsAnErrorThatSaysWhatWasTried) {
  const auto yaml = write("c.yaml", "# here\nmodel: no.gguf\ngroups: [{name: a, role: mixed}]\n");
  try {
    load_cluster(yaml);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.what(), yaml.string() + ":2: model: no such file: 'no.gguf' (tried " +
                            (directory_ / "no.gguf").string() + " and " +
                            (std::filesystem::current_path() / "no.gguf").string() + ")");
  }
}

TEST_F(LoadCluster, AFileThatCannotBeReadIsNamed) {
  EXPECT_THAT([&] { load_cluster(directory_ / "none.yaml"); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("none.yaml: No such file or directory")));
  EXPECT_THAT([&] { load_cluster(directory_); }, testing::ThrowsMessage<Error>(testing::HasSubstr("is a directory")));
}

TEST(ClusterConfig, OverridesWinOverTheFileAndAreCheckedLikeIt) {
  const std::string text = "model: m.gguf\nlink: {overlap: layers}\ngroups: [{name: a, role: mixed}]\n";
  const ClusterConfig config = parse_cluster(
      text, "c.yaml", {"link.overlap=after_prefill", "kv.memory=1MiB", "groups=[{name: b, role: mixed}]"});
  EXPECT_EQ(config.link.overlap, LinkConfig::Overlap::after_prefill);
  EXPECT_EQ(config.kv.memory, size_t{1} << 20);
  EXPECT_EQ(config.groups[0].name, "b");
  for (const char* bad : {"link.overlap=never", "link.overlop=layers", "link", "=1", "model.x=1"})
    EXPECT_THROW(parse_cluster(text, "c.yaml", {bad}), Error) << bad;
}

}  // namespace
}  // namespace ferry
