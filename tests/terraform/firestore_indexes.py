"""Decides, by Firestore's documented rules, whether indexes serve a query.

A query is served if its filters by equality and by array-contains are covered by indexes that
all go on with the query's whole sort order. One index that holds all of the filters does, and so
do several that are merged, each with some of them. See Firestore, Index types > Taking advantage
of index merging, and Index definition: `__name__` stands at the end of every index and every
sort order, in the direction of what stands before it. No index is read backwards.

A query with an OR is answered as one query for each alternative, so each of them needs an index
(Queries > OR queries). Here the alternatives are ranges of one field, which one index serves.

Where the documentation leaves a doubt, a query counts as not served.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

ASCENDING = "ASCENDING"
DESCENDING = "DESCENDING"
CONTAINS = "CONTAINS"
NAME = "__name__"
ANY_FIELD = "*"
BY_ITSELF = frozenset({ASCENDING, DESCENDING, CONTAINS})
"""How Firestore indexes every field that nothing is said of."""

MAX_ALTERNATIVES = 30
"""How many a query may have once its ORs are written out. See Queries > Query limitations."""

_EQUAL = {"EQUAL", "IN", "IS_NULL", "IS_NAN"}
_CONTAINS = {"ARRAY_CONTAINS", "ARRAY_CONTAINS_ANY"}
_RANGE = {"LESS_THAN", "LESS_THAN_OR_EQUAL", "GREATER_THAN", "GREATER_THAN_OR_EQUAL"}


class NotUnderstood(Exception):
    """The query has something that these rules say nothing about."""


@dataclass(frozen=True, slots=True)
class Part:
    """One field of an index or of a sort order."""

    path: str
    mode: str

    def __str__(self) -> str:
        return f"{self.path} {self.mode}"


@dataclass(frozen=True, slots=True)
class Index:
    """An index of one collection; with one part it is a single-field index."""

    collection: str
    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return f"{self.collection}: {', '.join(map(str, self.parts))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What matters of a query.

    Attributes:
        equal: The fields that are compared with one value, or with any of several.
        contains: The array fields that are asked for a member.
        order: As it was asked for, or as it follows from a range.
    """

    collection: str
    equal: frozenset[str] = frozenset()
    contains: frozenset[str] = frozenset()
    order: tuple[Part, ...] = ()

    def __str__(self) -> str:
        filters = [*sorted(self.equal), *(f"{path} CONTAINS" for path in sorted(self.contains))]
        return f"{self.collection}: {', '.join(filters)} | {', '.join(map(str, self.order))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexes:
    """Every index of a database.

    Attributes:
        fields: How fields are indexed by themselves, by collection and path, where somebody
            has said so; of a collection's `*`, all fields that are not named.
    """

    composite: frozenset[Index]
    fields: Mapping[tuple[str, str], frozenset[str]]

    def serve(self, query: Query) -> bool:
        """Return whether the query can be answered."""
        wanted = {(path, ASCENDING) for path in query.equal}
        wanted |= {(path, CONTAINS) for path in query.contains}
        order = _with_name(query.order)
        covered: set[tuple[str, str]] = set()
        is_any = False
        for index in self._of(query):
            filters = _filters_before(order, index)
            if filters is not None and filters <= wanted:
                covered |= filters
                is_any = True
        return is_any and covered == wanted

    def said(self) -> Iterator[Index]:
        """Give every index that somebody has said there should be."""
        yield from sorted(self.composite, key=str)
        for (collection, path), modes in self.fields.items():
            for mode in sorted(modes):
                yield Index(collection, (Part(path, mode),))

    def without(self, index: Index) -> "Indexes":
        """Return the indexes but this one."""
        if index in self.composite:
            return replace(self, composite=self.composite - {index})
        (part,) = index.parts
        named = (index.collection, part.path)
        return replace(self, fields={**self.fields, named: self.fields[named] - {part.mode}})

    def modes(self, collection: str, path: str) -> frozenset[str]:
        """Return how a field is indexed by itself; what is in a map, as the map is."""
        ancestor = path
        while ancestor:
            if (collection, ancestor) in self.fields:
                return self.fields[collection, ancestor]
            ancestor = ancestor.rpartition(".")[0]
        return self.fields.get((collection, ANY_FIELD), BY_ITSELF)

    def _of(self, query: Query) -> Iterator[Index]:
        for index in self.composite:
            if index.collection == query.collection:
                yield index
        asked = query.equal | query.contains | {part.path for part in query.order}
        for path in asked - {NAME}:
            for mode in self.modes(query.collection, path):
                yield Index(query.collection, (Part(path, mode),))
        # Documents in the order of their names need no index.
        yield Index(query.collection, (Part(NAME, ASCENDING),))


