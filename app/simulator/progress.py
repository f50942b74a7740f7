"""Shows how far a run has come: a progress bar, or nothing."""

from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress


class Progress(Protocol):
    """What a run tells of its progress."""

    def begin(self, events: int) -> None:
        """Tell that the run begins, with so many events ahead."""

    def event_played(self, requests: int, differences: int) -> None:
        """Tell that one more event is over, with the totals so far."""

    def end(self) -> None:
        """Tell that the run is over."""


class Silence:
    """Shows nothing."""

    def begin(self, events: int) -> None:
        """Show nothing."""

    def event_played(self, requests: int, differences: int) -> None:
        """Show nothing."""

    def end(self) -> None:
        """Show nothing."""


class Bar:
    """A progress bar for a person at a terminal."""

    def __init__(self, console: Console | None = None) -> None:
        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[requests]} requests, {task.fields[differences]} differences"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task = self._bar.add_task("events", requests=0, differences=0)

    def begin(self, events: int) -> None:
        """Show an empty bar."""
        self._bar.update(self._task, total=events)
        self._bar.start()

    def event_played(self, requests: int, differences: int) -> None:
        """Move the bar."""
        self._bar.update(self._task, advance=1, requests=requests, differences=differences)

    def end(self) -> None:
        """Leave the bar where it is."""
        self._bar.stop()
