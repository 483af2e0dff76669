"""The objects that prepared statements depend on change: a column's type, the tables, or the statements themselves."""

import time

from scenario import scenario
from world import direct

from support.postgresql import run as execute

MOMENT = 0.7  # seconds after a change in which requests may fail


def tables(admin):
    """Returns the names of all tables that the service has created."""
    rows = admin.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
    return [name for (name,) in rows]


def change_type(run, type):
    """Changes the type without rewriting the table, so the lock is short; the plans of all open
    connections become invalid."""
    with run.cluster.connect("items") as admin:
        admin.execute(f"ALTER TABLE items ALTER COLUMN name TYPE {type}")


@scenario("column-type", direct, quick=True, mixes=True, reads_fail=False)
def column_type(run):
    """A column's type changes, and changes back: 0A000, "cached plan must not change result type"."""
    run.fault("name becomes varchar(300)")
    change_type(run, "varchar(300)")
    run.healed(what="changed")
    soon_all_is_well(run)
    run.note("name becomes text again")
    change_type(run, "text")
    run.healed(what="changed back")
    soon_all_is_well(run)


def soon_all_is_well(run):
    """Checks that no request fails after MOMENT, when the service has replaced every affected connection."""
    run.pause(MOMENT)
    begin = time.monotonic()
    run.pause(0.5, 0.8)
    run.none_fail_between.append((begin, time.monotonic()))


@scenario("column-type-often", direct, mixes=True)
def column_type_often(run):
    """The same, repeatedly and faster than connections are replaced."""
    run.fault("name becomes varchar(300) and text in turn")
    for _ in range(run.rng.randint(4, 8)):
        change_type(run, "varchar(300)")
        run.pause(0.02, 0.2)
        change_type(run, "text")
        run.pause(0.02, 0.2)
    run.healed(what="text, for good")


@scenario("statements-forgotten", direct, quick=True, mixes=True)
def statements_forgotten(run):
    """Sessions lose their prepared statements, as after a pooler's DISCARD ALL: SQLSTATE 26000."""
    # Only the session itself can deallocate its statements, so a trigger does it.
    with run.cluster.connect("items") as admin:
        admin.execute(
            """
            CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF random() < 0.2 THEN DEALLOCATE ALL; END IF;
                RETURN NULL;
            END $$;
            """
        )
        run.fault("DEALLOCATE ALL after one insert of five")
        admin.execute("CREATE TRIGGER forget AFTER INSERT ON items EXECUTE FUNCTION forget()")
        run.pause(1.5, 2)
        admin.execute("DROP TRIGGER forget ON items")
        admin.execute("DROP FUNCTION forget")
    run.healed(what="the trigger is removed")


def unmigrated(world):
    """Starts the service with MIGRATE_ON_START=0."""
    direct(world)
    world.service.stop()
    world.serve(MIGRATE_ON_START="0")


@scenario("schema-restored", unmigrated, mixes=True, known_within=1.0)
def schema_restored(run):
    """An operator dumps the tables, drops them, and restores the dump."""
    cluster = run.cluster
    place = ["--host", cluster.directory, "--port", cluster.port, "--username", "postgres", "--dbname", "items"]
    dump = cluster.directory / "dump.sql"
    with cluster.connect("items") as admin, admin.transaction():
        # The lock delays writes, so that none is acknowledged that the dump does not contain; the dump
        # itself only reads.
        names = tables(admin)
        admin.execute(f"LOCK TABLE {', '.join(names)} IN SHARE MODE")
        execute(cluster.bin / "pg_dump", "--file", dump, *[f"--table={name}" for name in names], *place)
        run.fault("the tables are dropped")
        admin.execute(f"DROP TABLE {', '.join(names)}")
    run.away("they are gone")
    run.pause(2, 3)
    execute(cluster.bin / "psql", "--no-psqlrc", "--quiet", "--single-transaction", "--file", dump, *place)
    run.healed(what="they are restored")


@scenario("schema-dropped", direct, mixes=True, forgets=True, goal=2.0)
def schema_dropped(run):
    """The tables are dropped for good: the service creates them again, as it does at a start."""
    with run.cluster.connect("items") as admin, admin.transaction():
        names = ", ".join(tables(admin))
        admin.execute(f"LOCK TABLE {names}")
        query = "SELECT name, count(*) FROM items WHERE name LIKE %s GROUP BY name"
        run.stored = dict(admin.execute(query, [f"{run.tag}-%"]).fetchall())
        run.fault("the tables are dropped")
        admin.execute(f"DROP TABLE {names}")
    run.healed(what="the service can create them again")
    run.pause(1, 2)
