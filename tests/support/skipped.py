"""Counts the tests of a JUnit report and groups the skipped ones by their reason."""

import collections
import re
import sys
import xml.etree.ElementTree

# What GoogleTest prints for GTEST_SKIP() << "reason": the place, a line "Skipped", the reason up to an empty line.
GTEST_SKIP = re.compile(r": Skipped\n(.+?)(?:\n\n|\n\[)", re.DOTALL)
SCRIPT_SKIP = re.compile(r"^skipped: (.+)$", re.MULTILINE)
# A script that ran may have skipped some of its tests.
UNITTEST_SKIP = re.compile(r" \.\.\. skipped ['\"](.+)['\"]$", re.MULTILINE)


def reason_of(output):
    found = GTEST_SKIP.search(output) or SCRIPT_SKIP.search(output)
    return found.group(1).strip().splitlines()[0] if found else "no reason given"


def main(report):
    counts = collections.Counter()
    reasons = collections.Counter()
    for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
        outcome = {"run": "passed", "fail": "failed"}.get(case.get("status"), "skipped")
        counts[outcome] += 1
        output = case.findtext("system-out") or ""
        if outcome == "skipped":
            reasons[reason_of(output)] += 1
        reasons.update(f"{reason} (a part of {case.get('name')})" for reason in UNITTEST_SKIP.findall(output))
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    for reason, n in reasons.most_common():
        print(f"  {n} skipped: {reason}")


main(sys.argv[1])
