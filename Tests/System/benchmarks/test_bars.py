import xml.etree.ElementTree as ElementTree

import pytest

from bench import __main__ as program
from bench import bars
from bench.failure import Failure

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def run(sample, record):
    return record(
        sample(rate=3000.0),
        sample(program="go", rate=1000.0),
        sample(program="hyper", rate=1500.0),
        sample(program="hyper-1", rate=2000.0),
        sample(workload="root", rate=9000.0),
        sample(workload="root", program="cfloor", rate=10000.0),
    )


def elements(made, kind):
    return list(ElementTree.fromstring(bars.draw(made)).iter(SVG + kind))


def test_own_bars_come_first_and_rivals_from_the_fastest_on(run):
    assert bars.groups(run)["item"] == [("items", 3000.0), ("hyper", 2000.0), ("go", 1000.0)]


def test_only_the_fastest_variant_of_a_rival_is_drawn(run):
    texts = [element.text for element in elements(run, "text")]
    assert "2,000" in texts and "1,500" not in texts and "hyper <0.14>" in texts


def test_the_longest_bar_of_each_group_fills_it(run):
    widths = [float(element.get("width")) for element in elements(run, "rect")]
    room = bars.WIDTH - bars.LEFT - bars.RIGHT
    assert widths == pytest.approx([room, room * 2 / 3, room / 3, room * 0.9, room], abs=0.1)


def test_everything_lies_within_the_picture(run):
    root = ElementTree.fromstring(bars.draw(run))
    assert all(0 < float(element.get("y")) < float(root.get("height")) for element in root if element.get("y"))


def test_the_notes_name_the_options_the_date_and_the_machine(run):
    run.options.update(rounds=5, seconds=2, concurrency=[64])
    run.machine.update(processor="AMD EPYC", cores=2)
    run.started = "2026-11-22T10:00:00Z"
    said = " ".join(bars.notes(run))
    assert "5 rounds of 2 s, 64 connections" in said and "2026-11-22, AMD EPYC, 2 cores" in said


def test_the_text_has_a_colour_for_dark_ground(run):
    assert "prefers-color-scheme: dark" in bars.draw(run)


def test_void_samples_have_no_bar(sample, record):
    assert bars.groups(record(sample(), sample(program="go", refused=1))) == {"item": [("items", 1000.0)]}


def test_a_record_without_samples_makes_no_picture(record):
    with pytest.raises(Failure, match="needs samples"):
        bars.draw(record())


@pytest.mark.parametrize(("connections", "element"), [([64], "<rect"), ([1, 64], "<polyline")])
def test_a_run_over_several_numbers_of_connections_is_a_curve(sample, record, tmp_path, connections, element):
    path = tmp_path / "out.svg"
    program.write_plot(record(*(sample(connections=count) for count in connections)), path)
    assert element in path.read_text()
