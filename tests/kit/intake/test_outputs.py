"""Outputs and `safe_prose`, through the converters that formgrader renders with."""

import re

import nbformat
import pytest
from drawn import GIF, JPEG, encoded, png, png_that_says
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import markdown2html_mistune

from gradlab_staff.intake.outputs import safe_outputs
from gradlab_staff.intake.prose import safe_prose

LINKS = (
    "[x](javascript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x](&#x6A;avascript&#58;alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](java&Tab;script:alert(1))",
    "[x](<java\tscript:alert(1)>)",
    "[x](JaVaScRiPt\\:alert(1))",
    "[x](vbscript:x)",
    "[x]: &amp;#106;avascript:alert(1)\n\n[x]",
    "![x](&#106;avascript:alert(1))",
    "<javascript:alert(1)>",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
)
LIVE = re.compile(
    r"""(?:href|src)\s*=\s*["']?\s*(?:j\s*a\s*v\s*a|v\s*b)\s*s\s*c\s*r\s*i\s*p\s*t\s*:|<script|<img src=x""", re.I
)


@pytest.mark.parametrize("source", LINKS)
def test_nothing_acts(source):
    """However a link is written, what comes out of the converter is none that runs a script."""
    assert not LIVE.search(markdown2html_mistune(safe_prose(source)))


def test_the_patterns_are_live_without_it():
    """What is looked for is what the converter makes of such a link."""
    assert LIVE.search(markdown2html_mistune(LINKS[1]))


@pytest.mark.parametrize(
    ("source", "made"),
    [
        (r"$\def\x#1{\href{java#1:alert(1)}{y}}\x{script}$", r"$\def\x#1{\ href{java#1:alert(1)}{y}}\x{script}$"),
        (r"$\mmlToken{mi}[href='x']{y}$", r"$\ mmlToken{mi}[href='x']{y}$"),
        (r"$\class{big}{x} \style{position:fixed}{y}$", r"$\ class{big}{x} \ style{position:fixed}{y}$"),
    ],
)
def test_no_links_by_formulas(source, made):
    """MathJax writes links and styles too."""
    assert safe_prose(source) == made


@pytest.mark.parametrize(
    "source", ["a &lt; b, &alpha; and $\\alpha_1$", "see http://x.y/?a=1&b=2", "1 < 2", "R&D: yes"]
)
def test_prose_reads_as_it_did(source):
    """What harms nobody stays as it is."""
    assert safe_prose(source) == source


@pytest.mark.parametrize(("mime", "picture"), [("image/png", png()), ("image/jpeg", JPEG), ("image/gif", GIF)])
def test_pictures_that_a_cell_showed_are_shown(mime, picture):
    """Also a GIF, for which nbconvert has no place of its own."""
    shown = {"output_type": "display_data", "metadata": {}, "data": {mime: encoded(picture), "text/plain": "<Figure>"}}
    cell = {
        "cell_type": "code",
        "metadata": {},
        "source": "",
        "execution_count": None,
        "outputs": safe_outputs([shown]),
    }
    notebook = nbformat.from_dict({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [cell]})
    assert f"data:{mime};base64,{encoded(picture)}" in HTMLExporter().from_notebook_node(notebook)[0]


@pytest.mark.parametrize(
    "data",
    [
        {"image/png": encoded(JPEG)},
        {"image/gif": encoded(png())},
        {"image/png": encoded(png_that_says(65_000, 65_000))},
        {"image/gif": encoded(b"GIF89a" + b"\xff" * 20)},
        {"image/jpeg": encoded(b"\xff\xd8\xff\xe0\x00\x00" * 10_000)},
        {"image/webp": "AAAA"},
    ],
)
def test_what_is_no_picture_of_its_type_is_named(data):
    """Another type, too many pixels, or none that it says."""
    (kept,) = safe_outputs([{"output_type": "display_data", "data": data}])
    assert kept["data"] == {"text/plain": f"[{next(iter(data))}: not shown]"}
