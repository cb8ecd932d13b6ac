"""The words of an index: each form that rows hold has a number, and each stem knows its forms.

Postings are kept by form, as a word was written. Those of a stem are those of its forms together,
so a question's term finds every form, and its own form can count for more.
"""

from collections.abc import Iterable

from .times import is_timely
from .words import stem_of


class Vocabulary:
    """Forms to numbers from 0 on, in the order they were met. Writers hold the store's lock;
    whoever reads meanwhile sees at worst forms of rows that are newer than what he looks at."""

    __slots__ = ("of", "stems", "timely")

    def __init__(self, forms: Iterable[str] = ()) -> None:
        self.of: dict[str, int] = {}
        self.stems: dict[str, list[int]] = {}
        self.timely: set[int] = set()  # the forms that say when something was
        self.add_all(list(forms))

    def add_all(self, forms: list[str]) -> list[int]:
        """The number of each of these forms."""
        of = self.of
        for form in forms:
            if form not in of:
                self._add(form)
        return list(map(of.__getitem__, forms))

    def _add(self, form: str) -> None:
        term = stem_of(form)
        code = len(self.of)
        if is_timely(term):
            self.timely.add(code)
        self.of[form] = code
        self.stems.setdefault(term, []).append(code)
