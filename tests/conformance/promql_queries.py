"""Seeded samples and queries for the differential test: both are the same for the same seed.

Samples stand off every window's edge, so that it does not matter on which side a window is open: sample times end in .137 s,
queries are asked at whole seconds of which none is a multiple of a subquery's step, ranges are whole multiples of 5 s."""

import random

START_S = 1_700_000_000 - 1_700_000_000 % 3600  # On the hour.
INTERVAL_S = 15
SAMPLES = 480  # Two hours.
SAMPLE_OFFSET_S = 3.137
JOBS = ["api", "web", "db"]
INSTANCES = ["a:1", "b:2"]
BOUNDS = ["0.1", "0.5", "1", "5", "+Inf"]


def sample_time(index: int) -> float:
    return START_S + index * INTERVAL_S + SAMPLE_OFFSET_S


def series(labels: dict, values: list) -> list[str]:
    """Lines of an OpenMetrics page; None is no sample."""
    name, text = labels["__name__"], ",".join(f'{key}="{value}"' for key, value in labels.items() if key != "__name__")
    return [f"{name}{{{text}}} {value!r} {sample_time(index):.3f}" for index, value in enumerate(values) if value is not None]


def counter(draw: random.Random, pace: int) -> list:
    """Starts high above zero, and is reset to zero now and then."""
    value, values = draw.randrange(10_000, 20_000), []
    for _ in range(SAMPLES):
        value = 0 if draw.random() < 0.01 else value + draw.randrange(pace)
        values.append(float(value))
    return values


def gauge(draw: random.Random) -> list:
    value, values = draw.uniform(-50, 50), []
    for _ in range(SAMPLES):
        value += draw.choice([-2.5, -1, -0.25, 0, 0.25, 1, 2.5])
        values.append(value)
    return values


def with_gap(values: list, begin: int, length: int) -> list:
    return values[:begin] + [None] * length + values[begin + length:]


def histogram(draw: random.Random, job: str) -> list[str]:
    counts, columns, sums, total = [0] * len(BOUNDS), [[] for _ in BOUNDS], [], 0.0
    for _ in range(SAMPLES):
        for index in range(len(BOUNDS)):
            counts[index] += draw.randrange(6)
        total += draw.randrange(20) / 4
        for index, column in enumerate(columns):
            column.append(float(sum(counts[:index + 1])))
        sums.append(total)
    lines = []
    for bound, column in zip(BOUNDS, columns):
        lines += series({"__name__": "latency_bucket", "job": job, "le": bound}, column)
    lines += series({"__name__": "latency_count", "job": job}, columns[-1])
    return lines + series({"__name__": "latency_sum", "job": job}, sums)


def page(seed: int) -> str:
    draw = random.Random(seed)
    lines = ["# TYPE requests counter"]
    for job in JOBS:
        for instance in INSTANCES:
            for code in ("200", "500"):
                values = counter(draw, 40 if code == "200" else 5)
                if (job, instance) == ("web", "b:2"):
                    values = with_gap(values, 200, 40)
                lines += series({"__name__": "requests_total", "job": job, "instance": instance, "code": code}, values)
    lines.append("# TYPE temperature gauge")
    for job in JOBS:
        for instance in INSTANCES:
            values = gauge(draw)
            if job == "db":
                values = with_gap(values, 100 if instance == "a:1" else 300, 90)
            lines += series({"__name__": "temperature", "job": job, "instance": instance}, values)
    lines.append("# TYPE limit gauge")
    for index, job in enumerate(JOBS):
        lines += series({"__name__": "limit", "job": job, "tier": "gold" if index else "iron"}, [10.0 * (index + 1)] * SAMPLES)
    lines.append("# TYPE odd gauge")
    lines += series({"__name__": "odd", "job": "api"}, [draw.choice([1.5, float("nan"), -3.0]) for _ in range(SAMPLES)])
    lines += series({"__name__": "odd", "job": "web"}, [draw.choice([2.0, float("inf"), 0.0]) for _ in range(SAMPLES)])
    lines.append("# TYPE latency histogram")
    for job in JOBS:
        lines += histogram(draw, job)
    return "\n".join(lines).replace(" nan ", " NaN ").replace(" inf ", " +Inf ") + "\n# EOF\n"


