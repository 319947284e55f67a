"""Houses and the ways through them, by hand and by chance."""

import math

import numpy as np
import pytest

from saccade.envs.embodied.rover.houses import DOOR, ROOM, WALL, Door, House, Thing, draw_rooms
from saccade.envs.embodied.rover.ways import Ground, near

HALF = ROOM // 2
ROBOT = (0, 0, 0)


def test_a_room_has_four_walls():
    assert set(House(ROBOT, ((0, 0),)).walls()) == {
        (HALF, -HALF, HALF, HALF),
        (-HALF, -HALF, -HALF, HALF),
        (-HALF, HALF, HALF, HALF),
        (-HALF, -HALF, HALF, -HALF),
    }


def test_a_door_leaves_a_wall_on_both_sides_and_a_wide_one_none():
    rooms = ((0, 0), (1, 0))
    walls = House(ROBOT, rooms, (Door(0, 1, 200),)).walls()
    assert len(walls) == 8 and len(set(walls)) == 8
    assert (HALF, -HALF, HALF, 200 - DOOR // 2) in walls and (HALF, 200 + DOOR // 2, HALF, HALF) in walls
    assert len(House(ROBOT, rooms).walls()) == 7  # the wall between them, once
    assert len(House(ROBOT, rooms, (Door(0, 1, 0, ROOM),)).walls()) == 6


def test_places_are_in_rooms():
    house = House(ROBOT, ((0, 0), (0, -1)))
    assert house.room_of(0, -HALF + 1) == 0 and house.room_of(0, -HALF - 1) == 1
    assert house.room_of(0, HALF + 1) is None
    assert house.bounds() == (-HALF, -1.5 * ROOM, HALF, HALF)


def test_houses_hang_together():
    rng = np.random.default_rng(0)
    for count in (1, 2, 3, 4):
        for _ in range(10):
            rooms, doors = draw_rooms(rng, count)
            assert len(set(rooms)) == count and len(doors) == count - 1
            assert [door.other for door in doors] == list(range(1, count))
            assert all(math.dist(rooms[door.one], rooms[door.other]) == 1 for door in doors)


def test_clearance_is_to_the_nearest_surface():
    ground = Ground.of(House(ROBOT, ((0, 0),), things=(Thing("red", "ball", 500, 0, 100),)))
    wall = (HALF - WALL) / 1000
    places = np.array([[0.0, 0.0], [0.9, 0.0], [0.5, 0.0], [0.0, 1.0], [-1.2, -1.1]])
    assert ground.clearance(places) == pytest.approx([0.4, 0.3, -0.1, wall - 1.0, wall - 1.2])
    assert ground.free((0, 0), (0.2, 0), 0.19) and not ground.free((0, 0), (0.2, 0), 0.21)
    assert not ground.free((0, 0), (1, 0), 0.01)


def test_a_way_leads_through_the_door_and_around_things():
    house = House(ROBOT, ((0, 0), (1, 0)), (Door(0, 1, 500),), (Thing("red", "cube", 1700, 500, 100),))
    ground, here = Ground.of(house), (0.0, -0.5)
    stops = [here]
    while math.dist(stops[-1], (2.6, 0.0)) > 0.3:
        stop = ground.next_stop(stops[-1], near((2.6, 0.0), 0, 0.3), 0.2)
        assert stop and ground.free(stops[-1], stop, 0.2)
        stops.append(stop)
        assert len(stops) < 8
    assert len(stops) >= 3  # there is no straight way


def test_there_is_no_way_through_a_wall_and_none_to_what_is_full():
    ground = Ground.of(House(ROBOT, ((0, 0), (1, 0))))
    assert ground.next_stop((0, 0), near((2.6, 0), 0, 0.3), 0.3) is None
    assert ground.next_stop((0, 0), near((1.3, 0), 0, 0.1), 0.3) is None


def test_who_stands_too_close_may_leave():
    ground = Ground.of(House(ROBOT, ((0, 0),)))
    stop = ground.next_stop((1.05, 0.0), near((0.0, 0.0), 0, 0.2), 0.38)
    assert stop and stop[0] < 1.05
