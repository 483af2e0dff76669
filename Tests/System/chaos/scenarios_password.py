"""Passwords and users change under load.

PostgreSQL checks the password of new connections only, so a rotation takes effect when the pool grows or replaces a
connection. The scenarios cause both: a lock on the table delays statements until the pool has grown, and ending every
backend makes the service reconnect. Only requests in flight on a connection that ends may fail.
"""

import time

from aws import SecretsManager
from scenario import scenario
from world import PASSWORD

from support.waiting import until

SECOND = "second-password"
GROW_SECONDS = 0.5


def by_file(world):
    world.make_cluster()
    world.password_file = world.directory / "password"
    world.password_file.write_text(PASSWORD + "\n")
    world.serve(DB_PASSWORD=None, DB_PASSWORD_FILE=str(world.password_file))


def by_secret(world):
    world.make_cluster()
    world.secrets = SecretsManager(world.directory)
    world.stack.callback(world.secrets.close)
    tell(world, "items", PASSWORD)
    world.serve(**nothing_but_the_secret(world))


def by_alternating_users(world):
    """Creates two roles that log in and act as a third role, which owns all objects."""
    world.make_cluster()
    for name in ("items_a", "items_b"):
        world.cluster.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' IN ROLE items")
        world.cluster.execute(f"ALTER ROLE {name} SET role = 'items'")
    world.secrets = SecretsManager(world.directory)
    world.stack.callback(world.secrets.close)
    tell(world, "items_a", PASSWORD)
    world.serve(**nothing_but_the_secret(world))


def nothing_but_the_secret(world):
    # The password in the variables is wrong, so the service cannot do without the secret.
    return {"DB_PASSWORD": "not-the-password", **world.secrets.environment}


def tell(world, user, password):
    cluster = world.cluster
    world.secrets.put(username=user, password=password, host=cluster.address, port=cluster.port, dbname="items")


def replace_file(world, password):
    """Replaces the file atomically, as systemd and Kubernetes do: no reader sees a part of it."""
    fresh = world.password_file.with_suffix(".new")
    fresh.write_text(password + "\n")
    fresh.rename(world.password_file)


def alter(world, user, password):
    world.cluster.execute(f"ALTER ROLE {user} PASSWORD '{password}'")


def grow(run):
    """Checks that the pool opens connections with the current password."""
    before = len(run.cluster.backends())
    most = run.fill_pool(GROW_SECONDS)
    run.check("the pool grew after the change", most > before, f"{before} → {most}")
    run.so_far_no_request_fails()


def reconnect(run):
    run.cluster.terminate()
    run.healed(what="every connection was ended")


@scenario("rotate-file", by_file, quick=True, reads_fail=False, fills=False)
def rotate_file(run):
    """The password changes, and the file that contains it is replaced."""
    run.fault("rotation")
    alter(run.world, "items", SECOND)
    replace_file(run.world, SECOND)
    grow(run)
    reconnect(run)


@scenario("rotate-secret", by_secret, reads_fail=False, fills=False)
def rotate_secret(run):
    """One user: its password changes, then the secret."""
    run.fault("rotation")
    alter(run.world, "items", SECOND)
    tell(run.world, "items", SECOND)
    grow(run)
    reconnect(run)


@scenario("rotate-secret-late", by_secret, fills=False)
def rotate_secret_late(run):
    """One user: connections end after its password changed and before the secret does."""
    run.fault("the role's password changes")
    alter(run.world, "items", SECOND)
    run.cluster.terminate()
    run.pause(1.5, 2.5)
    tell(run.world, "items", SECOND)
    run.healed(what="the secret is up to date")


@scenario("rotate-alternating", by_alternating_users, reads_fail=False, fills=False)
def rotate_alternating(run):
    """Two users: the secret names the other one, then the first one's password changes and its connections end."""
    run.fault("rotation")
    alter(run.world, "items_b", SECOND)
    tell(run.world, "items_b", SECOND)
    grow(run)
    alter(run.world, "items_a", "third-password")
    reconnect(run)
    users = "SELECT DISTINCT usename FROM pg_stat_activity WHERE usename LIKE 'items%'"
    until(lambda: run.cluster.execute(users), 5, what="the service to come back")
    time.sleep(0.5)
    found = [name for (name,) in run.cluster.execute(users)]
    run.check("the other user is used", found == ["items_b"], f"{found}")
