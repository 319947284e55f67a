import numpy as np

from saccade.agents.pictures import Pictures
from saccade.envs.observation import Image


def picture(seed, size=64):
    return Image(np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8))


def test_a_picture_is_processed_once(agent):
    pictures = Pictures(agent.chat.pictures.processor)
    assert pictures.process(picture(0)) is pictures.process(picture(0))
    assert pictures.process(picture(1)) is not pictures.process(picture(0))


def test_the_cache_is_bounded_by_its_bytes(agent):
    one = agent.chat.pictures.process(picture(0)).pixel_values.nbytes
    pictures = Pictures(agent.chat.pictures.processor, capacity=3 * one)
    for seed in range(10):
        pictures.process(picture(seed))
    assert len(pictures._cache) == 3 and pictures._size == 3 * one
    pictures.process(picture(0, size=208))  # larger than the whole cache: kept alone
    assert len(pictures._cache) == 1
