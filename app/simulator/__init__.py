"""The simulator plays the aggregator over HTTP and predicts every answer independently."""

from app.simulator.play import simulate
from app.simulator.progress import Bar, Progress, Silence
from app.simulator.report import Account, Fault, faulty, write_report
from app.simulator.stage import Options, Stage, StagePlayer, new_run_id
from app.simulator.verdict import Difference, PlayerVerdict, Verdict

__all__ = [
    "Account",
    "Bar",
    "Difference",
    "Fault",
    "Options",
    "PlayerVerdict",
    "Progress",
    "Silence",
    "Stage",
    "StagePlayer",
    "Verdict",
    "faulty",
    "new_run_id",
    "simulate",
    "write_report",
]
