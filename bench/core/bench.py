"""One run of bench/run: its folder, the programs it has started, and what it has to remark."""

import contextlib
import os
import pathlib
import shutil
import statistics
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("ATALAYA_BIN", ROOT / "build/release/bin"))
PEERS = pathlib.Path(os.environ.get("ATALAYA_PEERS", ROOT / "build/peers"))
SHARED = pathlib.Path(os.environ.get("ATALAYA_SHARED", ROOT.parent / "shared"))


class Failed(Exception):
    """A measurement that did not come about. The whole run ends with it: no figure is ever made up."""


class Bench(contextlib.ExitStack):
    """`repeat`: how often each figure is taken. `quick`: shorter runs. `tiny`: only to see that everything works."""

    def __init__(self, quick: bool, tiny: bool, repeat: int, only: str):
        super().__init__()
        self.quick = quick
        self.tiny = tiny
        self.repeat = repeat
        self.only = only
        self.remarks: list[str] = []

    def __enter__(self):
        super().__enter__()
        build = ROOT / "build"  # Rather than /tmp, which may be memory: some figures are of the disk.
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=build if build.is_dir() else None))
        self.callback(shutil.rmtree, self.dir, ignore_errors=True)
        return self

    def remark(self, text: str):
        """Said once, under the tables."""
        if text not in self.remarks:
            self.remarks.append(text)

    def count(self, full: int) -> int:
        """How many of something a run takes, from what a full run takes."""
        return max(full // 100, 1) if self.tiny else max(full // 4, 1) if self.quick else full

    def wants(self, figure: str) -> bool:
        return self.only in figure

    def medians(self, subjects: dict, measure) -> dict:
        """Takes `measure(subject)`, a dict of numbers, `repeat` times of each subject in turn, so that a noisy moment meets
        all of them; returns the median of each number, by subject. A quick run takes all but the first, which is ours, once."""
        taken = {name: [] for name in subjects}
        for turn in range(self.repeat):
            for i, (name, subject) in enumerate(subjects.items()):
                if turn == 0 or i == 0 or not self.quick:
                    taken[name].append(measure(subject))
        return {name: median_of(figures) for name, figures in taken.items()}


def median_of(figures: list[dict]) -> dict:
    return {key: statistics.median(figure[key] for figure in figures) for key in figures[0]
            if isinstance(figures[0][key], (int, float))}
