"""Inverse kinematics: where it says the hand is, it is; straight, smooth, and refused where out of reach."""

import math

import numpy as np
import pytest

from saccade.envs.embodied.arm.arm import GUESS, HOME
from saccade.envs.embodied.arm.kinematics import NEAR, Kinematics, Pose


@pytest.fixture(scope="module")
def kinematics():
    return Kinematics()


@pytest.mark.parametrize(
    "pose", [HOME, Pose(0.2, -0.2, 0.02, 0.5), Pose(-0.25, 0.1, 0.2, -1.2), Pose(0, 0.15, 0.05, 3)]
)
def test_a_solved_posture_holds_the_pose(kinematics, pose):
    posture = kinematics.solve(pose, GUESS)
    held = kinematics.pose(posture)
    assert math.dist((held.x, held.y, held.z), (pose.x, pose.y, pose.z)) < 2 * NEAR
    assert abs(held.angle - pose.angle) < 0.01
    # The turret looks at the place, and the other angles lie in the vertical plane through it.
    assert posture[0] == pytest.approx(math.atan2(pose.x, 0.42 - pose.y), abs=0.01)
    assert posture[1] + posture[2] + posture[3] == pytest.approx(-math.pi / 2, abs=0.02)


@pytest.mark.parametrize("pose", [Pose(0.5, -0.5, 0.02, 0), Pose(0, 0.42, 0.1, 0), Pose(0, 0, 1.5, 0)])
def test_what_is_out_of_reach_has_no_posture(kinematics, pose):
    assert kinematics.solve(pose, GUESS) is None


def test_a_way_is_straight_and_ends_at_rest(kinematics):
    start = kinematics.solve(Pose(-0.2, -0.2, 0.15, 0), GUESS)
    way = kinematics.way(start, Pose(0.2, -0.1, 0.15, 0.8))
    assert np.abs(way[-1] - way[-2]).max() < 1e-3
    end = kinematics.pose(way[-1])
    assert math.dist((end.x, end.y, end.z), (0.2, -0.1, 0.15)) < 2 * NEAR
    for pose in (kinematics.pose(posture) for posture in way):  # set-points lead the joints by their speed
        assert abs(pose.z - 0.15) < 0.03
        assert abs((pose.y + 0.2) - (pose.x + 0.2) / 4) < 0.03


def test_limits_are_kept(kinematics):
    assert kinematics.allows(GUESS)
    assert not kinematics.allows(GUESS + np.array([0, 5, 0, 0, 0]))
    assert not kinematics.allows(GUESS - np.array([0, 1.2, 0, 0, 0]))  # through the table
