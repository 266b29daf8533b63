"""What contributors and newcomers read holds: commands exist, links lead somewhere, the glossary is in order."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAPERS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.DOTALL | re.MULTILINE)


def text_of(name):
    """Return the text of a file of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def make_commands():
    """Return the `make` commands that CONTRIBUTING.md shows as code: by target, the variables that they set."""
    code = "\n".join(CODE.findall(text_of("CONTRIBUTING.md")))
    commands = {}
    for target, settings in re.findall(r"\bmake ([a-z][a-z-]*)((?: [A-Z_]+=[^\s`]+)*)", code):
        commands.setdefault(target, set()).update(re.findall(r"([A-Z_]+)=", settings))
    return commands


def anchors(page):
    """Return the anchors that a forge makes of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leads_somewhere(page, link):
    """Return whether the file of a relative link exists, and has the heading that the link may name."""
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    return target.exists() and (not anchor or anchor in anchors(target))


@pytest.mark.parametrize(("target", "variables"), sorted(make_commands().items()), ids=sorted(make_commands()))
def test_a_make_command_of_the_guide_works(target, variables):
    """The Makefile has each target that CONTRIBUTING.md names, and reads each variable that is set for it."""
    makefile = text_of("Makefile")
    rules = re.findall(r"^([a-z][a-z -]*):(?!=)", makefile, re.MULTILINE)
    assert target in {name for rule in rules for name in rule.split()}
    assert {name for name in variables if not re.search(rf"\b{name}\b", makefile)} == set()


def test_the_guide_shows_commands():
    """The loop that CONTRIBUTING.md describes is found in it, so that the test of its commands tests something."""
    assert {"quick", "test"} <= make_commands().keys()


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_to_what_exists(paper):
    """Each relative link of a page leads to a file or folder, and to a heading in it where it names one."""
    prose = CODE.sub("", paper.read_text(encoding="utf-8"))
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", prose) if not re.match(r"[a-z]+:", link)]
    assert [link for link in links if not leads_somewhere(paper, link)] == []


def test_each_module_stands_in_the_architecture_once():
    """The tables of docs/architecture.md name all modules of both packages, and none that is not there."""
    section = text_of("docs/architecture.md").split("## Modules\n")[1].split("\n## ")[0]
    first = re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)
    named = [name for cell in first for name in re.findall(r"`([\w/]*\w)`", cell)]
    packages = [ROOT / "src" / "gradlab", ROOT / "src" / "gradlab_staff"]
    paths = [path.relative_to(package) for package in packages for path in package.rglob("*.py")]
    assert sorted(named) == sorted(path.with_suffix("").as_posix() for path in paths if "__" not in path.name)


def test_the_glossary_is_alphabetical():
    """A term is found where a reader looks for it, and stands there once."""
    terms = re.findall(r"^- \*\*(.+?)\*\*: ", text_of("docs/glossary.md"), re.MULTILINE)
    assert len(terms) > 30
    assert terms == sorted(set(terms), key=str.casefold)
