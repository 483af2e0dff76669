"""The default address of a new instance: the port and the base path of its user data."""

import pytest

from instance_refresh import command, group, userdata

GIVEN = ["--group", "g", "--image", "r/i:1", "--smoke", "http://s"]

TEXTS = [
    ("ITEMS_IMAGE='r/i:1'\n", ":5001"),
    ("ITEMS_PORT='8000'\n", ":8000"),
    ("ITEMS_PORT='5001'\nITEMS_SETTINGS='BASE_PATH=/career DB_POOL_MAX=10'\n", ":5001/career"),
    ("ITEMS_SETTINGS='DB_POOL_MAX=10 LOG_LEVEL=info'\n", ":5001"),
    ('ITEMS_SETTINGS="LOG_LEVEL=info BASE_PATH=/a/b"\n', ":5001/a/b"),
    ("ITEMS_SETTINGS='HEALTH_BASE_PATH=/x'\n", ":5001"),
]


@pytest.mark.parametrize("text, place", TEXTS)
def test_the_user_data_gives_port_and_base_path(text, place):
    assert userdata.place(text) == place


@pytest.mark.parametrize(
    "words, wanted",
    [
        ([], "http://{private_ip}:8000/career"),
        (["--run-command"], "http://127.0.0.1:8000/career"),
        (["--run-command", "http://127.0.0.1:9000"], "http://127.0.0.1:9000"),
        (["--instance-url", "http://{instance_id}.internal"], "http://{instance_id}.internal"),
        (["--instance-url", "none"], None),
    ],
)
def test_a_given_address_takes_precedence(words, wanted):
    options = command.parse([*GIVEN, *words])
    text = "ITEMS_PORT='8000'\nITEMS_SETTINGS='BASE_PATH=/career'\n"
    assert group.instance_address(options, text) == wanted
