"""Text that came from a cluster is shown and never acts; charts are bundles that load nothing."""

import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from launchbook import display
from launchbook.words import Status


def test_a_name_with_html_in_it_is_shown_as_written():
    frame = pd.DataFrame({"name": ["<script>alert(1)</script>"], "<b>": [1]})
    shown = display.table(frame, "a <i>caption</i>").html
    assert "<script>" not in shown
    assert "<b>" not in shown
    assert "<i>" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown


def test_terminal_escapes_and_direction_marks_are_written_out():
    assert display.visible("a\x1b[31mred\u202eder") == "a\\x1b[31mred\\u202eder"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nats-0", "nats-0"),
        ("- item", "\\- item"),
        ("1. item", "1\\. item"),
        ("1.235", "1.235"),
        ("a|b", "a\\|b"),
        ("two\nlines", "two lines"),
        ("[x](http://e)", "\\[x\\](http://e)"),
    ],
)
def test_markdown_is_escaped_only_where_it_would_act(text, expected):
    assert display.escape_markdown(text) == expected


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1))
def test_escaped_markdown_renders_as_exactly_its_words(text):
    words = " ".join(text.split())
    tokens = MarkdownIt("commonmark").parse(display.escape_markdown(text))
    if not words:
        return
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    shown = "".join(child.content for child in tokens[1].children or [])
    assert shown == display.visible(words)


def test_a_markdown_table_has_a_row_for_each_row_and_its_cells_keep_their_bars():
    text = display.markdown_table(pd.DataFrame({"Pod": ["a|b"], "Share": [0.51239]}))
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert '<td style="text-align:left">a|b</td>' in html
    assert "0.5124" in html


def test_a_status_is_a_word_on_a_colour():
    shown = display.table(pd.DataFrame({"Status": [Status.UNKNOWN, ""]})).html
    assert shown.count("<span") == 1
    assert ">UNKNOWN</span>" in shown


def test_a_chart_is_plotlys_own_mime_type_and_holds_no_script():
    bundle = display.figure(go.Figure(go.Scatter(y=[1, 2])), title="Latency <ms>").bundle()
    assert bundle[display.PLOTLY_MIME]["data"][0]["type"] == "scatter"
    assert "<script" not in bundle["text/html"]
    assert "Latency &lt;ms&gt;" in bundle["text/html"]


def test_words_stand_flush_left_and_a_long_one_breaks() -> None:
    """JupyterLab's own style sets every cell flush right, and a digest would push what follows out of sight."""
    digest = "sha256:" + "0" * 64
    html = display.table(pd.DataFrame({"name": ["shop/web-frontend-of-the-shop-a"], "digest": [digest], "n": [3]})).html
    assert '<th scope="col" style="text-align:left">name</th>' in html
    assert '<td style="text-align:left">shop/web-frontend-of-the-shop-a</td>' in html
    assert f'<td style="text-align:left;overflow-wrap:anywhere">{digest}</td>' in html
    assert '<td class="number">3</td>' in html
