"""Fails on an include that goes against the arrows between the rooms (docs/ARCHITECTURE.md), or that shows another room a
third-party type."""

import pathlib
import re
import sys

# Room or part -> what it may include besides itself.
ARROWS = {
    "base": set(),
    "mqtt": {"base"},
    "telemetry": {"base"},
    "history": {"base", "telemetry"},
    "promql": {"base", "telemetry"},
    "cloud_client": {"base", "mqtt", "telemetry"},
    "cloud_server": {"base", "mqtt", "telemetry"},
    "exporter": {"base", "telemetry"},
    "stress": {"base", "mqtt", "telemetry"},
    "alertd": {"base", "mqtt", "telemetry", "history", "promql", "cloud_client"},
}
EVERYTHING = {"tests", "bench"}
OPEN_TO_ALL = {"fmt", "tl"}  # The third-party headers that a header of ours may include.
QUOTED = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
ANGLED = re.compile(r"^\s*#\s*include\s+<([^>]+)>", re.M)
THIRD_PARTY = re.compile(
    r"^(spdlog|toml\+\+|CLI|nlohmann|prometheus|civetweb|curl|sqlite3|re2|sodium|openssl|zlib|date|gtest|gmock)\b")


def faults(root: pathlib.Path) -> list[str]:
    found = []
    for room, allowed in ARROWS.items():
        for path in sorted((root / room).rglob("*")):
            if path.suffix not in (".h", ".cc"):
                continue
            text = path.read_text()
            in_tests = "tests" in path.relative_to(root / room).parts
            for target in QUOTED.findall(text):
                other = target.split("/")[0]
                if other != room and other not in allowed and not (in_tests and other in EVERYTHING):
                    found.append(f"{path.relative_to(root)}: {room}/ may not include {target}")
            if path.suffix == ".h" and not in_tests:
                for target in ANGLED.findall(text):
                    if THIRD_PARTY.match(target):
                        found.append(f"{path.relative_to(root)}: a header may not include <{target}>")
    return found


def main() -> int:
    root = pathlib.Path(sys.argv[1])
    found = faults(root)
    for line in found:
        print(line)
    checked = sum(1 for room in ARROWS for _ in (root / room).rglob("*.cc"))
    if checked == 0:
        print("no source files were found")
        return 1
    print(f"{checked} source files checked, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
