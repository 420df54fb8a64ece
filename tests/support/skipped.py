"""Counts the tests of a JUnit report and groups the skipped ones by their reason."""

import collections
import re
import sys
import xml.etree.ElementTree

# What GoogleTest prints for GTEST_SKIP() << "reason": the place, a line "Skipped", the reason up to an empty line.
GTEST_SKIP = re.compile(r": Skipped\n(.+?)(?:\n\n|\n\[)", re.DOTALL)


def reason_of(case):
    found = GTEST_SKIP.search(case.findtext("system-out") or "")
    return found.group(1).strip().splitlines()[0] if found else "no reason given"


def main(report):
    counts = collections.Counter()
    reasons = collections.Counter()
    for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
        outcome = {"run": "passed", "fail": "failed"}.get(case.get("status"), "skipped")
        counts[outcome] += 1
        if outcome == "skipped":
            reasons[reason_of(case)] += 1
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    for reason, n in reasons.most_common():
        print(f"  {n} skipped: {reason}")


main(sys.argv[1])
