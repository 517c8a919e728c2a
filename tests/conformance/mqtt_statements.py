"""Checks mqtt_statements.tsv: every test that it names is there, and, where the shared folder is, every numbered statement of the
standards stands in it once. `case:` is a function of the cases_*.py files, `gtest:` a GoogleTest, `client` a statement that does not
bind servers."""

import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))
sys.path.insert(0, str(HERE))
import harness  # noqa: E402
import mqtt_cases  # noqa: E402

SHARED_FILES = {"3.1.1": "mqtt311_statements.tsv", "5.0": "mqtt5_statements.tsv"}


def tests_there() -> set[str]:
    found = {f"case:{name}" for name in mqtt_cases.all_cases()}
    for room in ("cloud_server", "mqtt"):
        for path in (HERE.parents[1] / room / "tests").glob("*.cc"):
            found |= {f"gtest:{suite}.{name}" for suite, name in re.findall(r"^TEST(?:_F|_P)?\((\w+), (\w+)\)", path.read_text(), re.M)}
    return found


def main():
    rows = [line.split("\t") for line in (HERE / "mqtt_statements.tsv").read_text().splitlines()[1:]]
    there = tests_there()
    faults = []
    listed = set()
    for version, statement, held_by in rows:
        if (version, statement) in listed:
            faults.append(f"{version} {statement} stands there twice")
        listed.add((version, statement))
        for test in held_by.split():
            if test != "client" and test not in there:
                faults.append(f"{version} {statement}: there is no {test}")
    named = {test for row in rows for test in row[2].split()}
    bound = sum(row[2] != "client" for row in rows)
    folder = harness.SHARED / "conformance"
    if folder.is_dir():
        for version, name in SHARED_FILES.items():
            for statement in re.findall(r"^\[(MQTT-[\d.]+-\d+)\]", (folder / name).read_text(), re.M):
                if (version, statement) not in listed:
                    faults.append(f"{version} {statement} is missing")
    else:
        print(f"{folder} is not there: whether the table is complete was not checked")
    assert not faults, "\n".join(faults)
    print(f"{len(rows)} statements, {bound} of them bind a server and are held by {len(named) - 1} tests")


harness.run(main)
