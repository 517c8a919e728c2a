"""Conditions that a crash test makes come and go under a cloud_alertd that scrapes them."""

import random

import harness
from metrics_page import serve_metrics

CONDITIONS = 12


class Conditions:
    """A page of gauges, each 1 while its condition holds; one that never holds stands for what could be invented."""

    def __init__(self, bench: harness.Bench):
        self.holds = [False] * CONDITIONS
        self.address = serve_metrics(bench, self.page)

    def page(self) -> str:
        return "".join(f'trouble{{id="{i}"}} {int(holds)}\n' for i, holds in enumerate(self.holds))

    def true_ids(self) -> set[str]:
        return {str(i) for i, holds in enumerate(self.holds) if holds}

    def flip_some(self, source: random.Random) -> set[str]:
        """Changes up to three conditions, but never the first; returns which."""
        changed = source.sample(range(1, CONDITIONS), source.randint(0, 3))
        for i in changed:
            self.holds[i] = not self.holds[i]
        return {str(i) for i in changed}

    def alertd_config(self, bench: harness.Bench) -> str:
        """What a cloud_alertd that looks at them and judges by rules.toml has in front."""
        return f"""
[http]
listen = "127.0.0.1:0"
[storage]
dir = "{bench.dir}/state"
[rules]
files = ["rules.toml"]
interval = "100ms"
[[scrape]]
job = "trouble"
targets = ["{self.address}"]
interval = "100ms"
"""
