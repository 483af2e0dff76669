"""The rows that the workloads read."""

import os
import subprocess

from workload import ROWS

# VACUUM: the planner's choice and the visibility map are the same in every run.
FILL = f"""
TRUNCATE items RESTART IDENTITY;
INSERT INTO items (name, description)
SELECT 'Item ' || lpad(number::text, 6, '0'), 'Number ' || lpad(number::text, 6, '0') || ' of the items that are read'
FROM generate_series(1, {ROWS}) AS number;
VACUUM (ANALYZE) items;
"""


def prepare(binary):
    """Brings the schema up to date and replaces all items of the database that DB_* names."""
    subprocess.run([binary, "migrate"], check=True, stdout=subprocess.DEVNULL)
    environment = os.environ
    place = ["-h", environment["DB_HOST"], "-U", environment["DB_USER"], "-d", environment["DB_NAME"]]
    command = ["psql", "-qX", "-v", "ON_ERROR_STOP=1", *place]
    subprocess.run(command, input=FILL, text=True, check=True, stdout=subprocess.DEVNULL)
