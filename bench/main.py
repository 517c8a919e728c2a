"""What bench/run starts once everything is built: runs one module and prints its tables."""

import argparse
import importlib
import pathlib
import resource
import sys

from core import machine
from core.bench import Bench, Failed

HERE = pathlib.Path(__file__).resolve().parent


def names() -> list[str]:
    return sorted(path.stem for path in HERE.glob("*.py") if path.stem != "main")


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run")
    parser.add_argument("name", choices=names(), metavar="NAME", help=f"one of: {', '.join(names())}")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--tiny", action="store_true", help=argparse.SUPPRESS)  # ./check: does it work at all?
    parser.add_argument("--repeat", type=int, default=0)
    parser.add_argument("--only", default="")
    return parser.parse_args(arguments)


def main() -> int:
    options = parse(sys.argv[1:])
    # Each of 10,000 connections takes a descriptor of the server, too, which inherits this.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(machine.header(), flush=True)
    repeat = options.repeat or (1 if options.tiny else 3 if options.quick else 5)
    module = importlib.import_module(options.name)
    try:
        with Bench(quick=options.quick, tiny=options.tiny, repeat=repeat, only=options.only) as bench:
            module.run(bench)
            for remark in bench.remarks:
                print(f"- {remark}")
    except Failed as failure:
        print(f"bench/run: {failure}", file=sys.stderr)
        return 1
    print(machine.footer(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