class Generator:
    """Expressions of some depth. What both refuse is rare, and counted."""

    def __init__(self, seed: int):
        self.draw = random.Random(seed)

    def pick(self, *choices):
        return self.draw.choice(choices)

    def matchers(self) -> str:
        return self.pick("", "", '{job="api"}', '{job!="api"}', '{job=~"a.*|db"}', '{job!~"w.*"}', '{instance="a:1"}',
                         '{instance=~".+"}', '{job="none"}')

    def counter(self) -> str:
        return self.pick("requests_total", "requests_total", "latency_count", "latency_bucket") + self.matchers()

    def gauge(self) -> str:
        return self.pick("temperature", "temperature", "temperature", "limit", "odd") + self.matchers()

    def shift(self) -> str:
        at = self.pick("", "", "", "", " @ start()", " @ end()", f" @ {START_S + self.draw.randrange(120, 1400) * 5 + 1}")
        return self.pick("", "", "", " offset 2m", " offset 35s", " offset -1m") + at

    def range(self) -> str:
        return self.pick("[1m]", "[2m]", "[5m]", "[10m]", "[95s]", "[30s]")

    def scalar(self) -> str:
        return self.pick("2", "0.5", "-3", "10", "1e2", "0", f"{self.draw.uniform(-20, 20):.3f}", 'scalar(limit{job="web"})',
                         "pi()", "(time() % 600)")

    def over_range(self) -> str:
        counters = self.pick("rate", "increase", "irate", "resets", "delta", "idelta", "deriv")
        gauges = self.pick("avg_over_time", "min_over_time", "max_over_time", "sum_over_time", "count_over_time", "delta",
                           "last_over_time", "present_over_time", "stddev_over_time", "stdvar_over_time", "changes", "deriv")
        return self.draw.choice([
            lambda: f"{counters}({self.counter()}{self.range()}{self.shift()})",
            lambda: f"{gauges}({self.gauge()}{self.range()}{self.shift()})",
            lambda: f"quantile_over_time({self.pick('0', '0.3', '0.5', '0.99', '1', '1.5', '-1')}, {self.gauge()}{self.range()})",
            lambda: f"predict_linear(temperature{self.matchers()}{self.range()}, {self.pick('60', '3600', '-30')})",
            lambda: f"absent_over_time({self.gauge()}{self.range()})",
        ])()

    def subquery(self, depth: int) -> str:
        function = self.pick("avg_over_time", "max_over_time", "min_over_time", "sum_over_time", "count_over_time",
                             "last_over_time", "changes", "deriv", "rate")
        return f"{function}({self.atom(depth)}[{self.pick('5m', '10m', '3m')}:{self.pick('30s', '1m', '10s', '')}]{self.shift()})"

    def aggregate(self, depth: int) -> str:
        grouping = self.pick("", "", " by (job)", " by (job, instance)", " by (code)", " without (instance)", " without (job, le)",
                             " by (none)")
        inner = self.vector(depth - 1)
        function = self.pick("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar", "sum", "quantile", "topk", "bottomk",
                             "count_values")
        if function == "quantile":
            return f"quantile{grouping} ({self.pick('0.1', '0.5', '0.9', '2')}, {inner})"
        if function in ("topk", "bottomk"):
            return f"{function}{grouping} ({self.pick('1', '2', '5', '0')}, {self.distinct()})"
        if function == "count_values":
            return f'count_values{grouping} ("value", round({self.gauge()}))'
        return f"{function}{grouping} ({inner})"

    def distinct(self) -> str:
        """Values of which no two are equal, so that there is one order only."""
        return self.pick("temperature * 1.0001 + on (job, instance) group_left () (count by (job, instance) (requests_total) * 0)",
                         "avg_over_time(temperature[10m])", "deriv(temperature[10m])", "predict_linear(temperature[5m], 60)")

    def atom(self, depth: int) -> str:
        return self.gauge() if depth <= 0 or self.draw.random() < 0.5 else self.over_range()

    def binary(self, depth: int) -> str:
        left, right = self.vector(depth - 1), self.vector(depth - 1)
        return self.draw.choice([
            lambda: f"{left} {self.pick('+', '-', '*', '/', '%', 'atan2')} {self.scalar()}",
            lambda: f"{self.scalar()} {self.pick('+', '-', '*', '/')} {left}",
            lambda: f"{left} {self.pick('>', '<', '>=', '<=', '!=')} {self.pick('', 'bool ')}{self.scalar()}",
            lambda: f"{self.atom(depth)} ^ {self.pick('2', '3')}",
            lambda: f"{left} {self.pick('and', 'or', 'unless')} {self.pick('', 'on (job) ', 'ignoring (instance, code) ')}{right}",
            lambda: f"temperature {self.pick('+', '*', '>', '< bool')} on (job) group_left {self.pick('', '() ', '(tier) ')}limit",
            lambda: f"limit {self.pick('-', '/')} on (job) group_right () {self.gauge()}",
            lambda: f"sum by (job) ({left}) {self.pick('+', '-', '/', '>')} sum by (job) ({right})",
            lambda: f"{self.gauge()} {self.pick('+', '-', '==')} ignoring (tier) {self.gauge()}",
            lambda: f"temperature{self.matchers()} - temperature{self.shift()}",
        ])()

    def function(self, depth: int) -> str:
        inner = self.vector(depth - 1)
        return self.draw.choice([
            lambda: f"{self.pick('abs', 'ceil', 'floor', 'sgn', 'sqrt', 'ln', 'exp', 'log2', 'log10', 'sin', 'cos', 'tan', 'atan', 'tanh', 'asinh', 'deg', 'rad')}({inner})",
            lambda: f"clamp({inner}, {self.pick('-5', '0', '20')}, {self.pick('10', '-10')})",
            lambda: f"clamp_min({inner}, 3)", lambda: f"clamp_max({inner}, 3)",
            lambda: f"round({inner}, {self.pick('0.5', '5', '0.1')})", lambda: f"round({inner})",
            lambda: f'label_replace({inner}, "{self.pick("to", "job")}", "x-$1", "{self.pick("job", "instance", "none")}", "{self.pick("(.*)", "(a.*)", "[a-z]+:(.)")}")',
            lambda: f'label_join({inner}, "both", "-", "job", "instance")',
            lambda: f"absent({self.gauge()})", lambda: f"timestamp({self.pick(self.gauge(), self.counter(), inner)})",
            lambda: f"{self.pick('hour', 'minute', 'day_of_week', 'day_of_month', 'day_of_year', 'days_in_month', 'month', 'year')}({self.pick('', 'timestamp(' + self.gauge() + ')')})",
            lambda: f"vector({self.scalar()})", lambda: f"-{self.atom(depth)}",
            lambda: f"histogram_quantile({self.pick('0.1', '0.5', '0.9', '0.99', '1', '0', '1.1')}, {self.pick('latency_bucket', 'rate(latency_bucket[5m])', 'sum by (le) (rate(latency_bucket[5m]))', 'increase(latency_bucket[2m])')})",
        ])()

    def vector(self, depth: int) -> str:
        if depth <= 0:
            return self.atom(1)
        kind = self.pick(self.over_range, self.atom, self.subquery, self.aggregate, self.aggregate, self.binary, self.binary,
                         self.function, self.function)
        return kind() if kind == self.over_range else f"({kind(depth)})"

    def query(self) -> dict:
        """The parameters of /api/v1/query or, with a step, of query_range."""
        expression = self.vector(self.pick(1, 2, 2, 3))
        at = START_S + self.draw.randrange(120, 1400) * 5 + 1
        if self.draw.random() < 0.5:
            return {"query": self.pick(expression, expression, f"sort({expression})", f"sort_desc({expression})"), "time": at}
        step = self.pick(10, 15, 30, 45, 60, 300)
        return {"query": expression, "start": at, "end": at + step * self.draw.randrange(1, 40), "step": step}
