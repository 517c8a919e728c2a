"""The table that a benchmark ends in: a figure a row, ours first, then each peer with its ratio to ours."""


def number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


class Table:
    """`peers`: the columns beside ours. A value that was not measured is an empty cell."""

    def __init__(self, title: str, ours: str, peers: list[str]):
        self.title = title
        self.ours = ours
        self.peers = peers
        self.rows: list[list[str]] = []

    def add(self, figure: str, unit: str, values: dict[str, float], aim: float | str | None = None):
        """`values` by column; `aim`: at most this number, or the name of peers ("mosquitto, nats-server") whose value counts."""
        ours = values.get(self.ours)
        if isinstance(aim, str):
            bound = min((values[peer] for peer in aim.split(", ") if peer in values), default=None)
            said = "peers'" if bound is None else f"peers' {number(bound)}"
        else:
            bound, said = aim, "" if aim is None else number(aim)
        met = "" if bound is None or ours is None else "yes" if ours <= bound else f"no ({ours / bound:.2f}x)"
        row = [figure, unit, "" if ours is None else number(ours), said, met]
        for peer in self.peers:
            value = values.get(peer)
            row.append("" if value is None else number(value) + (f" ({value / ours:.1f}x)" if ours else ""))
        self.rows.append(row)

    def print(self):
        head = [self.title, "unit", self.ours, "aim", "met", *self.peers]
        widths = [max(len(row[i]) for row in [head, *self.rows]) for i in range(len(head))]
        print()
        for i, row in enumerate([head, *self.rows]):
            print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |")
            if i == 0:
                print("|" + "|".join("-" * (width + 2) for width in widths) + "|", flush=True)
