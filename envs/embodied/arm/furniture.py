"""What stands on the table: regions and plates to put things on, boxes to put them in, and what can be worked.

    add_furniture(spec, [Furniture("plate", "blue", -120, 40)])     # body item0, and more bodies for moving parts

Each kind is one function: it adds its geoms to the body `item<i>`, whose origin lies on the table, and hangs what moves
into the body `item<i>_part`, whose origin is where a hand takes it. Lengths are whole millimetres in `Furniture`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saccade.envs.embodied.arm.things import rgba
from saccade.envs.embodied.observe import load_mujoco

WOOD = [0.62, 0.5, 0.38, 1.0]
STEEL = [0.75, 0.76, 0.78, 1.0]
REGION, PLATE, BOX = 0.062, 0.046, 0.058
"""Radius of a region and of a plate, half the inner width of a box, in metres."""
PLATE_HEIGHT, WALL, BOX_HEIGHT = 0.005, 0.005, 0.036
DRAWER_TRAVEL, BUTTON_TRAVEL = 0.07, 0.009


@dataclass(frozen=True)
class Furniture:
    """Something that stays where it is.

    Attributes:
        kind: a name in `KINDS`.
        x, y: its origin.
        yaw: degrees; a drawer opens towards its own -y.
        start: where its moving part begins: for a drawer the share of its way that it is open.
    """

    kind: str
    colour: str
    x: int
    y: int
    yaw: int = 0
    start: float = 0.0

    @property
    def name(self) -> str:
        """As `blue plate`."""
        return f"{self.colour} {self.kind}"


def add_furniture(spec: Any, items: Sequence[Furniture]) -> None:
    """Add a body for each item."""
    types = load_mujoco().mjtGeom
    for index, item in enumerate(items):
        turn = math.radians(item.yaw) / 2
        body = spec.worldbody.add_body(name=f"item{index}", pos=[item.x / 1000, item.y / 1000, 0])
        body.quat = [math.cos(turn), 0, 0, math.sin(turn)]
        KINDS[item.kind](body, types, item)


def radius(kind: str) -> float:
    """Of the circle around an item, in millimetres."""
    return {"region": 62.0, "plate": 46.0, "box": 88.0, "drawer": 125.0, "button": 34.0, "knob": 38.0}[kind]


def _region(body: Any, types: Any, item: Furniture) -> None:
    """A painted disc; nothing collides with it."""
    geom = body.add_geom(type=types.mjGEOM_CYLINDER, size=[REGION, 0.0005, 0], pos=[0, 0, 0.0003])
    geom.rgba = _pale(item.colour)
    geom.contype = geom.conaffinity = 0


def _plate(body: Any, types: Any, item: Furniture) -> None:
    half = PLATE_HEIGHT / 2
    geom = body.add_geom(type=types.mjGEOM_CYLINDER, size=[PLATE, half, 0], pos=[0, 0, half])
    geom.rgba = rgba(item.colour)


def _box(body: Any, types: Any, item: Furniture) -> None:
    colour, half = rgba(item.colour), BOX_HEIGHT / 2
    outer = BOX + WALL
    floor = body.add_geom(type=types.mjGEOM_BOX, size=[outer, outer, 0.0015], pos=[0, 0, 0.0015])
    floor.rgba = [0.75 * each for each in colour[:3]] + [1]
    for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        size = [WALL / 2, outer, half] if x else [outer, WALL / 2, half]
        wall = body.add_geom(type=types.mjGEOM_BOX, size=size)
        wall.pos = [x * (BOX + WALL / 2), y * (BOX + WALL / 2), half]
        wall.rgba = colour


def _drawer(body: Any, types: Any, item: Furniture) -> None:
    """A chest whose drawer slides out along -y, with a bow to pull it by."""
    for x in (-0.05, 0.05):
        side = body.add_geom(type=types.mjGEOM_BOX, size=[0.004, 0.045, 0.026], pos=[x, 0.0, 0.026])
        side.rgba = WOOD
    lid = body.add_geom(type=types.mjGEOM_BOX, size=[0.056, 0.047, 0.003], pos=[0, 0, 0.055])
    lid.rgba = WOOD
    part = body.add_body(name=f"{body.name}_part", pos=[0, -0.092 - item.start * DRAWER_TRAVEL, 0.03])
    joint = part.add_joint(name=f"{body.name}_part", type=load_mujoco().mjtJoint.mjJNT_SLIDE, axis=[0, -1, 0])
    joint.limited = True
    joint.range = [-item.start * DRAWER_TRAVEL, (1 - item.start) * DRAWER_TRAVEL]
    joint.damping, joint.frictionloss, joint.armature = _filled(joint.damping, 3.0), 0.6, 0.05
    part.gravcomp = 1
    colour = rgba(item.colour)
    front = part.add_geom(type=types.mjGEOM_BOX, size=[0.046, 0.004, 0.022], pos=[0, 0.043, -0.003], mass=0.1)
    tray = part.add_geom(type=types.mjGEOM_BOX, size=[0.044, 0.042, 0.002], pos=[0, 0.09, -0.024], mass=0.1)
    bar = part.add_geom(type=types.mjGEOM_BOX, size=[0.032, 0.006, 0.01], pos=[0, 0, 0], mass=0.05)
    rods = [part.add_geom(type=types.mjGEOM_BOX, size=[0.003, 0.02, 0.006], pos=[x, 0.02, 0]) for x in (-0.029, 0.029)]
    front.rgba = bar.rgba = colour
    tray.rgba = STEEL
    for geom in (front, tray, *rods):  # it slides within the chest and over the table
        geom.contype = geom.conaffinity = 0
    for rod in rods:
        rod.rgba, rod.mass = colour, 0.005


def _button(body: Any, types: Any, item: Furniture) -> None:
    socket = body.add_geom(type=types.mjGEOM_CYLINDER, size=[0.034, 0.006, 0], pos=[0, 0, 0.006])
    socket.rgba = STEEL
    part = body.add_body(name=f"{body.name}_part", pos=[0, 0, 0.026], gravcomp=1)
    joint = part.add_joint(name=f"{body.name}_part", type=load_mujoco().mjtJoint.mjJNT_SLIDE, axis=[0, 0, -1])
    joint.limited, joint.range = True, [0, BUTTON_TRAVEL]
    joint.stiffness, joint.damping, joint.armature = _filled(joint.stiffness, 250), _filled(joint.damping, 6.0), 0.1
    cap = part.add_geom(type=types.mjGEOM_CYLINDER, size=[0.023, 0.004, 0], mass=0.05)
    cap.rgba = rgba(item.colour)


def _knob(body: Any, types: Any, item: Furniture) -> None:
    socket = body.add_geom(type=types.mjGEOM_CYLINDER, size=[0.038, 0.005, 0], pos=[0, 0, 0.005])
    socket.rgba = STEEL
    part = body.add_body(name=f"{body.name}_part", pos=[0, 0, 0.028], gravcomp=1)
    joint = part.add_joint(name=f"{body.name}_part", type=load_mujoco().mjtJoint.mjJNT_HINGE, axis=[0, 0, 1])
    joint.damping, joint.frictionloss, joint.armature = _filled(joint.damping, 0.02), 0.03, 0.002
    bar = part.add_geom(type=types.mjGEOM_BOX, size=[0.03, 0.007, 0.016], mass=0.05)
    bar.rgba = rgba(item.colour)
    dot = part.add_geom(type=types.mjGEOM_CYLINDER, size=[0.005, 0.0008, 0], pos=[0.022, 0, 0.0165], mass=0.0001)
    dot.rgba, dot.contype, dot.conaffinity = [1, 1, 1, 1], 0, 0


def _pale(colour: str) -> list[float]:
    """A colour to paint the table with: things of the same colour stand out from it."""
    return [0.45 * channel + 0.55 for channel in rgba(colour)[:3]] + [1.0]


def _filled(field: Any, value: float) -> Any:
    """A value for a field of a joint that is a number in some releases of MuJoCo, and a polynomial in others."""
    return value if not hasattr(field, "__len__") else [value] + [0.0] * (len(field) - 1)


KINDS: Mapping[str, Callable[[Any, Any, Furniture], None]] = {
    "region": _region,
    "plate": _plate,
    "box": _box,
    "drawer": _drawer,
    "button": _button,
    "knob": _knob,
}
