"""The simulator plays the aggregator over HTTP and predicts every answer independently."""

from app.simulator.play import simulate
from app.simulator.progress import Bar, Progress, Silence
from app.simulator.stage import Options, Stage, StagePlayer, new_run_id
from app.simulator.verdict import Difference, PlayerVerdict, Verdict

__all__ = [
    "Bar",
    "Difference",
    "Options",
    "PlayerVerdict",
    "Progress",
    "Silence",
    "Stage",
    "StagePlayer",
    "Verdict",
    "new_run_id",
    "simulate",
]
