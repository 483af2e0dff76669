"""The items service implemented with Flask and psycopg2."""

import contextlib
import os
import sys
import threading
import time

import flask
import orjson
import psycopg2
from flask.json.provider import JSONProvider
from psycopg2.extras import RealDictCursor
from psycopg2.pool import ThreadedConnectionPool

COLUMNS = "id, name, description, created_at, updated_at"
LIMIT, LIMIT_MAX = 100, 1000


class FastJSON(JSONProvider):
    """Flask's own provider is several times slower and formats timestamps differently."""

    def dumps(self, value, **options):
        return orjson.dumps(value).decode()

    def loads(self, text, **options):
        return orjson.loads(text)

    def response(self, *values, **members):
        body = orjson.dumps(self._prepare_response_obj(values, members))
        return flask.Response(body, mimetype="application/json")


app = flask.Flask(__name__)
app.json = FastJSON(app)
opening = threading.Lock()
connections = None


def pool():
    """Returns the pool, opened in the worker process: connections do not survive a fork."""
    global connections
    with opening:
        if connections is None:
            size = int(os.environ.get("POOL_SIZE", "3"))
            # If the minimum were below the maximum, the pool would close connections above it when they are returned,
            # and most requests would open a new one.
            connections = ThreadedConnectionPool(
                size,
                size,
                host=os.environ.get("DB_HOST", "127.0.0.1"),
                port=os.environ.get("DB_PORT", "5432"),
                dbname=os.environ.get("DB_NAME", "items"),
                user=os.environ.get("DB_USER", "items"),
                password=os.environ.get("DB_PASSWORD") or None,
            )
    return connections


@contextlib.contextmanager
def cursor():
    """Yields a cursor for one statement that commits by itself: no round trips for BEGIN and COMMIT."""
    connection, lost = pool().getconn(), False
    try:
        connection.autocommit = True
        with connection.cursor(cursor_factory=RealDictCursor) as opened:
            yield opened
    except (psycopg2.OperationalError, psycopg2.InterfaceError):
        lost = True
        raise
    finally:
        pool().putconn(connection, close=lost)


def row(statement, *values):
    with cursor() as opened:
        opened.execute(statement, values)
        return opened.fetchone()


if os.environ.get("ACCESS_LOG", "1") != "0":

    @app.before_request
    def begin():
        flask.g.began = time.perf_counter()

    @app.after_request
    def record(response):
        line = {
            "timestamp": time.time(),
            "level": "INFO",
            "method": flask.request.method,
            "path": flask.request.path,
            "status": response.status_code,
            "response_time_ms": round((time.perf_counter() - flask.g.began) * 1000, 3),
        }
        sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
        sys.stdout.buffer.flush()
        return response


def refuse(status, detail):
    return {"status": status, "detail": detail}, status


@app.get("/")
def root():
    return {"service": "items", "version": "1.0.0"}


@app.get("/health")
def health():
    try:
        row("SELECT 1")
    except psycopg2.Error:
        return {"status": "unhealthy"}, 503
    return {"status": "healthy"}


@app.get("/api/items")
def page():
    limit = flask.request.args.get("limit", LIMIT, type=int)
    with cursor() as opened:
        opened.execute(f"SELECT {COLUMNS} FROM items ORDER BY id LIMIT %s", (max(1, min(limit, LIMIT_MAX)),))
        return {"items": opened.fetchall()}


@app.get("/api/items/<int:number>")
def find(number):
    found = row(f"SELECT {COLUMNS} FROM items WHERE id = %s", number)
    return found or refuse(404, "no such item")


@app.post("/api/items")
def create():
    body = flask.request.get_json(silent=True)
    name = body.get("name") if isinstance(body, dict) else None
    if not isinstance(name, str) or not name:
        return refuse(422, "name is required")
    statement = f"INSERT INTO items (name, description) VALUES (%s, %s) RETURNING {COLUMNS}"
    return row(statement, name, body.get("description")), 201