def _with_name(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    if parts and parts[-1].path == NAME:
        return parts
    is_down = bool(parts) and parts[-1].mode == DESCENDING
    return (*parts, Part(NAME, DESCENDING if is_down else ASCENDING))


def _filters_before(order: tuple[Part, ...], index: Index) -> set[tuple[str, str]] | None:
    """Return the filters that an index holds before this order, None if it has another."""
    parts = _with_name(index.parts)
    before, rest = parts[: -len(order)], parts[-len(order) :]
    if rest != order:
        return None
    # For a comparison with one value it does not matter in which direction the field stands.
    return {(part.path, CONTAINS if part.mode == CONTAINS else ASCENDING) for part in before}


def needless(indexes: Indexes, queries: Iterable[Query]) -> list[Index]:
    """Return the indexes without which every one of these queries is served as well."""
    served = list(queries)
    return [
        index
        for index in indexes.said()
        if all(indexes.without(index).serve(query) for query in served)
    ]


def read_query(plain: Mapping[str, Any]) -> Query:
    """Return what matters of a StructuredQuery, as Firestore's REST API writes it.

    Raises:
        NotUnderstood: Says what these rules say nothing about.
    """
    known = {"from", "where", "orderBy", "limit", "startAt", "endAt", "offset", "select"}
    if set(plain) - known:
        raise NotUnderstood(f"{sorted(set(plain) - known)} in a query")
    (source,) = plain["from"]
    if source.get("allDescendants"):
        raise NotUnderstood("a query of a collection group")
    equal, contains, ranged = set[str](), set[str](), set[str]()
    for path, operator in _filters(plain.get("where")):
        if operator in _EQUAL:
            equal.add(path)
        elif operator in _CONTAINS and not contains:
            contains.add(path)
        elif operator in _RANGE and ranged <= {path}:
            ranged.add(path)
        else:
            raise NotUnderstood(f"{operator} of {path}, with the filters before it")
    order = tuple(
        Part(one["field"]["fieldPath"], one.get("direction", ASCENDING))
        for one in plain.get("orderBy", ())
    )
    if ranged and not order:
        order = tuple(Part(path, ASCENDING) for path in ranged)
    if ranged and order[0].path not in ranged:
        raise NotUnderstood(f"a range of {min(ranged)}, but sorted by {order[0].path} first")
    if equal & {part.path for part in order}:
        raise NotUnderstood("sorted by a field that has one value")
    return Query(
        collection=source["collectionId"],
        equal=frozenset(equal),
        contains=frozenset(contains),
        order=order,
    )


def _filters(where: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    if where is None:
        return
    if "compositeFilter" in where:
        filters = where["compositeFilter"]["filters"]
        if where["compositeFilter"]["op"] != "AND":
            yield from _ranges_of_one_field(filters)
            return
        for one in filters:
            yield from _filters(one)
    else:
        (one,) = where.values()
        yield one["field"]["fieldPath"], one["op"]


def _ranges_of_one_field(alternatives: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return the ranges that stand in an OR; they all need the same index."""
    ranges = [one for alternative in alternatives for one in _filters(alternative)]
    if len(alternatives) > MAX_ALTERNATIVES:
        raise NotUnderstood(f"an OR of {len(alternatives)}")
    if len({path for path, _ in ranges}) != 1 or {operator for _, operator in ranges} - _RANGE:
        raise NotUnderstood("an OR of more than ranges of one field")
    return ranges
