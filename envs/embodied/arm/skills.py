"""What the arm can do: each skill plans its whole way first, so that what is out of reach is refused before it begins.

    skills = Skills(arm, things={3: "red cube"}, movers={7: "blue button"})
    skills.pick(Spot(np.array([0.1, 0.0, 0.02]), body=3))    # "Holding the red cube."

Every skill ends with the hand at rest behind the table, where it hides nothing from the overhead camera.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from saccade.envs.embodied.arm.arm import HOME, LOWEST, Arm
from saccade.envs.embodied.arm.kinematics import Array, Pose
from saccade.envs.embodied.arm.solids import Solids, Spot
from saccade.envs.errors import ActionError

HOVER = 0.15
"""Height at which the hand travels, in metres."""
PAD = 0.018
"""From the point between the finger tips to their ends."""
MARGIN = 0.014
"""Metres that each finger is opened wider than what it is to close on."""
FINGER = 0.012
"""Thickness of a finger."""
PUSH_HEIGHT = 0.022
LONGEST_PUSH, PUSH_SPEED = 0.35, 0.45
"""Metres, and metres a second: slow enough for friction to stop what was pushed when the hand stops."""
DEEP = 0.014
"""How far a press goes below the surface that it meets."""
LETTING_GO = 10
ROUGH = 0.003
"""Metres that two surfaces must differ to count."""


class Skills:
    """The skills of an arm.

    Args:
        arm: it moves.
        things: loose bodies that can be picked up, and what they are called.
        movers: bodies that can be pulled, turned or pressed, and what they are called.
    """

    def __init__(self, arm: Arm, things: Mapping[int, str], movers: Mapping[int, str]) -> None:
        self.arm = arm
        self.things = things
        self.names = dict(things) | dict(movers)
        self.data = arm.simulation.data
        self.solids = Solids(arm.simulation)

    # The skills.

    def pick(self, spot: Spot) -> str:
        """Close the fingers on the thing at a place and lift it."""
        self._free_hand()
        if spot.body not in self.things:
            raise ActionError(f"there is nothing to pick up at {_mm(spot.point)}; aim at a loose thing")
        centre = self.data.xpos[spot.body]
        angle, half = self._grasp(spot.body)
        over = Pose(centre[0], centre[1], max(HOVER, centre[2] + 0.09), angle)
        there, down, up, home = self.arm.plan(over, over.lifted(max(LOWEST, centre[2])), over, HOME)
        self.arm.open(half + MARGIN, count=1)
        self.arm.follow(there)
        self.arm.follow(down)
        self.arm.close()
        self.arm.follow(up)
        self._end(home)
        held = self.arm.held()
        if held is None:
            self.arm.close(1)
            return f"The {self.things[spot.body]} was not grasped."
        return f"Holding the {self.names.get(held, 'table')}."

    def place(self, spot: Spot) -> str:
        """Put what is held down at a place."""
        held = self.arm.held()
        if held is None or held not in self.things:
            raise ActionError("there is nothing in the hand to place; pick something up first")
        x, y = spot.point[:2]
        edge = 0.8 * self.solids.half_width(held)
        steps = (-edge, 0.0, edge)
        ground = max(self.solids.surface(x + dx, y + dy, held) for dx in steps for dy in steps)
        offset = self.data.xpos[held] - self.arm.tip
        below = self.solids.half_height(held) - offset[2]
        walls, x, y, angle = self._room_to_open(x, y, offset, held)
        z = max(ground + below + 0.002, walls + PAD + 0.002, LOWEST)
        over = Pose(x, y, max(HOVER, z + 0.06), angle)
        there, down, back, home = self.arm.plan(over, over.lifted(z), over, HOME)
        self.arm.follow(there)
        self.arm.follow(down)
        self.arm.rest()
        self.arm.open(self.arm.opening / 2 + MARGIN, LETTING_GO)
        self.arm.follow(back)
        self.arm.close(1)
        self._end(home)
        return f"Placed the {self.things[held]}."

    def push(self, spot: Spot, to: Spot) -> str:
        """Push what is at a place until its middle is at another place."""
        self._free_hand()
        start = self.data.xpos[spot.body] if spot.body in self.things else spot.point
        line = to.point[:2] - start[:2]
        length = float(np.linalg.norm(line))
        if not 0.005 <= length <= LONGEST_PUSH:
            raise ActionError(f"a push is 5 to {1000 * LONGEST_PUSH:.0f} mm long, this would be {1000 * length:.0f}")
        along = line / length
        extent = self.solids.extent(spot.body, along) if spot.body in self.things else 0.0
        begin = start[:2] - along * (extent + 0.028)
        end = start[:2] + along * (length - extent - 0.011)
        # The closed fingers stand side by side across the way.
        angle = self._half_turns(math.atan2(along[1], along[0]) + math.pi / 2, *begin)
        low = Pose(begin[0], begin[1], PUSH_HEIGHT, angle)
        last = Pose(end[0], end[1], PUSH_HEIGHT, angle, PUSH_SPEED)
        ways = self.arm.plan(low.lifted(HOVER), low, last, last.lifted(HOVER), HOME)
        for way in ways[:3]:
            self.arm.follow(way)
        self.arm.rest()
        if self.arm.held() is not None:  # what was pressed in between the closed fingers would be carried away
            self.arm.open(MARGIN, LETTING_GO)
        self.arm.follow(ways[3])
        self.arm.close(1)
        self._end(ways[4])
        return f"Pushed the {self.things[spot.body]}." if spot.body in self.things else "Pushed."

    def press(self, spot: Spot) -> str:
        """Press down with closed fingers."""
        self._free_hand()
        x, y, z = spot.point
        over = Pose(x, y, max(HOVER, z + 0.05), self._square(x, y))
        there, down, up, home = self.arm.plan(over, over.lifted(max(z - DEEP, 0.0) + PAD), over, HOME)
        self.arm.follow(there)
        self.arm.follow(down)
        self.arm.rest()
        self.arm.follow(up)
        self._end(home)
        return f"Pressed the {self.names.get(spot.body, 'table')}."

    def pull(self, spot: Spot, to: Spot) -> str:
        """Close the fingers on a handle, move it towards another place, and let go."""
        self._free_hand()
        handle = self._mover(spot, "pull")
        way = to.point[:2] - handle[:2]
        length = float(np.linalg.norm(way))
        if not 0.005 <= length <= LONGEST_PUSH:
            raise ActionError(f"a pull is 5 to {1000 * LONGEST_PUSH:.0f} mm long, this would be {1000 * length:.0f}")
        x, y, z = handle
        angle = self._half_turns(math.atan2(way[1], way[0]), x, y)
        over, last = Pose(x, y, HOVER, angle), Pose(x + way[0], y + way[1], z, angle)
        ways = self.arm.plan(over, over.lifted(z), last, last.lifted(HOVER), HOME)
        self.arm.open(FINGER / 2 + MARGIN, count=1)
        self.arm.follow(ways[0])
        self.arm.follow(ways[1])
        self.arm.close()
        self.arm.follow(ways[2])
        self.arm.open(FINGER / 2 + MARGIN, LETTING_GO)
        self.arm.follow(ways[3])
        self.arm.close(1)
        self._end(ways[4])
        return f"Pulled the {self.names[spot.body]}."

    def turn(self, spot: Spot, degrees: float) -> str:
        """Close the fingers on a knob, turn it counter-clockwise, and let go."""
        self._free_hand()
        x, y, z = self._mover(spot, "turn")
        if not 5 <= abs(degrees) <= 180:
            raise ActionError(f"a turn is 5 to 180 degrees to either side, got {degrees:g}")
        axis = self.data.xmat[spot.body].reshape(3, 3)[:, 0]
        across = math.atan2(axis[1], axis[0]) + math.pi / 2
        by = math.radians(degrees)
        # Of both ways to close on it, the one whose middle needs the least turn of the hand.
        angle = self._half_turns(across + by / 2, x, y) - by / 2
        over = Pose(x, y, HOVER, angle)
        down = over.lifted(z)
        turned = Pose(x, y, z, angle + by)
        ways = self.arm.plan(over, down, turned, turned.lifted(HOVER), HOME)
        self.arm.open(FINGER / 2 + MARGIN, count=1)
        self.arm.follow(ways[0])
        self.arm.follow(ways[1])
        self.arm.close()
        self.arm.follow(ways[2])
        self.arm.rest()
        self.arm.open(FINGER / 2 + MARGIN, LETTING_GO)
        self.arm.follow(ways[3])
        self.arm.close(1)
        self._end(ways[4])
        return f"Turned the {self.names[spot.body]}."

    # What they have in common.

    def _room_to_open(self, x: float, y: float, offset: Array, held: int) -> tuple[float, float, float, float]:
        """Where the hand is to be for what it holds to be at (x, y), square to the table, and what its fingers meet.

        Height of the highest surface under the opening fingers, x, y and angle: the lowest one of both ways to stand.
        """
        first = self._square(x, y)
        choices = []
        for angle in (first, first + math.copysign(math.pi / 2, self._ahead(x, y) - first)):
            # Where the thing is in the hand stays the same while the hand turns.
            cos, sin = math.cos(angle - self.arm.pose.angle), math.sin(angle - self.arm.pose.angle)
            at = x - cos * offset[0] + sin * offset[1], y - sin * offset[0] - cos * offset[1]
            inner = self.arm.opening / 2 + MARGIN
            asides = [side * far for side in (-1, 1) for far in (inner, inner + FINGER)]
            walls = max(
                self.solids.surface(at[0] + aside * math.cos(angle), at[1] + aside * math.sin(angle), held)
                for aside in asides
            )
            choices.append((walls, *at, angle))
        return choices[0] if choices[0][0] < choices[1][0] + ROUGH else choices[1]

    def _free_hand(self) -> None:
        held = self.arm.held()
        if held is not None and held in self.things:
            raise ActionError(f"the hand holds the {self.things[held]}; place it first")

    def _mover(self, spot: Spot, verb: str) -> Array:
        """Where the handle is that a body is moved by."""
        if spot.body not in self.names or spot.body in self.things:
            raise ActionError(f"there is nothing to {verb} at {_mm(spot.point)}; aim at a handle")
        handle: Array = self.data.xpos[spot.body].copy()
        return handle

    def _end(self, home: Array) -> None:
        self.arm.follow(home)
        self.arm.rest()

    def _square(self, x: float, y: float) -> float:
        """The direction along the table's sides that turns the hand least."""
        return self._nearest(0.0, math.pi / 2, x, y)

    def _half_turns(self, angle: float, x: float, y: float) -> float:
        return self._nearest(angle, math.pi, x, y)

    def _nearest(self, angle: float, period: float, x: float, y: float) -> float:
        """Of the angles that differ by whole periods, the one that needs the least turn of the hand there."""
        ahead = self._ahead(x, y)
        return ahead + (angle - ahead + period / 2) % period - period / 2

    def _ahead(self, x: float, y: float) -> float:
        """The closing direction of an unturned hand there."""
        base = self.arm.kinematics.base
        return math.atan2(x - base[0], base[1] - y)

    def _grasp(self, body: int) -> tuple[float, float]:
        """The direction in which to close on a thing, and half its width there: where a finger has room first."""
        x, y, _ = self.data.xpos[body]
        choices = []
        for angle, half in self.solids.widths(body, self._ahead(x, y)):
            near = self._half_turns(angle, x, y)
            aside = (half + MARGIN + FINGER) * np.array([math.cos(near), math.sin(near)])
            places = [self.data.xpos[body][:2] + side * aside for side in (-1, 1)]
            others = [(self.data.xpos[o][:2], self.solids.half_width(o)) for o in self.things if o != body]
            room = min((math.dist(at, place) - width for place, width in others for at in places), default=1.0)
            choices.append((min(room, 0.02), -half, -abs(near - self._ahead(x, y)), near, half))
        if not choices:
            raise ActionError(f"the {self.things[body]} is too wide for the hand as it lies")
        *_, angle, half = max(choices)
        return angle, half


def _mm(point: Array) -> str:
    return f"({1000 * point[0]:.0f}, {1000 * point[1]:.0f}) mm"
