"""Simulation, cameras, marks and jitter on a small world of their own."""

import math

import numpy as np
import pytest

from saccade.envs.embodied.jitter import Jitter
from saccade.envs.embodied.marks import draw_numbers
from saccade.envs.embodied.observe import Canvas, load_mujoco
from saccade.envs.embodied.projection import Projection
from saccade.envs.embodied.simulation import Simulation
from saccade.envs.errors import WorldFailure

XML = """
<mujoco>
  <visual><headlight ambient="1 1 1" diffuse="0 0 0" specular="0 0 0"/></visual>
  <statistic extent="1" center="0 0 0"/>
  <worldbody>
    <camera name="overhead" pos="0 0 2" fovy="45"/>
    <camera name="oblique" pos="0.2 -1.1 0.9" xyaxes="1 0.1 0 -0.05 0.5 0.8" fovy="60"/>
    <geom name="floor" type="plane" size="2 2 0.1" rgba="1 1 1 1"/>
    <body name="ball" pos="0.3 0.2 0.1">
      <joint name="slide" type="slide" axis="1 0 0" damping="1"/>
      <geom name="ball" type="sphere" size="0.1" rgba="1 0 0 1"/>
    </body>
  </worldbody>
  <actuator><position name="drive" joint="slide" kp="50" kv="10"/></actuator>
</mujoco>
"""


def simulation(frames=0):
    return Simulation(load_mujoco().MjSpec.from_string(XML), frames)


@pytest.fixture(scope="module")
def canvas():
    made = Canvas(64)
    yield made
    made.close()


def test_set_points_move_it_and_a_state_continues_bit_for_bit():
    world = simulation()
    world.run(np.full((20, 1), 0.2), 2)
    state = world.state()
    world.run(np.full((20, 1), -0.1), 2)
    after = world.state()
    world.run(np.full((7, 1), 0.5))
    world.set_state(state)
    world.run(np.full((20, 1), -0.1), 2)
    assert np.array_equal(world.state(), after)
    assert world.data.time == pytest.approx(0.16)


def test_places_are_those_of_the_last_step():
    world = simulation()
    world.run(np.full((200, 1), 0.2))
    assert world.data.xpos[1, 0] == pytest.approx(0.3 + world.data.qpos[0], abs=1e-12)
    assert world.data.qpos[0] > 0.1


def test_a_simulation_that_diverges_leaves_all_that_repeats_it():
    world = simulation()
    world.data.qvel[0] = 1e6
    with pytest.raises(WorldFailure, match=r"diverged \(speed .*; (.*) holds") as failure:
        world.run(np.zeros((1, 1)))
    folder = str(failure.value).split("; ")[1].split(" holds")[0]
    mujoco = load_mujoco()
    model = mujoco.MjModel.from_xml_path(f"{folder}/model.xml")
    data = mujoco.MjData(model)
    with np.load(f"{folder}/state.npz") as saved:
        signature = int(mujoco.mjtState.mjSTATE_INTEGRATION.value)
        mujoco.mj_setState(model, data, saved["before"], signature)
        data.ctrl[:] = saved["controls"][0]
        mujoco.mj_step(model, data, int(saved["repeat"]))
        assert data.qpos[0] == world.data.qpos[0]


def test_not_a_number_is_a_failure_of_the_world():
    world = simulation()
    world.data.qvel[0] = math.nan
    with pytest.raises(WorldFailure, match="diverged"):
        world.run(np.zeros((1, 1)))


def test_the_trail_remembers_the_last_instants():
    world = simulation(frames=3)
    world.run(np.full((1000, 1), 0.2))  # 2 s: an instant every 0.1 s
    assert len(world.trail) == 3
    before = world.data.qpos.copy()
    assert world.past(world.trail[0]).xpos[1, 0] == pytest.approx(0.3 + world.trail[0][0])
    assert np.array_equal(world.data.qpos, before)


@pytest.mark.parametrize("camera", ["overhead", "oblique"])
def test_pixels_distances_and_segments_agree_with_the_geometry(canvas, camera):
    world = simulation()
    view = Projection.of(world.model, world.data, camera, 64)
    centre = np.array([0.3, 0.2, 0.1])
    x, y = (round(each) for each in view.pixel(centre))
    pixels = canvas.look(world.model, world.data, camera)
    assert pixels[y, x, 0] > 200
    assert pixels[y, x, 1] < 50
    geoms = canvas.segments(world.model, world.data, camera)
    ball = world.model.geom("ball").id
    assert geoms[y, x] == ball
    red = (pixels[..., 0] > 128) & (pixels[..., 1] < 128)
    assert ((geoms == ball) != red).sum() <= 0.2 * red.sum()  # edges are mixed colours in one and not in the other
    # The ray through the pixel meets the ball where the depth says that it is.
    origin, direction = view.ray(x, y)
    along = (centre - origin) @ direction
    hit = along - math.sqrt(0.1**2 - np.linalg.norm(centre - origin - along * direction) ** 2)
    depth = hit * (direction @ -view.rotation[:, 2])
    assert canvas.distances(world.model, world.data, camera)[y, x] == pytest.approx(depth, abs=2e-3)


def test_a_ray_goes_through_the_pixel_of_each_of_its_points():
    view = Projection(48, 0.4, np.array([0.1, -0.2, 1.5]), np.eye(3))
    for pixel in [(0, 0), (47, 3), (20.5, 31.25)]:
        origin, direction = view.ray(*pixel)
        assert view.pixel(origin + 0.7 * direction) == pytest.approx(pixel)
        assert np.linalg.norm(direction) == pytest.approx(1)


def test_numbers_stand_on_their_things():
    things = np.zeros((64, 64), int)
    things[5:25, 40:60] = 1
    things[40:60, 5:25] = 12
    pixels = np.full((64, 64, 3), 128, np.uint8)
    marked = draw_numbers(pixels, things)
    changed = (marked != 128).any(axis=2)
    assert changed[5:25, 40:60].any()
    assert changed[40:60, 5:25].any()
    assert not changed[things == 0].any()
    assert (pixels == 128).all()


def test_jitter_of_scale_zero_changes_nothing():
    mujoco, world = load_mujoco(), simulation()
    before = world.model.cam_pos.copy(), world.model.cam_quat.copy(), world.model.vis.headlight.ambient.copy()
    Jitter.draw(np.random.default_rng(0), 0.0).apply(mujoco, world.model)
    after = world.model.cam_pos, world.model.cam_quat, world.model.vis.headlight.ambient
    assert all(np.allclose(a, b, atol=1e-15) for a, b in zip(before, after, strict=True))
    Jitter.draw(np.random.default_rng(0), 1.0).apply(mujoco, world.model)
    assert 0 < np.abs(world.model.cam_pos - before[0]).max() < 0.03
