import xml.etree.ElementTree as ElementTree

import pytest

from bench import plot
from bench.failure import Failure

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def curve(sample, record):
    return record(
        *(
            sample(program=program, connections=count, rate=1000.0 * count, p99_ms=0.2 * count)
            for program in ("items", "hyper")
            for count in (1, 8, 64)
        )
    )


def test_the_plot_is_well_formed_although_titles_hold_brackets(curve):
    root = ElementTree.fromstring(plot.draw(curve, "item"))
    assert root.tag == SVG + "svg"
    assert "hyper <0.14>" in {element.text for element in root.iter(SVG + "text")}


def test_every_program_has_a_line_in_both_panels(curve):
    root = ElementTree.fromstring(plot.draw(curve, "item"))
    lines = [element.get("points").split() for element in root.iter(SVG + "polyline")]
    assert [len(points) for points in lines] == [3, 3, 3, 3]


def test_every_point_lies_within_the_picture(curve):
    root = ElementTree.fromstring(plot.draw(curve, "item"))
    for line in root.iter(SVG + "polyline"):
        for x, y in (map(float, point.split(",")) for point in line.get("points").split()):
            assert 0 <= x <= float(root.get("width"))
            assert plot.TOP <= y <= plot.TOP + plot.PANEL_HEIGHT


def test_the_text_has_a_colour_for_dark_ground(curve):
    assert "prefers-color-scheme: dark" in plot.draw(curve, "item")


def test_void_samples_are_not_drawn(sample, record):
    made = record(sample(connections=1), sample(connections=8), sample(connections=64, refused=1))
    assert plot.series(made, "item") == {"items": [(1, 1000.0, 1.5), (8, 1000.0, 1.5)]}


def test_one_number_of_connections_makes_no_plot(sample, record):
    with pytest.raises(Failure, match="two numbers of connections"):
        plot.draw(record(sample()), "item")


@pytest.mark.parametrize(
    ("highest", "steps"), [(4, [0, 1, 2, 3, 4]), (87, [0, 50, 100]), (130000, [0, 50000, 100000, 150000]), (0, [0])]
)
def test_steps_are_round_and_reach_the_highest(highest, steps):
    assert plot.round_steps(highest) == pytest.approx(steps)


def test_powers_of_ten_enclose_the_values():
    assert plot.powers(0.3, 12) == pytest.approx([0.1, 1, 10, 100])


@pytest.mark.parametrize(("value", "text"), [(0.1, "0.1"), (64, "64"), (50000, "50k"), (2500, "2.5k")])
def test_thousands_are_abbreviated(value, text):
    assert plot.label(value) == text
