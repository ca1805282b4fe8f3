"""Finds the known name that a misspelt one probably stands for."""

import difflib
from collections.abc import Iterable

# Comparing takes time that grows with the square of the length; no name of ours is longer.
LONGEST_COMPARED = 64
LIKE_ENOUGH = 0.7


def nearest(name: str, known: Iterable[str], *, like_enough: float = LIKE_ENOUGH) -> str | None:
    """Return the known name most like this one; None if none is like it.

    Args:
        like_enough: How alike they must be, from 0 to 1.
    """
    if len(name) > LONGEST_COMPARED:
        return None
    by_lower_case = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), by_lower_case, n=1, cutoff=like_enough)
    return by_lower_case[close[0]] if close else None


def one_of(name: object, known: Iterable[str]) -> str:
    """Return that a name must be one of these, as the rest of a sentence."""
    names = tuple(known)
    near = nearest(name, names) if isinstance(name, str) else None
    hint = f"; did you mean `{near}`?" if near is not None else ""
    return f"must be one of {', '.join(names)}{hint}"


def unknown(claim: str, name: str, known: Iterable[str]) -> str:
    """Return a claim that a name is unknown, with the names that there are."""
    names = tuple(known)
    near = nearest(name, names)
    hint = f", did you mean `{near}`? There" if near is not None else "; there"
    return f"{claim}{hint} are {', '.join(names) or 'none'}"
