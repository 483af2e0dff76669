"""Every link between the project's pages has a target, and every path in docs/architecture.md exists."""

import re
import subprocess

import pytest

from support.project import ROOT

PAGES = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
).stdout.splitlines()


def prose(page):
    """Returns the page without its code blocks."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page):
    """Returns the anchors that GitHub generates from the headings."""
    found = set()
    for title in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        anchor = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        found.add(anchor if anchor not in found else f"{anchor}-1")
    return found


def links(page):
    text = prose(page)
    return re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|srcset|href)="([^"]+)"', text)


def broken(page):
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        if not target.exists():
            yield f"{link}: no such file"
        elif anchor and anchor not in anchors(target.resolve().relative_to(ROOT)):
            yield f"{link}: no such heading"


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    assert list(broken(page)) == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/")])
def test_the_contents_of_a_page_are_its_sections(page):
    contents = re.search(r"^Contents: (.*?)\n\n", prose(page), re.MULTILINE | re.DOTALL)
    if contents:
        sections = re.findall(r"^## (.+)$", prose(page), re.MULTILINE)
        assert len(re.findall(r"\]\(#[^)]+\)", contents[1])) == len(sections)


def test_there_are_pages_and_links():
    assert "README.md" in PAGES and "docs/architecture.md" in PAGES
    assert sum(len(links(page)) for page in PAGES) > 100


def test_every_path_of_the_architecture_exists():
    page = prose("docs/architecture.md")
    paths = set(re.findall(r"`((?:Sources|Tests|Examples|Benchmarks|scripts|deploy|userdata)/[^`]+|Package\.swift)`", page))
    assert len(paths) > 40
    assert sorted(path for path in paths if not (ROOT / path).exists()) == []


def test_every_name_of_the_architecture_is_in_its_file():
    """The format is `File.swift` (`name`, `other`), with names that are in that file."""
    missing = []
    for path, names in re.findall(r"`(Sources/[^`]+\.swift)` \(([^)]*`[^)]*)\)", prose("docs/architecture.md")):
        text = (ROOT / path).read_text(encoding="utf-8")
        missing += [f"{path}: {name}" for name in re.findall(r"`(\w+)`", names) if not re.search(rf"\b{name}\b", text)]
    assert missing == []
