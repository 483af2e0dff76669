"""The rows that the workloads read."""

import os
import subprocess

from workload import CHANGED_ROWS, DELETED_ROWS, ROWS, TIME

# VACUUM makes the planner's choice and the visibility map the same in every run.
FILL = f"""
TRUNCATE items RESTART IDENTITY;
INSERT INTO items (name, description, created_at, updated_at)
SELECT 'Item ' || lpad(number::text, 6, '0'), 'Number ' || lpad(number::text, 6, '0') || ' of the items that are read',
    '{TIME}', '{TIME}'
FROM generate_series(1, {ROWS + CHANGED_ROWS + DELETED_ROWS}) AS number;
VACUUM (ANALYZE) items;
"""


def psql(commands):
    """Returns the output of psql, in the database that DB_* names."""
    place = ["-h", os.environ["DB_HOST"], "-U", os.environ["DB_USER"], "-d", os.environ["DB_NAME"]]
    command = ["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", *place]
    # Variables named PG* would change libpq's settings.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    done = subprocess.run(command, env=environment, input=commands, text=True, check=True, stdout=subprocess.PIPE)
    return done.stdout.strip()


def prepare(binary):
    """Brings the schema up to date and replaces all items."""
    subprocess.run([binary, "migrate"], check=True, stdout=subprocess.DEVNULL)
    fill()


def fill():
    """Replaces all items: before each tool, because the requests of both delete the same ones."""
    psql(FILL)


def version():
    return psql("SHOW server_version").split()[0]
