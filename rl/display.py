"""What a person sees while a run goes on: a progress bar with the numbers that matter, and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from saccade.agents.evaluation import Interval

SHOWN = {
    "return": "return",
    "thought/accuracy": "thoughts",
    "policy/kl": "KL",
    "policy/entropy": "entropy",
    "mismatch/max": "mismatch",
    "probe/image_effect": "image",
}


class ProgressDisplay:
    """A progress bar over updates; `report` fits `Trainer.run`.

    Args:
        steps: total.
        title: in front of the bar.
        start: updates that are done already.
        console: where to draw.
    """

    def __init__(self, steps: int, title: str, start: int = 0, console: Console | None = None) -> None:
        self.console = console or Console()
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[numbers]}"),
            console=self.console,
        )
        self._task = self._progress.add_task(title, total=steps, completed=start, numbers="")

    def report(self, update: int, metrics: Mapping[str, float]) -> None:
        """Show the metrics of an update; without a terminal, print a line every tenth one."""
        numbers = "  ".join(f"{label} {metrics[name]:.3g}" for name, label in SHOWN.items() if name in metrics)
        self._progress.update(self._task, completed=update + 1, numbers=numbers)
        if not self.console.is_terminal and update % 10 == 0:
            self.console.print(f"update {update}: {numbers}", highlight=False)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


def make_console() -> Console:
    """A console as wide as the terminal; wide enough for tables where there is none."""
    console = Console()
    return console if console.is_terminal else Console(width=160)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], left: int = 1) -> Table:
    """A plain table; the first columns, so many of them, are left-aligned, the others right."""
    out = Table(title=title, title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        out.add_column(column, justify="left" if index < left else "right", no_wrap=index >= left, overflow="fold")
    for row in rows:
        out.add_row(*(str(value) for value in row))
    return out


def share(found: Interval | None) -> str:
    """A share without its interval, for a narrow column; `-` where there is none."""
    return f"{found.mean:.3f}" if found else "-"
