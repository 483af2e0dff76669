"""docs/framework.md and README.md: their code compiles, and the page's service behaves as the page shows.

The libraries are those that Examples/Orders was built with, so only the page's own code is compiled here.
"""

import json
import os
import pathlib
import re
import subprocess

import pytest

from support.project import ROOT
from support.server import Server, stop_all


def blocks(page):
    """Returns the language and the text of each code block."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


BLOCKS = blocks("docs/framework.md")
PACKAGE, SERVICE, *FRAGMENTS = [text for language, text in BLOCKS if language == "swift"]
BUILT = pathlib.Path(os.environ.get("ORDERS_BINARY", ROOT / ".build/debug/orders")).absolute().parent

# The declarations that the fragments use, which are elsewhere on the page or in the reader's own sources.
AROUND = {
    "operations": "%s",
    "handler": "func handler(_ app: inout App, _ pool: Pool, _ newest: Statement, _ note: @escaping @Sendable (Row) throws -> Note) {\n%s}\n",
    "transaction": (
        "func transaction(_ app: inout App, _ pool: Pool, _ remove: Statement, _ note: @escaping @Sendable (Row) throws -> Note) {\n%s}\n"
    ),
    "service": "func service() {\n%s}\n",
    "test": "func addNotes(to app: inout App) {}\nfunc test() async throws {\n%s}\n",
}


def compile(source, *options):
    """Compiles one file as SwiftPM does in a release build."""
    maps = [*ROOT.glob("Sources/*/module.modulemap"), *BUILT.glob("*.build/module.modulemap")]
    maps += BUILT.resolve().parents[1].glob("checkouts/*/Sources/*/include/module.modulemap")
    includes = [f"-I{folder}" for folder in (BUILT / "Modules", "/usr/include/postgresql")]
    for path in maps:
        includes += ["-Xcc", f"-fmodule-map-file={path}", "-Xcc", f"-I{path.parent}"]
    command = ["swiftc", "-parse-as-library", "-swift-version", "6", "-module-name", "notes", *includes, source, *options]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return run


@pytest.fixture(scope="module")
def notes(tmp_path_factory):
    """Builds the service of the page and returns the path of its binary."""
    folder = tmp_path_factory.mktemp("notes")
    (folder / "Main.swift").write_text(SERVICE, encoding="utf-8")
    objects = (BUILT / "orders.product/Objects.LinkFileList").read_text(encoding="utf-8").splitlines()
    (folder / "objects").write_text("\n".join(line for line in objects if "/orders.build/" not in line))
    compile(folder / "Main.swift", f"@{folder}/objects", "-lpq", "-lcurl", "-lcrypto", "-o", folder / "notes")
    return folder / "notes"


def test_the_package_manifest_is_valid(tmp_path):
    (tmp_path / "Package.swift").write_text(PACKAGE, encoding="utf-8")
    command = ["swift", "package", "--package-path", tmp_path, "dump-package"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    package = json.loads(run.stdout)
    wanted = {dependency["product"][0] for target in package["targets"] for dependency in target["dependencies"]}
    assert wanted == {"Chassis", "Postgres", "Vial"}


def test_the_service_answers_as_the_page_shows(notes, database):
    class Notes(Server):
        binary = notes

    server = Notes(database.environment)
    try:
        server.wait_until_healthy()
        console = next(text for _, text in BLOCKS if "curl -i" in text)
        body = re.search(r"-d '([^']+)'", console)[1]
        created = server.post("/api/notes", data=body, headers={"Content-Type": "application/json"})
        shown = console[console.index("HTTP/1.1") :].splitlines()
        assert shown[0] == f"HTTP/1.1 {created.status_code} {created.reason}"
        assert f"Location: {created.headers['Location']}" in shown and shown[-1] == created.text
        assert server.get("/api/notes/1").json() == created.json()
        missing = server.get("/api/notes/2")
        assert missing.status_code == 404 and missing.json()["detail"] == "There is no such resource."
    finally:
        stop_all([server])


def test_every_other_block_compiles(tmp_path):
    found = {"operations": "extension Note", "handler": "app.get(", "transaction": "let lock = Statement(", "service": "Service(", "test": "var app = App()"}
    assert [next(name for name, start in found.items() if text.startswith(start)) for text in FRAGMENTS] == list(found)
    source = SERVICE.replace("@main ", "")
    for around, text in zip(AROUND.values(), FRAGMENTS):
        # Omitted code, and a macro that needs a compiler plugin.
        source += around % text.replace(", …)", ")").replace("    …\n", "").replace("#expect(", "precondition(")
    (tmp_path / "Blocks.swift").write_text(source, encoding="utf-8")
    compile(tmp_path / "Blocks.swift", "-typecheck")


def test_the_service_of_the_readme_compiles_and_is_short(tmp_path):
    (service,) = [text for language, text in blocks("README.md") if language == "swift"]
    assert len(service.splitlines()) <= 25
    (tmp_path / "Readme.swift").write_text(service, encoding="utf-8")
    compile(tmp_path / "Readme.swift", "-typecheck")
