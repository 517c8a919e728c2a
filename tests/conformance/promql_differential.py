"""The same samples in our store and in Debian's Prometheus 2.42, the same generated queries to both, the same answers.

    promql_differential.py QUERY_SERVER [--queries N] [--seed N]

QUERY_SERVER is the program alertd_query_server. Prints how many queries were compared, and every one that differs.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import harness
import prometheus
import promql_queries

RELATIVE = 1e-9   # Sums are compensated in 3.x and plain in 2.42; both libraries round functions their own way.
ABSOLUTE = 1e-9   # Of what should be zero.


def number(text: str) -> float:
    return float(text.replace("Inf", "inf"))


def near(ours: str, theirs: str) -> bool:
    a, b = number(ours), number(theirs)
    return a == b or (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def points(series: dict) -> list:
    return series["values"] if "values" in series else [series["value"]]


def equal(ours: dict, theirs: dict, ordered: bool) -> bool:
    if ours["resultType"] != theirs["resultType"]:
        return False
    a, b = ours["result"], theirs["result"]
    if ours["resultType"] in ("scalar", "string"):
        return a[0] == b[0] and near(a[1], b[1])
    if ordered and not all(near(x["value"][1], y["value"][1]) for x, y in zip(a, b)):
        return False  # Equal values have no order of their own.
    a, b = (sorted(side, key=lambda one: sorted(one["metric"].items())) for side in (a, b))
    return len(a) == len(b) and all(
        x["metric"] == y["metric"] and len(points(x)) == len(points(y)) and
        all(p[0] == q[0] and near(p[1], q[1]) for p, q in zip(points(x), points(y)))
        for x, y in zip(a, b))


def ask(address: str, parameters: dict) -> dict:
    path = "query_range" if "step" in parameters else "query"
    body = urllib.parse.urlencode(parameters).encode()
    _, _, answer = harness.http(f"http://{address}/api/v1/{path}", "POST", body,
                                {"Content-Type": "application/x-www-form-urlencoded"})
    return json.loads(answer)


def start_prometheus(bench, page: pathlib.Path) -> str:
    data = bench.dir / "tsdb"
    tool = harness.peer("prometheus", "usr/bin/promtool")
    done = harness.run_program(tool, "tsdb", "create-blocks-from", "openmetrics", page, data)
    assert done.returncode == 0, done
    # A subquery without a step takes the evaluation interval.
    return prometheus.Prometheus(bench, {}, interval="1m", retention="100y").address


# Where 2.42 is known to answer otherwise than 3.x: what the difference is called, and whether it is this one.
NAMED = {
    "2.42 looks for many-to-one matches in what a comparison leaves, 3.x in all that it compares":
        lambda query, ours: ours["status"] == "error" and ours["error"].startswith("multiple matches for labels"),
    "2.42 leaves the metric's name on what atan2 makes":
        lambda query, ours: "atan2" in query,
    "2.42 takes the deviation of one NaN or Inf to be 0":
        lambda query, ours: ("stddev" in query or "stdvar" in query) and '"NaN"' in json.dumps(ours),
}


def compare(parameters: dict, ours: dict, theirs: dict) -> str | None:
    """How they differ, or None. Where both refuse, the words may differ."""
    if ours["status"] != theirs["status"]:
        difference = "one fails"
    elif ours["status"] == "error":
        difference = None if ours["errorType"] == theirs["errorType"] else "other kinds of error"
    else:
        ordered = "step" not in parameters and parameters["query"].startswith("sort")
        difference = None if equal(ours["data"], theirs["data"], ordered) else "other values"
    known = [name for name, is_this in NAMED.items() if is_this(parameters["query"], ours)]
    return known[0] if difference and known else difference


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("query_server")
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with harness.Bench() as bench:
        page = bench.dir / "page.om"
        page.write_text(promql_queries.page(options.seed))
        theirs_at = start_prometheus(bench, page)
        (bench.dir / "ours").mkdir()
        ours_at = bench.start(options.query_server, page, bench.dir / "ours", stdin=subprocess.PIPE).ready()["http"]
        generator = promql_queries.Generator(options.seed)
        counts = {"compared": 0, "with values": 0, "refused by both": 0, "named differences": 0, "different": 0}
        for _ in range(options.queries):
            parameters = generator.query()
            ours, theirs = ask(ours_at, parameters), ask(theirs_at, parameters)
            difference = compare(parameters, ours, theirs)
            counts["compared"] += 1
            counts["refused by both"] += ours["status"] == theirs["status"] == "error"
            counts["with values"] += bool(ours.get("data", {}).get("result"))
            if difference in NAMED:
                counts["named differences"] += 1
            elif difference:
                counts["different"] += 1
                print(f"{difference}: {parameters}\n  ours   {json.dumps(ours)[:600]}\n  theirs {json.dumps(theirs)[:600]}")
        print(", ".join(f"{count} {what}" for what, count in counts.items()))
        assert counts["different"] == 0
        assert counts["with values"] > 0.6 * options.queries and counts["refused by both"] < 0.2 * options.queries


harness.run(main)
