#!/usr/bin/env python3
"""Holds results of ferry (JSON lines) against reference outputs.

   compare.py GOLDEN.jsonl RESULTS.jsonl [--logprob-tolerance X] [--margin Y]     exit code 1 and a line a difference
   compare.py GOLDEN.jsonl --prompts                                  the golden cases as prompts for ferry

The same ids up to the first near tie of the reference (where another order of f32 sums may rightly choose otherwise), the
same finish reason and text, log-probabilities within the tolerance. Who rounds more than f32 is held to the tokens
before the first that the reference chose by less than the margin.
"""
import argparse
import json
import sys


def lines(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]


def prompt_of(case):
    prompt = {"id": case["id"], "max_tokens": case["max_tokens"], "logprobs": 1}
    if case["kind"] == "raw":
        prompt["prompt"] = case["prompt"]
    elif case["kind"] == "chat":
        prompt["messages"] = case["messages"]
    else:
        prompt["prompt_ids"] = case["prompt_ids"]
    return prompt


def first_unsure(case, margin):
    slim = [i for i, by in enumerate(case["margin"]) if by < margin]
    return min(case["near_tie"] + slim, default=len(case["ids"]))


def differences(case, result, tolerance, margin=0):
    if result["error"]:
        yield f"failed: {result['error']}"
        return
    if result["prompt_ids"] != case["prompt_ids"]:
        yield f"prompt ids {result['prompt_ids'][:8]}…, not {case['prompt_ids'][:8]}…"
    sure = first_unsure(case, margin)
    if result["ids"][:sure] != case["ids"][:sure]:
        at = next(i for i in range(sure) if result["ids"][i : i + 1] != case["ids"][i : i + 1])
        yield f"token {at} is {result['ids'][at : at + 1]}, not {case['ids'][at]} (margin {case['margin'][at]})"
    elif sure == len(case["ids"]):
        for key in ("ids", "text", "finish_reason"):
            if result[key] != case[key]:
                yield f"{key} {result[key]!r}, not {case[key]!r}"
    if tolerance is None:
        return
    worst = max((abs(a["logprob"] - b) for a, b in zip(result["logprobs"][:sure], case["logprob"])), default=0)
    if len(result["logprobs"]) < sure or worst > tolerance:
        yield f"{len(result['logprobs'])} logprobs, off by up to {worst:.5f}; {tolerance} is allowed"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("golden")
    p.add_argument("results", nargs="?")
    p.add_argument("--prompts", action="store_true")
    p.add_argument("--only", help="cases whose id begins so; comma for several")
    p.add_argument("--logprob-tolerance", type=float)
    p.add_argument("--margin", type=float, default=0)
    a = p.parse_intermixed_args()
    golden = [c for c in lines(a.golden) if not a.only or c["id"].startswith(tuple(a.only.split(",")))]
    if a.prompts:
        for case in golden:
            print(json.dumps(prompt_of(case), ensure_ascii=False))
        return 0
    results = lines(a.results)
    found = [f"{c['id']}: {d}" for c, r in zip(golden, results) for d in differences(c, r, a.logprob_tolerance, a.margin)]
    if [r["id"] for r in results] != [c["id"] for c in golden]:
        found.append(f"{len(results)} results for {len(golden)} cases, or in another order")
    print("\n".join(found) if found else f"{len(golden)} cases as in the reference")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
