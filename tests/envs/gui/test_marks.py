import numpy as np

from saccade.envs.gui.marks import COLOURS, draw_marks
from saccade.envs.gui.tree import read_tree

ELEMENTS = read_tree('- button "A" [ref=e7] [box=40,30,20,10]\n- button "B" [ref=e8] [box=40,45,20,10]').elements


def test_frames_and_labels_are_drawn_and_nothing_else():
    blank = np.full((100, 120, 3), 255, np.uint8)
    drawn = draw_marks(blank, ELEMENTS)
    assert (blank == 255).all(), "the picture that was given is left alone"
    assert tuple(drawn[30, 45]) == COLOURS[0] and tuple(drawn[54, 59]) == COLOURS[1]
    assert (drawn[31:39, 41:59] == 255).all(), "what is inside stays readable"
    rows, columns = np.nonzero((drawn != 255).any(2))
    assert rows.min() >= 28 and rows.max() <= 60 and columns.min() >= 20 and columns.max() <= 85


def test_boxes_are_scaled_with_the_picture():
    drawn = draw_marks(np.full((200, 240, 3), 255, np.uint8), ELEMENTS[:1], scale=2.0)
    assert tuple(drawn[60, 90]) == COLOURS[0] and tuple(drawn[79, 119]) == COLOURS[0]


def test_labels_stay_in_the_picture():
    corner = read_tree('- button "A" [ref=e100] [box=0,0,30,12]\n- button "B" [ref=e101] [box=-20,5,40,90]').elements
    assert draw_marks(np.full((14, 32, 3), 255, np.uint8), corner).shape == (14, 32, 3)


def test_the_same_marks_are_the_same_pixels():
    blank = np.full((100, 120, 3), 255, np.uint8)
    assert np.array_equal(draw_marks(blank, ELEMENTS), draw_marks(blank, ELEMENTS))
