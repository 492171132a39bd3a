"""The rules of the game: how players walk, and what becomes of the scores when one of them collects a star."""

import itertools
import math
import random
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

TICKS_PER_S = 20
STEP = 0.5 / TICKS_PER_S
REACH = 0.05
MOST_SCORES = 20

Arena = Literal["meadow", "desert"]
Name = Annotated[str, Meta(min_length=1, max_length=20)]
Coordinate = Annotated[float, Meta(ge=0, le=1)]
Point = tuple[Coordinate, Coordinate]


class Player(msgspec.Struct):
    """A player, where it is, and where it walks to."""

    id: str
    name: Name
    arena: Arena
    at: Point = (0.5, 0.5)
    to: Point = (0.5, 0.5)

    def walk(self) -> None:
        """Walk for one tick."""
        (x, y), (to_x, to_y) = self.at, self.to
        left = math.dist(self.at, self.to)
        part = min(1.0, STEP / left) if left else 1.0
        self.at = (x + (to_x - x) * part, y + (to_y - y) * part)


class Round(msgspec.Struct):
    """A star that can be collected, the player that collected the one before, and the scores, the latest first."""

    number: int = 1
    star: Point = (0.25, 0.25)
    by: str = ""
    scores: dict[str, int] = {}

    def is_won_by(self, player: Player) -> bool:
        """Say whether a player is at the star."""
        return math.dist(player.at, self.star) <= REACH

    def after(self, player: Player) -> "Round":
        """Return the round after a player has collected the star."""
        others = {name: score for name, score in self.scores.items() if name != player.name}
        scores = {player.name: self.scores.get(player.name, 0) + 1, **others}
        dice = random.SystemRandom()
        star = (dice.uniform(0.1, 0.9), dice.uniform(0.1, 0.9))
        return Round(self.number + 1, star, player.name, dict(itertools.islice(scores.items(), MOST_SCORES)))
