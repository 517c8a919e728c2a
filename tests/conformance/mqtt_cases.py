"""The project's own conformance cases: each function of the cases_*.py files that takes an address. mqtt_statements.tsv says which
numbered statement of the standards each of them holds."""

import concurrent.futures
import inspect
import os
import pathlib
import sys
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))
sys.path.insert(0, str(HERE))
import cases_connect  # noqa: E402
import cases_publish  # noqa: E402
import harness  # noqa: E402

AT_ONCE = 8  # Some wait for a second to pass.


def all_cases() -> dict:
    found = {}
    for module in (cases_connect, cases_publish):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and list(inspect.signature(function).parameters) == ["a"]:
                found[name] = function
    return found


def outcome(function, address: str) -> str:
    try:
        function(address)
    except Exception:  # A case may fail in any way.
        return traceback.format_exc(limit=-3)
    return ""


def main():
    only = os.environ.get("ATALAYA_CASE", "")
    cases = {name: function for name, function in all_cases().items() if only in name}
    with harness.Bench() as bench:
        server, address = bench.start_server()
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            results = dict(zip(cases, pool.map(lambda function: outcome(function, address), cases.values())))
        server.stop()
    failures = {name: why for name, why in results.items() if why}
    print(f"{len(cases) - len(failures)} passed, {len(failures)} failed")
    if failures:
        raise AssertionError("\n".join(f"{name}: {why}" for name, why in failures.items()))


if __name__ == "__main__":
    harness.run(main)
