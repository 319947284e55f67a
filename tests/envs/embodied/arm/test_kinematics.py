"""Inverse kinematics: where it says the hand is, it is; straight, smooth, and refused where out of reach."""

import math

import numpy as np
import pytest

from saccade.envs.embodied.arm.arm import HOME
from saccade.envs.embodied.arm.kinematics import MODEL, Kinematics, Pose
from saccade.envs.embodied.observe import load_mujoco

AT_EASE = np.array([0.0, 1.2, -2.0, -0.77, 0.0])


@pytest.fixture(scope="module")
def kinematics():
    return Kinematics()


@pytest.mark.parametrize(
    "pose", [HOME, Pose(0.2, -0.2, 0.02, 0.5), Pose(-0.25, 0.1, 0.2, -1.2), Pose(0, 0.15, 0.05, 3)]
)
def test_a_solved_posture_holds_the_pose(kinematics, pose):
    posture = kinematics.solve(pose)
    held = kinematics.pose(posture)
    assert (held.x, held.y, held.z, held.angle) == pytest.approx((pose.x, pose.y, pose.z, pose.angle))
    # The turret looks at the place, and the other angles lie in the vertical plane through it.
    assert posture[0] == pytest.approx(math.atan2(pose.x, 0.42 - pose.y), abs=1e-9)
    assert posture[1] + posture[2] + posture[3] == pytest.approx(-math.pi / 2, abs=1e-9)


@pytest.mark.parametrize("pose", [HOME, Pose(0.2, -0.2, 0.02, 0.5), Pose(-0.25, 0.1, 0.2, -1.2)])
def test_the_model_agrees(kinematics, pose):
    """Where the simulation itself puts the tip, and the direction in which its fingers close."""
    mujoco = load_mujoco()
    model = mujoco.MjModel.from_xml_path(str(MODEL))
    data = mujoco.MjData(model)
    data.qpos[:5] = kinematics.solve(pose)
    mujoco.mj_kinematics(model, data)
    assert data.site("tip").xpos == pytest.approx([pose.x, pose.y, pose.z], abs=1e-9)
    closing, pointing = data.site("tip").xmat.reshape(3, 3).T[:2]
    assert closing == pytest.approx([math.cos(pose.angle), math.sin(pose.angle), 0], abs=1e-9)
    assert pointing == pytest.approx([0, 0, 1], abs=1e-9)  # its own -y looks down


@pytest.mark.parametrize("pose", [Pose(0.5, -0.5, 0.02, 0), Pose(0, 0.42, 0.1, 0), Pose(0, 0, 1.5, 0)])
def test_what_is_out_of_reach_has_no_posture(kinematics, pose):
    assert kinematics.solve(pose) is None


def test_a_way_is_straight_and_ends_at_rest(kinematics):
    start = kinematics.solve(Pose(-0.2, -0.2, 0.15, 0))
    way = kinematics.way(start, Pose(0.2, -0.1, 0.15, 0.8))
    assert np.abs(way[-1] - way[-2]).max() < 1e-3
    end = kinematics.pose(way[-1])
    assert (end.x, end.y, end.z) == pytest.approx((0.2, -0.1, 0.15))
    for pose in (kinematics.pose(posture) for posture in way):  # set-points lead the joints by their speed
        assert abs(pose.z - 0.15) < 0.03
        assert abs((pose.y + 0.2) - (pose.x + 0.2) / 4) < 0.03


def test_a_way_has_no_posture_out_of_reach(kinematics):
    """Both ends can be reached, the straight line between them leads through the base."""
    ends = Pose(-0.4, 0.42, 0.2, 0), Pose(0.4, 0.42, 0.2, 0)
    start, there = map(kinematics.solve, ends)
    assert start is not None
    assert there is not None
    assert kinematics.way(start, ends[1]) is None


def test_limits_are_kept(kinematics):
    assert kinematics.allows(AT_EASE)
    assert not kinematics.allows(AT_EASE + np.array([0, 5, 0, 0, 0]))
    assert not kinematics.allows(AT_EASE - np.array([0, 1.2, 0, 0, 0]))  # through the table
