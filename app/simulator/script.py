"""A player's whole script: the launch, their share of the scenes, and a last question.

A script is a pure function of seed, players in their order, and options. It is written step by
step while it is played, since nothing in it depends on what was answered.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from app.simulator.dice import Dice
from app.simulator.expected import refused
from app.simulator.laws import usual_direction
from app.simulator.moves import Delivery, Event, Move, Question
from app.simulator.oracle import Oracle, ServerSettings
from app.simulator.player_script import ScriptWriter, Step
from app.simulator.pockets import Pockets
from app.simulator.scenario_mix import Scene, fitting, share_scenes
from app.simulator.scenes import refused_requests
from app.simulator.stage import Options, Stage
from app.simulator.units import print_units, units_of

# What a player has at least when a scene begins, in coins of their currency.
_PURSE_COINS = 50


@dataclass(frozen=True, slots=True)
class Script:
    """What one player will do."""

    writer: ScriptWriter
    scenes: tuple[Scene, ...]
    #: The prefix of all their ids.
    prefix: str
    #: The prefix of the player whose id they will try to use at the end; None when there is none.
    neighbour_prefix: str | None

    def opening(self) -> Iterator[Step]:
        """Launch a game, and leave an id for the neighbour to find."""
        yield from refused_requests.launched(self.writer)
        yield self.writer.say(_greeting(self.prefix, self.writer))

    def scene(self, scene: Scene) -> Iterator[Step]:
        """Play one scene with enough money for it."""
        yield from self.writer.fund(_PURSE_COINS * self.writer.coin)
        yield from scene(self.writer)
        self.writer.oracle.forget()

    def foreign_id(self) -> Iterator[Step]:
        """Use an id under which the neighbour's movement was accepted: 409, and nothing moves."""
        if self.neighbour_prefix is None:
            return
        move = _greeting(self.neighbour_prefix, self.writer)
        yield Step((Delivery(move),), (refused(409, self.writer.oracle.printed),))

    def last_look(self) -> Step:
        """Ask for the balance that the verdict compares."""
        return Step((Delivery(_LAST_QUESTION),), (self.writer.oracle.ask(_LAST_QUESTION),))


_LAST_QUESTION = Question("getBalance")


def _greeting(prefix: str, writer: ScriptWriter) -> Move:
    """The smallest gift there is, under an id that neighbours know."""
    return Move(
        event_type="PromoWin",
        direction=usual_direction("PromoWin"),
        transaction_id=f"{prefix}-hello",
        event=Event(f"{prefix}-hello", 7),
        amount=print_units(1, writer.oracle.scale),
    )


def write_scripts(stage: Stage, options: Options) -> list[Script]:
    """Write a script for each player, with their share of the scenes."""
    settings = ServerSettings(
        stage.duplicate_reply, stage.stake_order, stage.key_scope, stage.overtaken_bet
    )
    players = stage.players
    prefixes = [f"sim-{options.run_id}-{number}" for number in range(len(players))]
    scenes = share_scenes(options.seed, options.events, len(players))
    scripts = []
    for number, player in enumerate(players):
        pockets = Pockets(units_of(player.real, player.scale), units_of(player.bonus, player.scale))
        oracle = Oracle(pockets, player.scale, settings)
        writer = ScriptWriter(
            Dice(options.seed, number), oracle, prefixes[number], stage.sport_game_id
        )
        neighbour = prefixes[(number + 1) % len(players)] if len(players) > 1 else None
        mine = tuple(fitting(scene, player.currency) for scene in scenes[number])
        scripts.append(Script(writer, mine, prefixes[number], neighbour))
    return scripts
