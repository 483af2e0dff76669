"""Stand-ins for the images of PostgreSQL and Prometheus that compose.yaml names, of this machine's own programs.

They take what the real ones take in that file: PostgreSQL its variables, its volume and its user, Prometheus its
configuration and its volume. Prometheus' health check is not among it: Debian's promtool does not know the command.
"""

import pathlib
import re
import shutil
import subprocess

from engine import Missing

from support.postgresql import Missing as MissingCluster
from support.postgresql import binaries

BUILD_SECONDS = 120

ENTRYPOINT = """#!/bin/sh
set -eu
if [ "$(id -u)" = 0 ]; then
    chown postgres "$PGDATA"
    exec setpriv --reuid=postgres --regid=postgres --clear-groups "$0"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" \\
        --auth-local=trust --auth-host=scram-sha-256 --no-sync
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    pg_ctl start --wait --options="-c listen_addresses="
    createdb --host=/var/run/postgresql --username="$POSTGRES_USER" "$POSTGRES_DB"
    pg_ctl stop --wait
fi
exec postgres -c "listen_addresses=*"
"""

POSTGRESQL = """FROM {debian}
COPY files/ /
RUN ldconfig /collected && useradd --uid 999 --user-group postgres \\
    && install --directory --owner=postgres /var/run/postgresql /var/lib/postgresql/data
ENV PATH={binaries}:$PATH PGDATA=/var/lib/postgresql/data
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
ENTRYPOINT ["/entrypoint"]
"""

PROMETHEUS = """FROM {debian}
COPY files/ /
RUN install --directory --owner=nobody /prometheus
USER nobody
VOLUME /prometheus
ENTRYPOINT ["/bin/prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
"""


def build(engine, name, recipe, fill):
    """An image of the files that `fill` puts into a directory."""
    context = engine.directory / "neighbour"
    shutil.rmtree(context, ignore_errors=True)
    (context / "files").mkdir(parents=True)
    fill(context / "files")
    (context / "Dockerfile").write_text(recipe)
    engine.build("--tag", name, context, seconds=BUILD_SECONDS)
    shutil.rmtree(context)


def make_postgresql(engine, debian, name):
    try:
        programs = binaries()
    except MissingCluster as missing:
        raise Missing(f"{missing} are not installed") from missing
    home = programs.parent
    shared = pathlib.Path("/usr/share/postgresql") / home.name
    if not shared.is_dir():
        raise Missing("PostgreSQL is not installed as Debian has it")

    def fill(files):
        for source in (programs, home / "lib", shared):
            ignored = shutil.ignore_patterns("bitcode", "llvmjit*")
            shutil.copytree(source, files / source.relative_to("/"), ignore=ignored)
        (files / "collected").mkdir()
        linked = subprocess.run(
            ["ldd", *(programs / program for program in ("postgres", "initdb", "psql", "pg_isready"))],
            capture_output=True,
            text=True,
        )
        for library in set(re.findall(r"=> (/\S+)", linked.stdout)):
            # The base has its own libc, which belongs to its loader.
            if not re.match(r"lib(c|m|dl|rt|pthread|resolv)\.so", pathlib.Path(library).name):
                shutil.copy(library, files / "collected")
        (files / "entrypoint").write_text(ENTRYPOINT)
        (files / "entrypoint").chmod(0o755)

    build(engine, name, POSTGRESQL.format(debian=debian, binaries=programs), fill)


def make_prometheus(engine, debian, name):
    program = shutil.which("prometheus")
    if not program:
        raise Missing("prometheus is not installed")

    def fill(files):
        # Below usr, since /bin is a link in the base.
        (files / "usr/bin").mkdir(parents=True)
        shutil.copy(program, files / "usr/bin/prometheus")

    build(engine, name, PROMETHEUS.format(debian=debian), fill)
