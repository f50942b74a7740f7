"""The progress bar of long commands."""

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from app.console.output.printer import watched_errors


def progress_bar() -> Progress:
    """Return a progress bar on standard error, or none if that is no terminal."""
    watched = watched_errors()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=watched,
        transient=True,
        disable=not watched.is_terminal,
    )
