"""What a notebook shows while it works and what it asks: widgets in JupyterLab, plain text wherever it is saved.

papermill doesn't keep widget state when a kernel dies or a cell times out, so everything a reader must see is also
shown as HTML that needs no widget.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import ipywidgets as widgets
from IPython.core.getipython import get_ipython
from IPython.display import display

from launchbook.display import Html, escape, visible


class Progress:
    """A bar that moves in JupyterLab, above a line that stays in the saved notebook."""

    def __init__(self) -> None:
        self._cell = _execution_count()
        self._bar: widgets.FloatProgress | None = None
        self._line: Any = None

    def is_of_another_cell(self) -> bool:
        return self._cell != _execution_count()

    def update(self, text: str, fraction: float | None) -> None:
        """fraction: 0 to 1, or None where it isn't known."""
        if get_ipython() is None:
            return
        percent = "" if fraction is None else f" ({100 * min(max(fraction, 0.0), 1.0):.0f} %)"
        shown = Html(f"<p>{escape(text)}{percent}</p>", f"{visible(text)}{percent}")
        if self._line is None:
            self._bar = widgets.FloatProgress(min=0.0, max=1.0, layout=widgets.Layout(width="60%"))
            display(self._bar)
            self._line = display(shown, display_id=True)
        else:
            self._line.update(shown)
        if self._bar is not None and fraction is not None:
            self._bar.value = fraction


class Panel:
    """HTML that is replaced in place while a cell runs: a widget in JupyterLab, and what it last said once saved."""

    def __init__(self) -> None:
        self._widget: widgets.HTML | None = None
        self._saved: Any = None
        self._last = Html("", "")

    def update(self, shown: Html) -> None:
        """Shows `shown` in place of what was there; outside a notebook it does nothing."""
        if get_ipython() is None:
            return
        if self._widget is None:
            self._widget = widgets.HTML()
            display(self._widget)
            said = "The figures above are live; the last of them stay here."
            self._saved = display(Html(f"<p>{said}</p>", said), display_id=True)
        self._widget.value = shown.html
        self._last = shown

    def close(self) -> None:
        """The widget is hidden, and what it said last stays as HTML that needs none."""
        if self._widget is None:
            return
        self._saved.update(self._last)
        self._widget.layout.display = "none"


class Asked(ABC):
    """A question to who steps through a notebook: a widget, and a line that says how it stands and stays once saved."""

    def __init__(self, *, needed: bool) -> None:
        self._needed = needed
        self._widget: Any = None

    @property
    @abstractmethod
    def given(self) -> bool:
        """Whether it was answered with yes, or needs no answer."""

    @abstractmethod
    def _ask(self) -> widgets.DOMWidget:
        """The widget, which has a `value`."""

    @abstractmethod
    def _stands(self) -> str:
        """A sentence."""

    def _ipython_display_(self) -> None:
        if not self._needed:
            display(self._said())
            return
        self._widget = self._ask()
        display(self._widget)
        line = display(self._said(), display_id=True)
        if line is not None:  # outside IPython nothing that was shown can change
            self._widget.observe(lambda _: line.update(self._said()), "value")

    def _said(self) -> Html:
        text = self._stands()
        return Html(f"<p>{escape(text)}</p>", visible(text))


class Confirmation(Asked):
    """Whether a protected environment's name was typed, by parameter or in the box; any other one needs none."""

    def __init__(self, name: str, typed: str | None, *, protected: bool) -> None:
        super().__init__(needed=protected)
        self._name = name
        self._typed = typed or ""

    @property
    def given(self) -> bool:
        return not self._needed or self._name in (self._typed, self._widget.value if self._widget else "")

    def _ask(self) -> widgets.DOMWidget:
        return widgets.Text(
            value=self._typed,
            placeholder=self._name,
            description=f"Type {self._name!r} to let this notebook change it:",
            style={"description_width": "initial"},
            layout=widgets.Layout(width="60%"),
        )

    def _stands(self) -> str:
        if not self._needed:
            state = "not protected; what its parameters allow is done without asking"
        elif self.given:
            state = "confirmed"
        else:
            state = f"not confirmed; until {self._name!r} is typed, nothing is changed"
        return f"Environment {self._name}: {state}."


class Approval(Asked):
    """Whether the plan of a digest was read and may be applied: by parameter, or by a tick where `asked`."""

    def __init__(self, digest: str, approved: str | None, *, asked: bool) -> None:
        super().__init__(needed=asked and not approved)
        self.digest = digest
        self._approved = approved

    @property
    def given(self) -> bool:
        return self.covers(self.digest)

    def covers(self, digest: str) -> bool:
        """Whether the plan of this digest may be applied; one that was made after the box was ticked was not read."""
        if self._approved:
            return self._approved == digest
        ticked = bool(self._widget and self._widget.value)
        return not self._needed or (ticked and digest == self.digest)

    def _ask(self) -> widgets.DOMWidget:
        return widgets.Checkbox(
            value=False,
            indent=False,
            description="I have read this plan; it may be applied",
            layout=widgets.Layout(width="60%"),
        )

    def _stands(self) -> str:
        if self._approved:
            state = "approved" if self.given else f"not approved; {self._approved} was"
        elif not self._needed:
            state = "no approval is asked"
        else:
            state = "approved" if self.given else "not approved; until it is, nothing is applied"
        return f"Plan {self.digest}: {state}."


def _execution_count() -> int:
    shell = get_ipython()
    return int(shell.execution_count) if shell else 0
